"""Quotas: each refused where it should be, counted as it should be, and not to be passed by racing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from hub.access.principal import Principal
from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.notify import Bell
from hub.storage.tables.rounds import DeltaRow
from hub.storage.tables.skills import VersionRow
from skills.errors import ZunftError
from skills.messages.base import API
from skills.messages.campaigns import CampaignRequest
from skills.messages.robots import EnrolmentRequest
from skills.signing import SigningKey, delta_statement
from tests.hub.conftest import (
    ADMIN,
    Collecting,
    Hall,
    Hands,
    Robot,
    StubGate,
    ok,
    publish_file,
    random_tensors,
    tiny_skill,
)
from tests.hub.running import running_hub
from tests.hub.servers import postgres

HOUR = 3600
ADA = Principal("ada", "operator", "guild")


def limit(hall: Hall, name: str = "guild", **quotas: int | None) -> None:
    wanted = {"visibility": "guild", "quotas": quotas}
    ok(hall.client.put(f"{API}/organisations/{name}", json=wanted, headers=hall.operator))


def shown(hall: Hall) -> tuple[dict[str, int], dict[str, int | None]]:
    view = hall.get("/organisations/guild")
    return view["use"], view["quotas"]


def delta_of(at: Collecting, number: int, seed: int = 1, **changes: Any) -> bytes:
    return at.robots[number].delta(at.work, random_tensors(at.base, seed), **changes)


def test_a_new_organisation_may_bring_what_is_usual_until_an_admin_says_otherwise(
    settings: Settings, clock: Hands
) -> None:
    usual = {"quota_uploads": 2, "quota_storage": 10**6}
    hall = Hall(settings.model_copy(update=usual), StubGate(), clock)
    with hall.client:
        _, quotas = shown(hall)
        assert (quotas["uploads_per_hour"], quotas["storage_bytes"]) == (2, 10**6)
        for number in range(2):
            ok(hall.publish(tiny_skill(name=f"s{number}")))
        refused = hall.error(hall.publish(tiny_skill(name="s2")), 429)
        assert refused["code"] == "quota_uploads"
        assert "admin" in refused["remedy"]
        limit(hall, uploads_per_hour=None, storage_bytes=None)
        ok(hall.publish(tiny_skill(name="s2")))
        assert shown(hall)[1]["storage_bytes"] is None
    hall.close()


def test_robots_are_limited_and_the_token_stays_good(hall: Hall) -> None:
    limit(hall, robots=1)
    hall.enrol("one")
    token = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    public = SigningKey.generate().public.text
    request = {"token": token, "name": "two", "embodiment": "ur5e", "public_key": public}
    error = hall.error(hall.post("/robots", request), 403)
    assert error["code"] == "quota_robots"
    assert "--robots 2" in error["remedy"]
    limit(hall, robots=2)
    first = ok(hall.post("/robots", request)).json()
    assert ok(hall.post("/robots", request)).json() == first  # asked again, it is no third robot
    assert shown(hall)[0]["robots"] == 2


def test_another_organisation_has_limits_of_its_own(hall: Hall) -> None:
    limit(hall, robots=0)
    hall.organisation("North", quotas={"robots": 1})
    hall.enrol("one", organisation="North")
    token = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    public = SigningKey.generate().public.text
    request = {"token": token, "name": "two", "embodiment": "ur5e", "public_key": public}
    hall.error(hall.post("/robots", request), 403)


def test_campaigns_that_run_are_limited(hall: Hall) -> None:
    for name in ("one", "two"):
        ok(hall.publish(tiny_skill(name=name)))
    limit(hall, campaigns=1)
    first = hall.start(skill="one")
    assert hall.error(hall.post("/campaigns", {"skill": "two"}), 403)["code"] == "quota_campaigns"
    ok(hall.post(f"/campaigns/{first}/stop"))
    hall.start(skill="two")
    assert shown(hall)[0]["campaigns"] == 1


def test_storage_is_what_skills_and_deltas_take_up(collecting: Collecting) -> None:
    hall = collecting.hall
    ok(collecting.robots[0].push(collecting.work.round_id, delta_of(collecting, 0)))
    ok(collecting.robots[1].push(collecting.work.round_id, delta_of(collecting, 1)))
    hall.turn()
    ok(hall.publish(tiny_skill(version=3, seed=9)))
    assert shown(hall)[0]["storage_bytes"] == stored(hall) > 0


def stored(hall: Hall) -> int:
    with hall.services.storage.database.read() as session:
        sizes = [session.scalar(select(func.sum(column))) for column in (VersionRow.size, DeltaRow.size)]
    return sum(int(size or 0) for size in sizes)


def test_what_has_no_room_is_refused_and_leaves_nothing(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    data, before = delta_of(collecting, 0), hall.trace()
    limit(hall, storage_bytes=stored(hall) + len(data) - 1)
    for answer in (robot.push(collecting.work.round_id, data), hall.publish(tiny_skill(name="second"))):
        assert hall.error(answer, 413)["code"] == "quota_storage"
    assert hall.trace() == before
    limit(hall, storage_bytes=stored(hall) + len(data))
    ok(robot.push(collecting.work.round_id, data))
    assert robot.push(collecting.work.round_id, data).status_code == 200
    used, limits = shown(hall)
    assert used["storage_bytes"] == limits["storage_bytes"] == stored(hall)


def test_the_owner_of_a_skill_pays_for_the_room_and_the_sender_for_the_upload(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    hall.organisation("North", quotas={"storage_bytes": 0, "uploads_per_hour": 1})
    robot = hall.enrol("one", organisation="North")
    hall.start(quorum=1, target=1)
    for status in (201, 429):
        hall.turn()
        work = robot.assignment()
        assert work is not None
        answer = robot.push(work.round_id, robot.delta(work, random_tensors(base, 1)))
        assert answer.status_code == status
    assert hall.error(answer, 429)["code"] == "quota_uploads"
    assert shown(hall)[0]["storage_bytes"] == stored(hall)


def test_a_candidate_without_room_fails_its_round_and_leaves_no_file(collecting: Collecting) -> None:
    hall = collecting.hall
    for number in (0, 1):
        ok(collecting.robots[number].push(collecting.work.round_id, delta_of(collecting, number)))
    limit(hall, storage_bytes=stored(hall))
    before = hall.blobs()
    hall.turn()
    found = hall.campaign(collecting.campaign_id).rounds[0]
    assert (found.state, len(hall.get("/skills/reach/versions"))) == ("failed", 1)
    assert "has no room" in found.waiting_for
    hall.tidy()
    assert hall.blobs() == before
    assert shown(hall)[0]["storage_bytes"] == stored(hall)


def test_uploads_are_limited_by_the_hour(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = [hall.enrol("one"), hall.enrol("two")]
    hall.start(deadline_seconds=10 * HOUR, target=2)
    hall.turn()
    deltas = [delta_for(robot, base) for robot in robots]
    work = robots[0].assignment()
    assert work is not None
    hall.clock.advance(HOUR)  # since the skill was published
    limit(hall, uploads_per_hour=2)
    ok(robots[0].push(work.round_id, deltas[0]))
    hall.clock.advance(600)
    ok(hall.publish(tiny_skill(version=2, seed=3)))
    late = robots[1].push(work.round_id, deltas[1])
    assert hall.error(late, 429)["code"] == "quota_uploads"
    assert int(late.headers["retry-after"]) == HOUR - 600
    assert hall.error(hall.publish(tiny_skill(version=3, seed=3)), 429)["code"] == "quota_uploads"
    # What is in already is no upload.
    assert robots[0].push(work.round_id, deltas[0]).status_code == 200
    assert hall.publish(tiny_skill(version=2, seed=3)).status_code == 200
    assert shown(hall)[0]["uploads_per_hour"] == 2
    hall.clock.advance(HOUR - 600)
    ok(robots[1].push(work.round_id, deltas[1]))


def test_a_limit_of_none_is_none_and_of_zero_is_all_shut(hall: Hall) -> None:
    limit(hall, uploads_per_hour=0)
    refused = hall.publish(tiny_skill())
    assert hall.error(refused, 429)["code"] == "quota_uploads"
    assert int(refused.headers["retry-after"]) == HOUR
    limit(hall, uploads_per_hour=None)
    ok(hall.publish(tiny_skill()))


def test_bodies_over_the_organisations_size_are_refused(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    data, skill = delta_of(collecting, 0), tiny_skill(version=2, seed=1)
    limit(hall, delta_bytes=len(data) - 1, skill_bytes=len(skill.to_bytes()) - 1)
    answers = {"quota_delta_bytes": robot.push(collecting.work.round_id, data)}
    answers["quota_skill_bytes"] = hall.publish(skill)
    for code, answer in answers.items():
        assert hall.error(answer, 413)["code"] == code
    limit(hall, delta_bytes=len(data), skill_bytes=len(skill.to_bytes()))
    ok(robot.push(collecting.work.round_id, data))
    ok(hall.publish(skill))


def test_a_body_over_the_organisations_size_is_not_read(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub, httpx.Client(base_url=hub.address) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN}"
        wanted = {"quotas": {"skill_bytes": 10_000}}
        ok(client.put(f"{API}/organisations/guild", json=wanted))
        host, port = hub.address.removeprefix("http://").split(":")
        for length in ("Content-Length: 20000", "Transfer-Encoding: chunked"):
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                head = f"POST {API}/skills HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN}\r\n"
                connection.sendall(f"{head}{length}\r\n\r\n".encode())
                if "chunked" in length:
                    connection.sendall(3 * (b"1000\r\n" + bytes(4096) + b"\r\n"))  # its end never comes
                answer = b""
                while b"}}" not in answer:
                    part = connection.recv(65_536)
                    assert part, answer
                    answer += part
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b'"quota_skill_bytes"' in answer


def test_refusals_are_counted_by_quota(hall: Hall) -> None:
    limit(hall, storage_bytes=0)
    hall.error(hall.publish(tiny_skill()), 413)
    page = hall.client.get("/metrics", headers=hall.operator).text
    assert 'zunft_http_refusals_total{code="quota_storage",route="/api/v1/skills"} 1.0' in page


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, settings: Settings, clock: Hands) -> Iterator[Hall]:
    """A hub on either database, to be used from many threads."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        database = Database(url, Bell())
        with database.write() as session:
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
        database.close()
    found = Hall(settings.model_copy(update={"database_url": url}), StubGate(), clock)
    yield found
    found.close()


RACERS, PLACES = 8, 3


def race(work: Callable[[int], object]) -> list[str]:
    """All at once; the codes of the refusals."""
    start = threading.Barrier(RACERS)

    def run(number: int) -> str:
        start.wait()
        try:
            work(number)
        except ZunftError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(RACERS) as threads:
        return sorted(filter(None, threads.map(run, range(RACERS))))


def refused(code: str) -> list[str]:
    return [code] * (RACERS - PLACES)


def test_storage_cannot_be_passed_by_racing(busy: Hall) -> None:
    skills = [tiny_skill(name=f"skill-{number}") for number in range(RACERS)]
    size = len(skills[0].to_bytes())
    limit(busy, storage_bytes=PLACES * size + size // 2)
    codes = race(lambda i: publish_file(busy.services, skills[i].to_bytes(), ADA))
    assert codes == refused("quota_storage")
    busy.tidy()
    assert len(busy.blobs()) == len(busy.get("/skills")) == PLACES
    assert shown(busy)[0]["storage_bytes"] == stored(busy) == PLACES * size


def test_robots_and_campaigns_cannot_be_passed_by_racing(busy: Hall) -> None:
    for number in range(RACERS):
        ok(busy.publish(tiny_skill(name=f"skill-{number}")))
    limit(busy, robots=PLACES, campaigns=PLACES)
    tokens = [made["token"] for made in ok(busy.post("/enrolment-tokens", {"count": RACERS})).json()]
    enrolments = [
        EnrolmentRequest(
            token=token, name="r", embodiment="ur5e", public_key=SigningKey.generate().public.text
        )
        for token in tokens
    ]
    assert race(lambda i: busy.services.robots.enrolment.enrol(enrolments[i])) == refused("quota_robots")
    start = busy.services.rounds.campaigns.start
    orders = [CampaignRequest(skill=f"skill-{number}") for number in range(RACERS)]
    assert race(lambda i: start(orders[i], by=ADA)) == refused("quota_campaigns")
    used, _ = shown(busy)
    assert (used["robots"], used["campaigns"]) == (PLACES, PLACES)


def test_uploads_and_room_for_deltas_cannot_be_passed_by_racing(busy: Hall) -> None:
    base = tiny_skill()
    ok(busy.publish(base))
    robots = [busy.enrol(f"robot {number}") for number in range(RACERS)]
    busy.start(target=RACERS)
    busy.turn()
    deltas = [delta_for(robot, base) for robot in robots]
    before = busy.blobs()
    busy.clock.advance(30)
    limit(busy, uploads_per_hour=PLACES + 1)  # the skill is one
    admit, work = busy.services.deltas.admission.admit, robots[0].assignment()
    assert work is not None

    def push(number: int) -> None:
        robot, data = robots[number], deltas[number]
        with busy.services.storage.spool.file() as file:
            file.write(data)
            signature = robot.key.sign(delta_statement(file.digest))
            admit(work.round_id, file, signature, Principal(robot.robot_id, "robot", "guild"))

    assert race(push) == refused("quota_uploads")
    busy.tidy()
    assert len(busy.blobs() - before) == busy.round(work.round_id).deltas == PLACES
    limit(busy, storage_bytes=stored(busy) + len(deltas[0]) + 10)
    codes = race(push)
    assert codes == ["quota_storage"] * (RACERS - PLACES - 1)
    busy.tidy()
    assert len(busy.blobs() - before) == busy.round(work.round_id).deltas == PLACES + 1
    assert shown(busy)[0]["storage_bytes"] == stored(busy)


@pytest.mark.parametrize("same", [True, False])
def test_a_new_name_goes_to_one_of_those_who_race_for_it(busy: Hall, same: bool) -> None:
    users = []
    for number in range(RACERS):
        busy.organisation(f"place {number}")
        users.append(Principal("ada", "researcher", f"place {number}"))
    files = [tiny_skill(seed=0 if same else number).to_bytes() for number in range(RACERS)]
    codes = race(lambda i: publish_file(busy.services, files[i], users[i]))
    assert len(codes) == RACERS - 1
    assert set(codes) <= {"name_taken", "conflict"}
    busy.tidy()
    assert busy.blobs() == {busy.version(1).digest[9:]}


def delta_for(robot: Robot, base: Any) -> bytes:
    work = robot.assignment()
    assert work is not None
    return robot.delta(work, random_tensors(base, 1))
