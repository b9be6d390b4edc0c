from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from hub.access.authenticator import Signed
from hub.access.principal import THE_HUB, Principal
from hub.api.events import _stream
from hub.rounds.assignments import Answer
from hub.storage.objects import StoreError
from skills.messages.base import API
from skills.messages.events import Event
from skills.messages.rounds import Assignment
from skills.signing import SigningKey
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, Collecting, Hall, Robot, ok, random_tensors, tiny_skill
from tests.hub.running import RunningHub, running_hub
from tests.hub.workers.test_gate import weld_skill

OPERATOR = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("running")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[RunningHub]:
    with running_hub(folder) as hub:
        yield hub


@pytest.fixture
def client(running: RunningHub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.address, headers=OPERATOR, timeout=30) as found:
        yield found


def system_time() -> datetime:
    return datetime.now(UTC)


def enrol(client: httpx.Client, name: str) -> Robot:
    token = ok(client.post(API + "/enrolment-tokens", json={})).json()[0]["token"]
    key = SigningKey.generate()
    request = {"token": token, "name": name, "embodiment": "ur5e", "public_key": key.public.text}
    robot_id = ok(client.post(API + "/robots", json=request)).json()["robot_id"]
    return Robot(client, system_time, robot_id, key)


def stream(client: httpx.Client, last: int = 0) -> Iterator[Event]:
    """Events after number `last`, as they come."""
    with client.stream("GET", API + "/events", headers={"Last-Event-ID": str(last)}) as response:
        for line in ok(response).iter_lines():
            if line.startswith("data: "):
                yield Event.model_validate_json(line.removeprefix("data: "))


def test_events_can_be_taken_up_where_they_were_left(client: httpx.Client) -> None:
    for number in range(3):
        enrol(client, f"listened to {number}")
    first = list(islice(stream(client), 2))
    second = list(islice(stream(client, first[-1].id), 1))
    ids = [event.id for event in (*first, *second)]
    assert ids == sorted(set(ids))
    assert first[0].kind == "robot.enrolled"
    assert set(first[0].data) == {"robot_id", "embodiment"}


def test_news_reach_a_listener_that_waits(client: httpx.Client) -> None:
    first = enrol(client, "before").robot_id
    heard = threading.Event()
    found: list[str] = []

    def listen() -> None:
        for event in stream(client):
            found.append(event.data["robot_id"])
            if event.data["robot_id"] == first:
                heard.set()
            elif heard.is_set():
                return

    listener = threading.Thread(target=listen)
    listener.start()
    assert heard.wait(30)
    second = enrol(client, "after").robot_id
    listener.join(30)
    assert found[-1] == second


def test_a_last_event_id_that_is_none_is_refused(client: httpx.Client) -> None:
    response = client.get(API + "/events", headers={"Last-Event-ID": "yesterday"})
    assert response.status_code == 422
    assert response.json()["error"]["where"] == "header.last-event-id"


def test_a_body_without_an_end_is_broken_off(running: RunningHub) -> None:
    host, port = running.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"POST {API}/campaigns HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(40):  # 160 kB of 64 kB allowed; the end of the body never comes
            connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
        answer = b""
        while b"}}" not in answer:
            part = connection.recv(65_536)
            assert part, answer
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"too_large"' in answer


def test_the_engine_works_by_itself(client: httpx.Client) -> None:
    skill = tiny_skill(name="other-contract", task="weld-seam")
    ok(client.post(API + "/skills", content=skill.to_bytes()))
    started = ok(client.post(API + "/campaigns", json={"skill": "other-contract"})).json()
    for event in stream(client):
        if event.kind == "campaign.failed":
            break
    campaign = ok(client.get(f"{API}/campaigns/{started['campaign_id']}")).json()
    assert campaign["state"] == "failed"
    assert "does not fit the task weld-seam" in campaign["reason"]


def test_logs_are_json_with_the_requests_id_and_without_secrets(
    running: RunningHub, client: httpx.Client
) -> None:
    ok(client.get(API + "/robots", headers={"X-Request-ID": "find-me"}))
    found = eventually(lambda: [line for line in running.log if line.get("request_id") == "find-me"])
    assert (found[0]["event"], found[0]["status"], found[0]["path"]) == ("request", 200, API + "/robots")
    assert ADMIN not in json.dumps(running.log)


def client_of(hub: RunningHub) -> httpx.Client:
    """Patient: the first job waits for a worker process."""
    return httpx.Client(base_url=hub.address, headers=OPERATOR, timeout=60)


def work_of(robot: Robot) -> Assignment:
    response = robot.request("GET", "/robots/me/assignment?skill=weld-seam&wait_seconds=30")
    return Assignment.model_validate_json(ok(response).content)


def test_a_delta_that_was_acknowledged_survives_a_kill_of_the_hub(tmp_path: Path) -> None:
    base = weld_skill(0)
    order = {
        "skill": "weld-seam",
        "rounds": 2,
        "gate": {"embodiments": ["ur5e"], "episodes": 1, "margin": 1},
    }
    with running_hub(tmp_path) as hub, client_of(hub) as client:
        ok(client.post(API + "/skills", content=base.to_bytes()))
        robots = [enrol(client, "one"), enrol(client, "two")]
        ok(client.post(API + "/campaigns", json=order))
        works = [work_of(robot) for robot in robots]
        deltas = [robots[i].delta(works[i], random_tensors(base, i)) for i in range(2)]
        assert robots[0].push(works[0].round_id, deltas[0]).status_code == 201
        hub.kill()
    with running_hub(tmp_path) as hub, client_of(hub) as client:
        for robot in robots:
            robot.client = client
        assert robots[0].push(works[0].round_id, deltas[0]).status_code == 200
        assert robots[1].push(works[1].round_id, deltas[1]).status_code == 201
        following = work_of(robots[0])
        assert (following.number, following.base.version, following.base.contributors) == (2, 2, 2)


def test_open_streams_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub, httpx.Client(base_url=hub.address, headers=OPERATOR) as client:
        enrol(client, "one")
        with client.stream("GET", API + "/events?after=0") as listening:
            next(listening.iter_lines())
            assert hub.stop() == -signal.SIGTERM  # uvicorn goes down in order, then hands the signal on
        assert hub.log[-1]["event"] == "hub.closed"


def test_a_robot_can_wait_for_work(collecting: Collecting) -> None:
    """With the engine's own thread: the answer comes when the next round opens, not at the time-out."""
    hall, robots = collecting.hall, collecting.robots
    with hall.client:
        for robot in robots:
            data = robot.delta(collecting.work, random_tensors(collecting.base, 1))
            ok(robot.push(collecting.work.round_id, data))
        response = robots[0].request("GET", "/robots/me/assignment?skill=reach&wait_seconds=30")
        assert ok(response).status_code == 200
        assert response.json()["number"] == 2


def test_a_robot_that_waits_is_asked_for_again_only_when_another_round_opens(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall, (one, two) = collecting.hall, collecting.robots
    asked: list[str] = []
    ask, ask_again = hall.services.rounds.assignments.ask, hall.services.rounds.assignments.ask_again

    async def counted(signed: Signed, skill: str, *, trains: bool) -> Answer:
        asked.append(signed.principal.name)
        return await ask(signed, skill, trains=trains)

    async def counted_again(robot: Principal, skill: str) -> Answer:
        asked.append(robot.name)
        return await ask_again(robot, skill)

    def wait() -> None:
        answers.append(one.request("GET", "/robots/me/assignment?skill=reach&wait_seconds=30"))

    answers: list[httpx.Response] = []
    monkeypatch.setattr(hall.services.rounds.assignments, "ask", counted)
    monkeypatch.setattr(hall.services.rounds.assignments, "ask_again", counted_again)
    with hall.client:
        base, round_id = collecting.base, collecting.work.round_id
        ok(one.push(round_id, one.delta(collecting.work, random_tensors(base, 1))))
        waiting = threading.Thread(target=wait)
        waiting.start()
        eventually(lambda: hall.services.storage.bell._sleepers, alive=waiting.is_alive)
        for _ in range(5):
            hall.enrol("a stranger")  # news, but not for who waits for work
        assert asked == [one.robot_id]
        ok(two.push(round_id, two.delta(collecting.work, random_tensors(base, 2))))
        waiting.join(60)
    assert ok(answers[0]).json()["number"] == 2
    assert asked == [one.robot_id] * 2


def test_a_silent_stream_says_that_it_is_alive(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.api.events.LONGEST_SILENCE", 0.01)

    async def listen() -> bytes:
        return await anext(_stream(hall.services, THE_HUB, hall.services.events.log.last()))

    assert asyncio.run(listen()) == b": ping\n\n"


def test_a_robot_that_need_not_wait_is_answered_at_once(hall: Hall) -> None:
    robot = hall.enrol("one")
    assert robot.request("GET", "/robots/me/assignment?skill=reach&wait_seconds=0").status_code == 204
    too_long = robot.request("GET", "/robots/me/assignment?skill=reach&wait_seconds=900")
    assert hall.error(too_long, 422)["where"] == "query.wait_seconds"


def test_whoever_asks_whether_the_hub_works_does_not_make_it_write_each_time(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr("hub.api.health.FRESH_SECONDS", 3600)
    monkeypatch.setattr(hall.services.storage.store, "check", lambda: looks.append("written"))
    with hall.client:
        for _ in range(20):
            ok(hall.client.get("/readyz"))
    assert looks == ["written"]


def test_the_hub_says_whether_it_can_work(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hall.error(hall.client.get("/readyz"), 503)["message"] == "the loop listener is not running."
    monkeypatch.setattr("hub.api.health.FRESH_SECONDS", 0)
    with hall.client:
        assert ok(hall.client.get("/readyz")).json() == {"status": "ok"}
        with monkeypatch.context() as patch:
            patch.setattr(hall.services.storage.store, "check", failing(StoreError("the disk is full.")))
            assert hall.error(hall.client.get("/readyz"), 503)["message"] == "the disk is full."
        with monkeypatch.context() as patch:
            patch.setattr(
                hall.services.storage.database, "check", failing(OperationalError("", None, OSError()))
            )
            assert hall.error(hall.client.get("/readyz"), 503)["where"] == "database_url"
        assert ok(hall.client.get("/healthz")).json() == {"status": "ok"}


def failing(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail


def test_two_hubs_in_one_process_know_nothing_of_each_other(hall: Hall, tmp_path: Path) -> None:
    other = Hall(hall.settings.model_copy(update={"data_dir": tmp_path / "other"}), hall.gate, hall.clock)
    ok(hall.publish(tiny_skill()))
    assert other.get("/skills") == []
    other.close()


def test_a_campaign_at_a_time_for_a_skill(collecting: Collecting) -> None:
    error = collecting.hall.error(collecting.hall.post("/campaigns", {"skill": "reach"}), 409)
    assert collecting.campaign_id in error["message"]
    ok(collecting.hall.post(f"/campaigns/{collecting.campaign_id}/stop"))
    collecting.hall.start()
    assert len(collecting.hall.get("/campaigns")) == 2


@pytest.mark.parametrize("path", ["/campaigns/c-none", "/rounds/c-none-1"])
def test_what_is_not_there_is_not_found(hall: Hall, path: str) -> None:
    hall.error(hall.client.get(API + path, headers=hall.operator), 404)


def test_a_campaign_needs_a_skill_that_is_there(hall: Hall) -> None:
    hall.error(hall.post("/campaigns", {"skill": "reach"}), 404)
    hall.error(hall.post("/campaigns/c-none/stop"), 404)


def test_the_gate_examines_the_arms_that_are_enrolled(collecting: Collecting) -> None:
    order = collecting.hall.campaign(collecting.campaign_id).order
    assert order.gate.embodiments == ("panda", "ur5e")
