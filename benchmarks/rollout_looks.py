"""What a roll-out costs the hub while it waits: `python -m benchmarks.rollout_looks`, a minute.

10,000 robots report the new version; in process, on SQLite, processor time alone. A look of the engine reads
what is new and finds that nothing is due; before a roll-out changes its state all reports are read.
docs/rollouts.md shows the figures. That robots' reports are heard is `benchmarks.hub`'s to measure.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import insert, update

from benchmarks.rollout import passes
from benchmarks.rollout_fleet import SKILL, version
from benchmarks.rollout_report import ARMS, LOOKS
from hub.access.principal import Principal
from hub.rollouts.facts import seen_of
from hub.services import Services, open_services
from hub.settings import Settings
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rollouts import ReportRow, RolloutRow
from skills.messages.reports import Report, Tally
from skills.messages.rollouts import RingPlan, RolloutRequest

ROBOTS, NEW, TIMES = 10_000, 100, 9
BY = Principal("olga", "operator", "guild")


class Later:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def go_on(self) -> None:
        """By so much that reports of the look before are old."""
        self.now += timedelta(seconds=30)


def rolled_out(hub: Services, clock: Later) -> str:
    """A roll-out to all robots at once that is open, and goes on only after a day."""
    for number in (1, 2):
        with hub.storage.spool.file() as file:
            file.write(version(number).to_bytes())
            hub.catalogue.skills.publish(file, by=BY)
    hub.catalogue.releases.move(SKILL, "stable", 1, by=BY)
    hub.catalogue.releaser.work()
    with hub.storage.database.write() as session:
        robots = [
            {
                "robot_id": _robot(number),
                "name": f"robot {number}",
                "organisation": "guild",
                "embodiment": ARMS[number % len(ARMS)],
                "public_key": f"ed25519:{number}",
                "enrolled_at": clock.now,
            }
            for number in range(ROBOTS)
        ]
        session.execute(insert(RobotRow), robots)
        asked = [{"robot_id": each["robot_id"], "skill": SKILL, "asked_at": clock.now} for each in robots]
        session.execute(insert(InterestRow), asked)
    clock.go_on()
    request = RolloutRequest(skill=SKILL, version=2, rings=(RingPlan(least_seconds=86_400),))
    rollout_id = hub.rollouts.orders.start(request, by=BY).rollout_id
    if not hub.rollouts.engine.run_once():
        raise RuntimeError("the roll-out is not open")
    return rollout_id


def _robot(number: int) -> str:
    return f"r-{number:012x}"


def said(rng: np.random.Generator) -> dict[str, Any]:
    """What a robot says that has done 30 jobs with each version."""
    done = ["".join("01"[int(good)] for good in rng.random(30) < 0.9) for _ in range(2)]
    tallies = tuple(
        Tally(version=number, done=jobs.count("1"), failed=jobs.count("0"), first=jobs)
        for number, jobs in enumerate(done, 1)
    )
    return Report(skill=SKILL, version=2, tallies=tallies).model_dump(mode="json")


def measured(hub: Services, clock: Later, rollout_id: str) -> dict[str, Any]:
    """Seconds of processor time, each the median of some."""
    rng = np.random.default_rng(0)
    rows = [
        {"robot_id": _robot(number), "skill": SKILL, "version": 2, "said": said(rng), "heard_at": clock.now}
        for number in range(ROBOTS)
    ]
    with hub.storage.database.write() as session:
        session.execute(insert(ReportRow), rows)

    def look() -> float:
        began = time.process_time()
        moved = hub.rollouts.engine.run_once()
        took = time.process_time() - began
        if moved:
            raise RuntimeError("the roll-out moved on")
        return took

    def idle() -> float:
        clock.go_on()
        return look()

    def busy() -> float:
        clock.go_on()
        with hub.storage.database.write() as session:
            for number in rng.permutation(ROBOTS)[:NEW]:
                row = update(ReportRow).where(ReportRow.robot_id == _robot(int(number)))
                session.execute(row.values(said=said(rng), heard_at=clock.now))
        return look()

    def deciding() -> float:
        with hub.storage.database.read() as session:
            row = session.get_one(RolloutRow, rollout_id)
            began = time.process_time()
            _, figures = seen_of(session, row, clock.now)
            took = time.process_time() - began
        if figures.using != ROBOTS:
            raise RuntimeError(f"{figures.using} robots count, not {ROBOTS}")
        return took

    look()  # the first one reads all
    return {
        "robots": ROBOTS,
        "new": NEW,
        "idle": _median(idle),
        "busy": _median(busy),
        "deciding": _median(deciding),
    }


def _median(measure: Callable[[], float]) -> float:
    return round(statistics.median(measure() for _ in range(TIMES)), 4)


def main() -> None:
    """Measure, and keep it."""
    clock = Later()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"data_dir": folder, "admin_token": "zt_for-benchmarks-only", "merge_device": "cpu"}
        hub = open_services(Settings.model_validate(settings), gate=passes, clock=clock)
        try:
            found = measured(hub, clock, rolled_out(hub, clock))
        finally:
            hub.close()
    LOOKS.write_text(json.dumps(found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    main()
