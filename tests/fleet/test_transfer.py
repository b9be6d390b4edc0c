"""Large files between robots and a real hub: killed in the middle, past the hub, damaged on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from fleet.client import OperatorClient
from fleet.connection import Connection
from fleet.membership import connect, join
from fleet.robot_folder import Pending, RobotFolder
from fleet.transfer import push
from hub.settings import Settings
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader
from skills.errors import ArtefactError, HubUnreachableError
from skills.messages.base import API, ErrorBody, ErrorDetail
from skills.messages.rounds import DeltaReceipt
from skills.messages.uploads import SkillPurpose, UploadRequest
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.fleet import doomed_transfer
from tests.hub.bringing import open_yard
from tests.hub.conftest import ADMIN, Hall, Hands, ok, small_settings, tiny_skill, with_store
from tests.hub.servers import S3Server
from tests.hub.serving import serving


@dataclass
class Place:
    """A hub at a real address, and a robot that has joined it."""

    hall: Hall
    address: str
    bench: RobotFolder

    def owe(self) -> Pending:
        """Let the robot make a delta of 24 kB."""
        work = connect(self.bench).assignment("reach")
        if work is None:
            raise RuntimeError("no work")
        header = DeltaHeader(
            base=work.base.digest,
            round_id=work.round_id,
            robot_id=self.bench.identity().robot_id,
            codec="raw",
            samples=1,
        )
        shapes = work.base.manifest.network.shapes()
        data = self.bench.write_delta(Delta(header, {name: np.zeros(each) for name, each in shapes.items()}))
        owed = Pending(
            skill="reach",
            campaign_id=work.campaign_id,
            round_id=work.round_id,
            number=work.number,
            digest=digest_of(data),
            deadline=work.deadline,
        )
        self.bench.keep_pending(owed)
        return owed

    def die(self, what: str, after: int) -> None:
        """Let a process with the robot's workbench be killed in the middle."""
        command = [sys.executable, "-m", doomed_transfer.__name__, str(self.bench.home), what, str(after)]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return small_settings(tmp_path / "hub")


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Callable[[Settings], Place]]:
    clock = Hands()
    clock.now = datetime.now(UTC)  # robots have clocks of their own
    running = []

    def start(settings: Settings) -> Place:
        yard = open_yard(settings, clock)
        running.append(serving(yard.hall.app))
        address = running[-1].__enter__()
        token = ok(yard.hall.post("/enrolment-tokens", {})).json()[0]["token"]
        bench = RobotFolder(tmp_path / "robot")
        join(bench, address, token=token, name="three", embodiment="iiwa")
        return Place(yard.hall, address, bench)

    yield start
    for each in running:
        each.__exit__(None, None, None)


@pytest.fixture
def place(open_place: Callable[[Settings], Place], settings: Settings) -> Place:
    return open_place(settings)


def large_skill(name: str = "reach-far") -> Skill:
    network = Mlp(inputs=3, outputs=2, hidden=(700, 700))
    manifest = tiny_skill().manifest.model_copy(update={"name": name, "network": network})
    return Skill(manifest, {name: np.zeros(shape, np.float32) for name, shape in network.shapes().items()})


def test_a_robot_killed_within_a_push_sends_only_the_rest(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed = place.owe()
    place.die("push", 3)
    assert place.hall.round(owed.round_id).deltas == 0
    sent: list[str] = []
    client = connect(place.bench, Noting(sent))
    monkeypatch.setattr("fleet.client.ONE_REQUEST", doomed_transfer.SMALL)
    assert doomed_transfer.push(place.bench, client) == "admitted"
    assert [path.rpartition("/")[2] for path in sent if "/parts/" in path] == ["4", "5", "6", "7"]
    assert place.hall.round(owed.round_id).deltas == 1
    assert doomed_transfer.push(place.bench, client) == "duplicate"


def test_a_robot_killed_within_a_pull_fetches_only_the_rest(place: Place) -> None:
    skill = large_skill()
    ok(place.hall.publish(skill))
    place.die("reach-far", 2_000_000)
    (partial,) = (place.bench.home / "skills").iterdir()
    have = partial.stat().st_size
    assert 1_500_000 < have < skill.size
    client = connect(place.bench)
    assert doomed_transfer.pull(place.bench, client, "reach-far") == skill.digest
    assert client.connection.traffic.received < skill.size - have + 10_000
    assert place.bench.skill(skill.digest) is not None
    assert not partial.exists()


def test_a_wrong_beginning_is_found_out_and_fetched_anew(place: Place) -> None:
    skill = large_skill()
    ok(place.hall.publish(skill))
    target = place.bench.skill_file(skill.digest)
    target.parent.mkdir(parents=True)
    partial = target.with_name(target.name + ".partial")
    client = connect(place.bench)
    for beginning in (bytes(1000), bytes(skill.size)):
        partial.write_bytes(beginning)
        with pytest.raises(ArtefactError, match="digest"):
            doomed_transfer.pull(place.bench, client, "reach-far")
        assert not partial.exists()
        assert not target.exists()
    partial.write_bytes(bytes(skill.size + 1))
    assert doomed_transfer.pull(place.bench, client, "reach-far") == skill.digest


def test_an_operator_publishes_a_large_skill_in_parts(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fleet.client.ONE_REQUEST", 1000)
    sent: list[str] = []
    operator = OperatorClient.open(place.address, ADMIN, Noting(sent))
    skill = tiny_skill(name="reach-near", network=Mlp(inputs=3, outputs=2, hidden=(300,)))
    version = operator.publish_skill(skill)
    assert version.digest == skill.digest
    assert sum("/parts/" in path for path in sent) == 4
    assert operator.publish_skill(skill).digest == skill.digest
    assert operator.fetch_skill(version, None, tmp_path / "a.skill").digest == skill.digest


def test_bytes_pass_the_hub_by_where_robots_reach_the_store(
    open_place: Callable[[Settings], Place],
    settings: Settings,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = open_place(with_store(settings, s3).model_copy(update={"s3_direct_url": f"http://{s3.endpoint}"}))
    owed = place.owe()
    sent: list[str] = []
    client = connect(place.bench, Noting(sent))
    monkeypatch.setattr("fleet.client.ONE_REQUEST", doomed_transfer.SMALL)
    assert doomed_transfer.push(place.bench, client) == "admitted"
    base = place.hall.version(1)
    fetched = client.fetch_skill(base, place.bench.skill_file(base.digest))
    assert fetched.digest == base.digest
    assert place.hall.round(owed.round_id).deltas == 1
    at_store = [path for path in sent if s3.endpoint in path]
    assert len(at_store) == 8
    assert not any("/parts/" in path for path in sent)


class Noting(httpx.HTTPTransport):
    """Notes where requests go, and that no credentials go to a store."""

    def __init__(self, sent: list[str]) -> None:
        super().__init__()
        self._sent = sent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._sent.append(str(request.url))
        if API not in request.url.path:
            assert not {"authorization", "zunft-robot", "zunft-signature"} & set(request.headers)
        return super().handle_request(request)


def view(*parts: int) -> bytes:
    missing = [{"number": number, "offset": number - 1, "size": 1, "url": ""} for number in parts]
    found = {"upload_id": "u-1", "digest": digest_of(b"ab"), "size": 2, "missing": missing}
    return json.dumps({**found, "expires_at": "2026-01-01T00:00:00Z"}).encode()


@pytest.mark.parametrize("code", ["incomplete_upload", "wrong_digest", "unknown_upload"])
@pytest.mark.parametrize("times", [1, 9])
def test_parts_that_were_lost_or_damaged_on_their_way_are_sent_again(code: str, times: int) -> None:
    put: list[str] = []
    left = [times]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            put.append(request.url.path)
            return httpx.Response(204, stream=httpx.ByteStream(b""))
        if not request.url.path.endswith("/complete"):
            return httpx.Response(200, stream=httpx.ByteStream(view(1, 2)))
        left[0] -= 1
        if left[0] < 0:
            receipt = DeltaReceipt(round_id="r", digest=digest_of(b"ab"), status="admitted")
            return httpx.Response(201, stream=httpx.ByteStream(receipt.model_dump_json().encode()))
        body = ErrorBody(error=ErrorDetail(code=code, message="no.")).model_dump_json().encode()
        return httpx.Response(409, stream=httpx.ByteStream(body))

    connection = Connection("http://hub", transport=httpx.MockTransport(answer))
    request = UploadRequest(digest=digest_of(b"ab"), size=2, purpose=SkillPurpose())
    if times == 1:
        assert push(connection, request, b"ab", DeltaReceipt).status == "admitted"
        assert len(put) == 4
    else:
        with pytest.raises(HubUnreachableError, match="3 times"):
            push(connection, request, b"ab", DeltaReceipt)
        assert len(put) == 6


@pytest.mark.parametrize("address", ["http://store/x", "ftp://store/x", "/x", ""])
def test_a_robot_follows_only_to_what_is_protected_like_its_hub(address: str, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "hub"
        return httpx.Response(307, headers={"Location": address}, stream=httpx.ByteStream(b""))

    connection = Connection("https://hub", transport=httpx.MockTransport(answer))
    with (tmp_path / "file").open("a+b") as file, pytest.raises(HubUnreachableError, match="address"):
        connection.download("/file", file, 10, 10.0)
    with pytest.raises(HubUnreachableError, match="address"):
        connection.put_elsewhere(address, b"x", 10.0)


def test_a_store_that_refuses_is_unreachable_and_its_address_not_shown() -> None:
    refusal = httpx.MockTransport(lambda _: httpx.Response(403, stream=httpx.ByteStream(b"<Error/>")))
    with pytest.raises(HubUnreachableError) as caught:
        Connection("http://hub", transport=refusal).put_elsewhere("http://s/x?Signature=hush", b"x", 9.0)
    assert "hush" not in str(caught.value)
