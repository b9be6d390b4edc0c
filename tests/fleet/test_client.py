from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest

from fleet.auth import ProofAuth
from fleet.client import HubClient, OperatorClient
from fleet.connection import INSECURE, Connection
from fleet.membership import connect, join
from fleet.robot_folder import RobotFolder
from skills.errors import (
    ArtefactError,
    ConflictError,
    ForbiddenError,
    HubUnreachableError,
    NotFoundError,
    RequestError,
    SignatureError,
    UnauthorizedError,
    ZunftError,
)
from skills.messages.base import ErrorBody, ErrorDetail
from skills.messages.lists import CampaignQuery, RobotQuery, SkillQuery, VersionQuery
from skills.messages.robots import EnrolmentTokenRequest
from skills.messages.users import UserRequest
from skills.proof import RequestProof
from tests.eventually import eventually
from tests.fleet.conftest import Guild
from tests.fleet.lying_hub import Fault, LyingHub
from tests.fleet.small_robot import small_skill
from tests.signed_guild import TOKEN


def reply(status: int, body: bytes = b"") -> httpx.Response:
    """An answer that is not read yet, as from a network."""
    return httpx.Response(status, stream=httpx.ByteStream(body))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "a.skill"


@pytest.fixture
def client(hub: LyingHub, tmp_path: Path) -> HubClient:
    bench = RobotFolder(tmp_path)
    join(bench, hub.url, token=TOKEN, name="anna", embodiment="ur5e")
    return connect(bench)


def test_a_fetched_skill_is_the_published_one(hub: LyingHub, client: HubClient, target: Path) -> None:
    skill = small_skill()
    hub.publish(skill)
    assert client.fetch_skill(client.version("follow", "stable"), target).digest == skill.digest


def test_a_file_with_one_flipped_bit_is_refused(hub: LyingHub, client: HubClient, target: Path) -> None:
    version = hub.publish(small_skill())
    hub.faults.append(("/file", "wrong file"))
    with pytest.raises(ArtefactError, match="digest") as caught:
        client.fetch_skill(version, target)
    assert caught.value.code == "wrong_digest"


def test_another_skill_under_the_asked_name_is_refused(
    hub: LyingHub, client: HubClient, target: Path
) -> None:
    version = hub.publish(small_skill()).model_copy(update={"skill": "weld-seam"})
    with pytest.raises(ArtefactError, match="follow"):
        client.fetch_skill(version, target)


def test_no_more_is_read_than_was_announced(hub: LyingHub, client: HubClient, target: Path) -> None:
    version = hub.publish(small_skill())
    hub.faults.append(("/file", "too much"))
    with pytest.raises(ArtefactError, match="more than") as caught:
        client.fetch_skill(version, target)
    assert caught.value.code == "too_large"
    assert client.connection.traffic.received < 100_000


def test_an_announced_size_beyond_all_limits_is_not_fetched(
    hub: LyingHub, client: HubClient, target: Path
) -> None:
    version = hub.publish(small_skill()).model_copy(update={"size": 2**60})
    with pytest.raises(ArtefactError, match="allowed"):
        client.fetch_skill(version, target)
    assert not any("/file" in request for request in hub.requests)


@pytest.mark.parametrize("fault", ["503", "lose answer", "break off", "not json"])
def test_what_a_retry_may_mend_is_called_unreachable(hub: LyingHub, client: HubClient, fault: Fault) -> None:
    hub.publish(small_skill())
    hub.order(1)
    hub.faults = deque([("assignment", fault)])
    with pytest.raises(HubUnreachableError):
        client.assignment("follow")
    assert client.assignment("follow") is not None


def test_a_hub_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(HubUnreachableError, match="did not answer"):
        Connection("http://127.0.0.1:9").send("GET", "/readyz")


def test_a_hubs_refusal_comes_back_as_our_error(hub: LyingHub, client: HubClient) -> None:
    hub.refusal = ErrorDetail(
        code="round_over", message="the round is over.", where="round", remedy="Ask again."
    )
    with pytest.raises(ConflictError) as caught:
        client.push_delta("round-1", b"delta")
    assert (caught.value.code, caught.value.where, caught.value.remedy) == (
        "round_over",
        "round",
        "Ask again.",
    )


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "bad_signature", SignatureError),
        (401, "unauthorized", UnauthorizedError),
        (422, "not_finite", ArtefactError),
        (418, "teapot", RequestError),
        (429, "slow_down", HubUnreachableError),
        (500, "error", HubUnreachableError),
    ],
)
def test_each_status_and_code_has_its_class(status: int, code: str, kind: type[ZunftError]) -> None:
    body = ErrorBody(error=ErrorDetail(code=code, message="no.")).model_dump_json().encode()
    transport = httpx.MockTransport(lambda _: reply(status, body))
    with pytest.raises(kind) as caught:
        Connection("http://hub", transport=transport).send("GET", "/")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("", 0.0), ("-7", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)]
)
@pytest.mark.parametrize("body", [b"<html>", b'{"error": {"code": "too_many_requests", "message": "no."}}'])
def test_a_hub_may_say_when_to_ask_again(said: str, seconds: float, body: bytes) -> None:
    answer = reply(429, body)
    answer.headers["Retry-After"] = said
    transport = httpx.MockTransport(lambda _: answer)
    with pytest.raises(HubUnreachableError) as caught:
        Connection("http://hub", transport=transport).send("GET", "/")
    assert caught.value.retry_after == seconds


def test_an_answer_that_trickles_is_cut_off() -> None:
    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(100):
                clock[0] += 1.0
                yield b" "

    clock = [0.0]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle()))
    connection = Connection("http://hub", transport=transport, seconds=5, timer=lambda: clock[0])
    with pytest.raises(HubUnreachableError, match="trickled"):
        connection.send("GET", "/")
    assert clock[0] < 10


@pytest.mark.parametrize("address", ["", "hub", "ftp://hub", "http://", "http://[::"])
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(RequestError, match="address"):
        Connection(address)


def test_a_repeated_join_with_the_same_key_gives_the_same_robot(hub: LyingHub, tmp_path: Path) -> None:
    hub.faults.append(("/robots", "lose answer"))
    bench = RobotFolder(tmp_path)
    with pytest.raises(HubUnreachableError):
        join(bench, hub.url, token=TOKEN, name="anna", embodiment="ur5e")
    assert not bench.joined()
    identity = join(bench, hub.url, token=TOKEN, name="anna", embodiment="ur5e")
    assert identity.pinned_key == hub.key.public
    assert list(hub.robots) == [identity.robot_id]


@pytest.mark.parametrize(
    "address", ["http://hub.example:8080", "http://192.168.1.2", "http://127.0.0.1.example"]
)
def test_plain_http_to_another_machine_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INSECURE, raising=False)
    with pytest.raises(RequestError, match="--insecure") as caught:
        OperatorClient.open(address, "zt_secret")
    assert caught.value.code == "insecure_line"
    monkeypatch.setenv(INSECURE, "1")
    OperatorClient.open(address, "zt_secret").connection.close()


@pytest.mark.parametrize(
    "address", ["https://hub.example", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"]
)
def test_a_protected_line_needs_no_word(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INSECURE, raising=False)
    OperatorClient.open(address, "zt_secret").connection.close()


def test_a_robot_belongs_to_one_hub(hub: LyingHub, tmp_path: Path) -> None:
    bench = RobotFolder(tmp_path)
    join(bench, hub.url, token=TOKEN, name="anna", embodiment="ur5e")
    with pytest.raises(ConflictError, match="belongs to"):
        join(bench, "http://elsewhere:1", token=TOKEN, name="anna", embodiment="ur5e")


def test_no_request_is_signed_over_the_same_nonce(hub: LyingHub, client: HubClient) -> None:
    nonces = []

    def note(request: httpx.Request) -> httpx.Response:
        nonces.append(RequestProof.read(request.headers).nonce)
        return reply(204)

    auth = client.connection.auth
    connection = Connection(hub.url, auth=auth, transport=httpx.MockTransport(note))
    robot = HubClient(connection, client.key, client.guild)
    for _ in range(50):
        robot.assignment("follow")
    assert len(set(nonces)) == 50


def test_a_users_token_is_sent_and_never_shown() -> None:
    seen = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return reply(200, b'{"items": []}')

    client = OperatorClient.open("http://hub", "zt_secret", httpx.MockTransport(note))
    assert client.skills(SkillQuery()).items == ()
    assert seen == ["Bearer zt_secret"]
    assert "zt_secret" not in repr(client)


def test_events_are_read_line_by_line_and_resume(hub: LyingHub) -> None:
    asked = []

    def stream(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("Last-Event-ID"))
        event = '{"id":%d,"kind":"round.opened","at":"2026-01-01T00:00:00Z","data":{}}'
        text = "".join(f"id: {i}\nevent: round.opened\ndata: {event % i}\n\n" for i in (4, 5))
        return reply(200, f": alive\n\n{text}".encode())

    client = OperatorClient.open(hub.url, "zt_x", httpx.MockTransport(stream))
    assert [event.id for event in client.events(after=3)] == [4, 5]
    assert asked == ["3"]


def test_bytes_of_both_directions_are_counted(hub: LyingHub, client: HubClient, target: Path) -> None:
    version = hub.publish(small_skill())
    client.fetch_skill(version, target)
    client.push_delta("round-1", b"x" * 5000)
    assert 5000 < client.connection.traffic.sent < 7000
    assert version.size < client.connection.traffic.received < version.size + 3000


def test_the_real_hub_speaks_as_the_clients_hear(guild: Guild, tmp_path: Path) -> None:
    operator = guild.operator
    bench = RobotFolder(tmp_path)
    (token,) = guild.tokens(1)
    identity = join(bench, guild.url, token=token, name="anna", embodiment="ur5e")
    robot = connect(bench)
    assert robot.assignment("weld-seam") is None
    version = robot.version("weld-seam", "1")
    assert robot.fetch_skill(version, tmp_path / "a.skill").digest == guild.skill.digest
    assert (
        operator.fetch_skill(version, identity.pinned_key, tmp_path / "b.skill").digest == guild.skill.digest
    )
    assert [skill.name for skill in operator.skills(SkillQuery()).items] == [operator.skill("weld-seam").name]
    assert operator.versions("weld-seam", VersionQuery()).items[0].manifest == guild.skill.manifest
    assert identity.robot_id in {each.robot_id for each in operator.robots(RobotQuery()).items}
    release = operator.move_channel("weld-seam", "stable", version.version)
    eventually(lambda: operator.release("weld-seam", release.release_id).state == "released")
    assert "stable" in operator.version("weld-seam", "stable").channels
    user = operator.create_user(UserRequest(name="maria", role="researcher"))
    with pytest.raises(ForbiddenError):
        OperatorClient.open(guild.url, user.token).create_tokens(EnrolmentTokenRequest())
    with pytest.raises(UnauthorizedError):
        OperatorClient.open(guild.url, "zt_wrong").campaigns(CampaignQuery())
    with pytest.raises(NotFoundError):
        robot.version("weld-seam", "99")
    first, second = islice(operator.events(after=0), 2)
    assert first.id < second.id
    assert next(operator.events(after=first.id)) == second


def test_a_campaign_is_started_watched_and_stopped_over_the_real_hub(guild: Guild) -> None:
    campaign = guild.start_campaign(5)
    listed = guild.operator.campaigns(CampaignQuery())
    assert campaign.campaign_id in {each.campaign_id for each in listed.items}
    assert guild.operator.stop_campaign(campaign.campaign_id).state == "stopped"


def test_a_replayed_request_is_refused_by_the_real_hub(guild: Guild, tmp_path: Path) -> None:
    bench = RobotFolder(tmp_path)
    (token,) = guild.tokens(1)
    identity = join(bench, guild.url, token=token, name="ben", embodiment="ur5e")
    auth = ProofAuth(identity.robot_id, bench.key(), nonce=lambda: "always-the-same-nonce")
    robot = HubClient(Connection(guild.url, auth=auth), bench.key(), connect(bench).guild)
    robot.assignment("weld-seam")
    with pytest.raises(ZunftError) as caught:
        robot.assignment("weld-seam")
    assert caught.value.status == 401
