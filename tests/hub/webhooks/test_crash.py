"""A hub that is killed while it tells somebody, and another that goes on: nothing is lost."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from tests.hub.conftest import ADMIN, ok, tiny_skill
from tests.hub.running import RunningHub, running_hub
from tests.hub.webhooks.receiver import Receiver, receiving

OPERATOR = {"Authorization": f"Bearer {ADMIN}"}
SKILLS = [f"skill-{number}" for number in range(6)]


@pytest.fixture(autouse=True)
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NETWORKS": "127.0.0.0/8,::1/128",
        "PLAIN_HTTP": "true",
        "SECONDS": "1",
        "RETRY_SECONDS": "0.1",
    }.items():
        monkeypatch.setenv(f"ZUNFT_WEBHOOK_{name}", value)
    monkeypatch.setenv("ZUNFT_LEASE_SECONDS", "1")


def keep_waiting(handler: BaseHTTPRequestHandler) -> None:
    """Until the hub hangs up."""
    handler.rfile.read(1)


def hub_with_gate(folder: Path) -> AbstractContextManager[RunningHub]:
    """A process with a gate that finds everything equally good."""
    start = f"from tests.hub.replica import serve_with_trap; serve_with_trap({str(folder)!r})"
    return running_hub(folder, start=start)


def publish(hub: RunningHub, names: list[str]) -> None:
    for name in names:
        skills, data = f"{hub.address}/api/v1/skills", tiny_skill(name=name).to_bytes()
        ok(httpx.post(skills, content=data, headers=OPERATOR, timeout=60))
        stable = f"{skills}/{name}/channels/stable"
        ok(httpx.put(stable, json={"version": 1}, headers=OPERATOR, timeout=60))


def subjects(receiver: Receiver) -> list[str]:
    return [each.event["subject"].partition("/")[0] for each in receiver.told]


def test_a_hub_killed_before_during_and_after_a_message_tells_everything(tmp_path: Path) -> None:
    reached = threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        """The message is here, and the hub does not know it yet."""
        reached.set()
        keep_waiting(handler)

    with receiving() as receiver:
        with hub_with_gate(tmp_path) as hub:
            request = {"url": receiver.address}
            made = httpx.post(f"{hub.address}/api/v1/webhooks", json=request, headers=OPERATOR, timeout=60)
            receiver.secret = ok(made).json()["secret"]
            publish(hub, SKILLS[:2])
            receiver.wait_for(lambda: len(receiver.told) == 2)
            receiver.answers = [hold]
            publish(hub, SKILLS[2:3])
            assert reached.wait(30)
            hub.kill()
        with hub_with_gate(tmp_path) as hub:
            publish(hub, SKILLS[3:])
            receiver.wait_for(lambda: set(subjects(receiver)) == set(SKILLS))
            receiver.wait_for(lambda: len(receiver.told) >= len(SKILLS) + 1)
            assert hub.stop() is not None
    assert all(each.genuine for each in receiver.told)
    # What the hub had not heard the end of comes twice, under the same id; nothing else does.
    assert sorted(subjects(receiver)) == sorted([*SKILLS, SKILLS[2]])
    assert len({each.message_id for each in receiver.told}) == len(SKILLS)
    assert list(dict.fromkeys(subjects(receiver))) == SKILLS


def test_a_slow_receiver_holds_up_neither_another_nor_the_end_of_the_hub(tmp_path: Path) -> None:
    with receiving() as slow, receiving() as quick, hub_with_gate(tmp_path) as hub:
        slow.otherwise = keep_waiting
        for receiver in (slow, quick):
            request = {"url": receiver.address}
            made = httpx.post(f"{hub.address}/api/v1/webhooks", json=request, headers=OPERATOR, timeout=60)
            receiver.secret = ok(made).json()["secret"]
        publish(hub, SKILLS)
        quick.wait_for(lambda: subjects(quick) == SKILLS)
        slow.wait_for(lambda: len(slow.told) >= 1)
        hub.stop()
    assert all(each.genuine for each in (*slow.told, *quick.told))
