"""Small halls: an upper one over real HTTP, lower ones whose engines and bridges move when told to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hub.clock import utc_now
from hub.storage.tables.halls import HallRoundRow
from skills.messages.base import API
from skills.messages.halls import SharePlan
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.rounds import Assignment
from tests.eventually import eventually
from tests.hub.conftest import Hall, Robot, StubGate, Tensors, ok, random_tensors, small_settings, tiny_skill
from tests.hub.serving import serving
from zunft.halls.bridge import Bridge
from zunft.halls.joining import HallFolder, join_hall

TRAINING = TrainingPlan(codec="raw", clip_norm=1e6)
SUM = MergePlan(step=1.0)
SHARED = SharePlan(skill="reach", merge=SUM, gate=GatePlan(margin=0.5))


@dataclass
class Site:
    """A hall, its robots, and its bridge to a larger one."""

    hall: Hall
    robots: list[Robot]
    bridge: Bridge

    @property
    def halls(self) -> Any:
        return self.hall.services.halls

    def train(self, number: int) -> list[Tensors]:
        """Let each robot bring made-up numbers for the round that its hall gives it."""
        brought = []
        for place, robot in enumerate(self.robots):
            work = robot.assignment()
            assert work is not None
            brought.append(numbers(100 * number + place))
            ok(robot.push(work.round_id, robot.delta(work, brought[-1], samples=10 + place)))
        return brought

    def move(self, state: str) -> HallRoundRow:
        """Let bridge and engine work until the newest of the upper hall's rounds is in this state."""

        def there() -> HallRoundRow | None:
            self.bridge.step()
            self.hall.turn()
            self.hall.services.catalogue.releaser.work()
            row = newest(self.hall)
            return row if row is not None and row.state == state else None

        return eventually(there, lambda: newest(self.hall))

    def comes_down(self, digest: str) -> None:
        """Let bridge and gate work until the stable version is the upper hall's of this digest."""

        def there() -> bool:
            self.bridge.step()
            self.hall.services.catalogue.releaser.work()
            shown = self.hall.client.get(f"{API}/skills/reach/versions/stable", headers=self.hall.operator)
            return shown.is_success and shown.json()["manifest"]["parents"] == [digest]

        eventually(there, lambda: self.hall.get("/skills/reach/versions"))


def newest(hall: Hall) -> HallRoundRow | None:
    with hall.services.storage.database.read() as session:
        rows = session.query(HallRoundRow).order_by(HallRoundRow.changed_at.desc())
        return rows.first()


def numbers(seed: int) -> Tensors:
    return {name: 0.01 * each for name, each in random_tensors(tiny_skill(), seed).items()}


def lone(folder: Path) -> Hall:
    """A hall on the real clock, for its robots' metadata and signatures are."""
    return Hall(small_settings(folder), StubGate(), utc_now)  # type: ignore[arg-type] # nobody moves its hands


def hall_token(upper: Hall, allowed: int = 50) -> str:
    found: str = ok(upper.post("/enrolment-tokens", {"hall_robots": allowed})).json()[0]["token"]
    return found


def joined(hall: Hall, address: str, upper: Hall, robots: int, *, allowed: int = 50) -> Site:
    """A hall that has joined, and lets something out of its skill."""
    token = hall_token(upper, allowed)
    folder = HallFolder(hall.settings.data_dir, hall.services.halls.memberships.key)
    join_hall(hall.services.halls.memberships, folder, address, token, hall.settings.data_dir.name)
    hall.services.halls.memberships.share(SHARED)
    bridge = Bridge(hall.services.halls, folder, look_seconds=0)
    return Site(hall, [hall.enrol(f"robot {n}") for n in range(robots)], bridge)


def order(upper: Hall, **more: Any) -> str:
    merge = SUM.model_dump(mode="json")
    training = TRAINING.model_dump(mode="json")
    return upper.start(merge=merge, training=training, **more)


@contextmanager
def upper_hall(folder: Path) -> Iterator[tuple[Hall, str]]:
    """The larger hall with the skill's first version, served."""
    hall = lone(folder)
    with serving(hall.app) as address:
        ok(hall.publish(tiny_skill()))
        yield hall, address
        hall.client.close()


@contextmanager
def two_sites(folder: Path, robots: Sequence[int] = (2, 3)) -> Iterator[tuple[Hall, list[Site]]]:
    """Two halls under one."""
    with upper_hall(folder / "upper") as (upper, address):
        sites = [joined(lone(folder / f"site-{n}"), address, upper, many) for n, many in enumerate(robots)]
        yield upper, sites
        for each in sites:
            each.bridge.close()
            each.hall.close()


def mean_of(brought: Sequence[tuple[int, Tensors]]) -> Tensors:
    """The mean of deltas by their samples."""
    total = sum(samples for samples, _ in brought)
    names = brought[0][1]
    return {
        name: sum((samples * each[name] for samples, each in brought), np.zeros(1)) / total for name in names
    }


def work_of(row: HallRoundRow) -> Assignment:
    return Assignment.model_validate(row.assignment)
