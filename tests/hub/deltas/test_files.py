"""Files on their way out: ranges, tags, damage, and past the hub where a setting says so."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from hub.access.principal import THE_HUB
from hub.api.files import file_answer
from hub.settings import Settings
from hub.storage.objects import StoreError
from skills.messages.base import API
from skills.skill import Skill
from tests.hub.bringing import PART, open_yard, publish_in_parts, user, wide_skill
from tests.hub.conftest import Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.servers import S3Server

FILE = f"{API}/skills/reach/versions/1/file"
SKILL = wide_skill()
DATA = SKILL.to_bytes()
SIZE = len(DATA)


@pytest.fixture(params=["files", "S3"])
def hub(request: pytest.FixtureRequest, settings: Settings, clock: Hands) -> Iterator[Hall]:
    if request.param == "S3":
        settings = request.getfixturevalue("on_s3")
    hall = Hall(settings, StubGate(), clock)
    hall.services.storage.store.check()
    ok(hall.publish(SKILL))
    yield hall
    hall.close()


def fetch(hall: Hall, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return hall.client.get(FILE, headers=named, follow_redirects=False)


def test_a_file_comes_whole_and_says_what_it_is(hub: Hall) -> None:
    answer = fetch(hub)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["ETag"] == f'"{SKILL.digest}"'
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, SIZE),
        ("bytes=5-9", 5, 10),
        ("bytes= 5 - 9", 5, 10),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=0-{10**17}", 0, SIZE),
        (f"bytes=-{10**17}", 0, SIZE),
    ],
)
def test_a_range_is_a_part_of_the_file(hub: Hall, asked: str, start: int, stop: int) -> None:
    answer = fetch(hub, Range=asked)
    assert (answer.status_code, answer.content) == (206, DATA[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked", ["", "bytes", "bytes=-", "bytes=9-5", "bytes=0-1,3-4", "lines=1-2", "bytes=" + "9" * 40 + "-"]
)
def test_what_is_no_range_that_we_know_gets_the_whole_file(hub: Hall, asked: str) -> None:
    answer = fetch(hub, Range=asked)
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(hub: Hall, asked: str) -> None:
    assert hub.error(fetch(hub, Range=asked), 416)["code"] == "unsatisfiable_range"


def test_a_range_of_another_file_gets_the_whole_of_this_one(hub: Hall) -> None:
    assert fetch(hub, Range="bytes=5-", If_Range=f'"{SKILL.digest}"').status_code == 206
    assert fetch(hub, Range="bytes=5-", If_Range='"sha256:other"').content == DATA


def test_who_has_the_file_gets_none(hub: Hall) -> None:
    answer = fetch(hub, If_None_Match=f'"x", W/"{SKILL.digest}"', Range="bytes=5-")
    assert (answer.status_code, answer.content) == (304, b"")


def test_a_lost_file_is_said_to_be_lost(hub: Hall) -> None:
    hub.services.storage.store.delete(SKILL.digest)
    hub.error(fetch(hub), 404)
    hub.error(fetch(hub, Range="bytes=5-"), 404)


def test_a_damaged_small_file_is_an_error_of_its_own(hall: Hall) -> None:
    ok(hall.publish(SKILL))
    (blob,) = (path for path in hall.settings.data_dir.glob("blobs/sha256/*/*"))
    blob.write_bytes(DATA[:-1] + b"X")
    assert hall.error(fetch(hall), 503)["code"] == "damaged_blob"


def test_a_damaged_large_file_is_never_sent_to_its_end(hall: Hall) -> None:
    from skills.networks.mlp import Mlp

    skill = tiny_skill(network=Mlp(inputs=3, outputs=2, hidden=(700, 700)))
    ok(hall.publish(skill))
    data = skill.to_bytes()
    (blob,) = (path for path in hall.settings.data_dir.glob("blobs/sha256/*/*"))
    blob.write_bytes(data[:100] + b"X" + data[101:])
    catalogue = hall.services.catalogue.skills
    file = catalogue.file(catalogue.version("reach", "1", THE_HUB), THE_HUB)
    answer = file_answer(file, if_none_match="", asked="", if_range="")
    sent = bytearray()
    with pytest.raises(StoreError, match="damaged"):
        _drain(answer, sent)
    assert 0 < len(sent) < len(data)


def _drain(answer: object, into: bytearray) -> None:
    import anyio

    async def drain() -> None:
        async for piece in answer.body_iterator:  # type: ignore[attr-defined]
            into.extend(piece)

    anyio.run(drain)


class TestPastTheHub:
    """On S3 with an address under which robots reach it."""

    @pytest.fixture
    def direct(self, on_s3: Settings, s3: S3Server, clock: Hands) -> Iterator[Hall]:
        settings = on_s3.model_copy(update={"s3_direct_url": f"http://{s3.endpoint}", "part_size": PART})
        hall = Hall(settings, StubGate(), clock)
        yield hall
        hall.close()

    def test_a_file_is_fetched_from_the_store(self, direct: Hall) -> None:
        ok(direct.publish(SKILL))
        answer = fetch(direct, Range="bytes=5-")
        assert (answer.status_code, answer.content) == (307, b"")
        assert answer.headers["Cache-Control"] == "no-store"
        assert httpx.get(answer.headers["Location"]).content == DATA
        rest = httpx.get(answer.headers["Location"], headers={"Range": "bytes=5-"})
        assert (rest.status_code, rest.content) == (206, DATA[5:])
        assert fetch(direct, If_None_Match=f'"{SKILL.digest}"').status_code == 304

    def test_parts_are_brought_to_the_store_and_looked_at_by_the_hub(
        self, on_s3: Settings, s3: S3Server, clock: Hands
    ) -> None:
        yard = open_yard(on_s3.model_copy(update={"s3_direct_url": f"http://{s3.endpoint}"}), clock)
        data = yard.delta()
        view = yard.view(data)
        for part in view.missing[::-1]:
            assert ok(httpx.put(part.url, content=data[part.offset : part.offset + part.size]))
        assert yard.view(data).missing == ()
        assert ok(yard.complete(view)).json()["status"] == "admitted"
        late = httpx.put(view.missing[0].url, content=b"exchanged afterwards")  # the address is still good
        assert late.is_success
        assert yard.hall.services.storage.store.get(view.digest) == data
        yard.hall.close()

    def test_wrong_bytes_at_the_store_are_found_out(
        self, on_s3: Settings, s3: S3Server, clock: Hands
    ) -> None:
        yard = open_yard(on_s3.model_copy(update={"s3_direct_url": f"http://{s3.endpoint}"}), clock)
        data, before = yard.delta(), yard.stored()
        view = yard.view(data)
        for part in view.missing:
            ok(httpx.put(part.url, content=bytes(part.size)))
        assert yard.hall.error(yard.complete(view), 422)["code"] == "wrong_digest"
        for part in yard.view(data).missing:
            ok(httpx.put(part.url, content=bytes(part.size + 1)))
        assert len(yard.view(data).missing) == len(view.missing)  # of another size: as if not there
        ok(yard.robot.request("DELETE", f"/uploads/{view.upload_id}"))
        assert yard.stored() == before
        yard.hall.close()

    def test_a_skill_comes_in_parts_through_the_hub_as_well(self, direct: Hall) -> None:
        answer = publish_in_parts(direct, SKILL, user(direct, "researcher"))
        assert answer.status_code == 201
        found = httpx.get(fetch(direct).headers["Location"]).content
        assert Skill.from_bytes(found).digest == SKILL.digest
