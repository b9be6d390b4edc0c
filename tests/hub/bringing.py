"""What tests of transfers need: a hub with an open round for a network of some size, and who brings files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from hub.settings import Settings
from hub.storage.objects import FileStore
from hub.storage.objects.s3 import S3Store
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.rounds import Assignment
from skills.messages.uploads import UploadView
from skills.networks.mlp import Mlp
from skills.signing import delta_statement
from skills.skill import Skill
from tests.hub.conftest import Hall, Hands, Robot, StubGate, ok, random_tensors, tiny_skill

PART = 4096


def wide_skill(**changes: Any) -> Skill:
    """Of 12 kB as a skill, of 24 kB and seven parts as a raw delta."""
    return tiny_skill(network=Mlp(inputs=3, outputs=2, hidden=(300,)), **changes)


@dataclass
class Yard:
    """A hub with two robots and one open round."""

    hall: Hall
    robot: Robot
    other: Robot
    work: Assignment
    base: Skill

    def delta(self, seed: int = 1, **changes: Any) -> bytes:
        """A delta of the first robot."""
        tensors = {name: 0.1 * each for name, each in random_tensors(self.base, seed).items()}
        return self.robot.delta(self.work, tensors, **changes)

    def announcement(self, data: bytes, **changes: Any) -> dict[str, Any]:
        """What the first robot says before it brings a delta."""
        signature = self.robot.key.sign(delta_statement(digest_of(data)))
        purpose = {"kind": "delta", "round_id": self.work.round_id, "signature": signature}
        return {"digest": digest_of(data), "size": len(data), "purpose": purpose, **changes}

    def announce(self, data: bytes, *, by: Robot | None = None, **changes: Any) -> httpx.Response:
        """Announce a delta."""
        return send_json(by or self.robot, "POST", "/uploads", self.announcement(data, **changes))

    def view(self, data: bytes) -> UploadView:
        """How far a delta got."""
        return UploadView.model_validate_json(ok(self.announce(data)).content)

    def bring(self, data: bytes, view: UploadView, numbers: Iterable[int] | None = None) -> None:
        """PUT parts, by default those that are missing."""
        layout = {number: slice((number - 1) * PART, number * PART) for number in range(1, 100)}
        for number in numbers or [part.number for part in view.missing]:
            self.put(view.upload_id, number, data[layout[number]])

    def put(self, upload_id: str, number: int, data: bytes) -> httpx.Response:
        """PUT one part."""
        return self.robot.request("PUT", f"/uploads/{upload_id}/parts/{number}", data)

    def complete(self, view: UploadView) -> httpx.Response:
        """All parts are there."""
        return self.robot.request("POST", f"/uploads/{view.upload_id}/complete")

    def stored(self) -> set[str]:
        """Everything in the store: blobs and parts."""
        return everything_in(self.hall)


def open_yard(settings: Settings, clock: Hands) -> Yard:
    """Start the hub and its round."""
    hall = Hall(settings.model_copy(update={"part_size": PART}), StubGate(), clock)
    hall.services.storage.store.check()
    base = wide_skill()
    ok(hall.publish(base))
    robots = (hall.enrol("one"), hall.enrol("two", "panda"))
    hall.start(deadline_seconds=200_000)
    hall.turn()
    work = robots[0].assignment()
    if work is None:
        raise RuntimeError("no work")
    return Yard(hall, *robots, work, base)


def send_json(robot: Robot, method: str, path: str, message: Any) -> httpx.Response:
    """A signed message."""
    return robot.request(method, path, json.dumps(message).encode(), **{"Content-Type": "application/json"})


def everything_in(hall: Hall) -> set[str]:
    """Paths of all that the hub's store has."""
    store = hall.services.storage.store
    if isinstance(store, S3Store):
        return {path for path, _ in store._bucket.list("")}
    if not isinstance(store, FileStore):
        raise TypeError(store)
    return {str(path.relative_to(store._root)) for path in store._root.rglob("*") if path.is_file()}


def user(hall: Hall, role: str) -> dict[str, str]:
    """Headers of a new user."""
    token = ok(hall.post("/users", {"name": f"a {role}", "role": role})).json()["token"]
    return {"Authorization": f"Bearer {token}"}


def publish_in_parts(hall: Hall, skill: Skill, headers: dict[str, str]) -> httpx.Response:
    """Announce a skill, bring its parts, complete it."""
    data = skill.to_bytes()
    request = {"digest": skill.digest, "size": len(data), "purpose": {"kind": "skill"}}
    answer = ok(hall.client.post(f"{API}/uploads", json=request, headers=headers))
    view = UploadView.model_validate_json(answer.content)
    for part in view.missing:
        piece = data[part.offset : part.offset + part.size]
        path = f"{API}/uploads/{view.upload_id}/parts/{part.number}"
        ok(hall.client.put(path, content=piece, headers=headers))
    return hall.client.post(f"{API}/uploads/{view.upload_id}/complete", headers=headers)
