"""Kills a hub at the lines of a roll-out, and looks at what a second process makes of it.

Started by test_crash as a process of its own, as tests.hub.crash is:
`python -m tests.hub.rollouts.crash good|bad FOLDER STRIDE`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from hub import rollouts
from hub.access.principal import Principal
from hub.services import Services
from hub.storage.tables.events import EventRow
from skills.messages.reports import Report
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.messages.rollouts import RingPlan, RolloutRequest
from skills.signing import SigningKey
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.crash import OPERATOR, get_ready, in_child, killed_at_each_line, open_hub
from tests.hub.rollouts.halls import tally

ROLLOUTS = {str(path) for path in Path(str(rollouts.__file__)).parent.glob("*.py")}
RING = RingPlan(least_seconds=0, least_jobs=4, margin=0.9, arm_margin=0.9)


def prepare(folder: Path, new: str) -> str:
    """v1 is stable, v2 to be rolled out in two rings; robots have said already how that will go."""
    hub = open_hub(folder)
    publish_file(hub, tiny_skill().to_bytes(), OPERATOR)
    hub.catalogue.releases.move("reach", "stable", 1, by=OPERATOR)
    hub.catalogue.releaser.work()
    publish_file(hub, tiny_skill(version=2, seed=2).to_bytes(), OPERATOR)
    for number in range(4):
        token = hub.robots.enrolment.create_tokens(EnrolmentTokenRequest(), by=OPERATOR)[0].token
        request = EnrolmentRequest(
            token=token,
            name=f"robot {number}",
            embodiment="ur5e",
            public_key=SigningKey.generate().public.text,
        )
        robot = Principal(hub.robots.enrolment.enrol(request).robot_id, "robot", "guild")
        hub.rounds.assignments.assignment(robot, "reach")
        report = Report(skill="reach", version=2, tallies=(tally(1, "1" * 30), tally(2, new)))
        asyncio.run(hub.rollouts.reports.hear(report.model_dump_json(), "reach", robot))
    rings = (RING.model_copy(update={"share": 0.5}), RING)
    order = RolloutRequest(skill="reach", version=2, rings=rings)
    return hub.rollouts.orders.start(order, by=OPERATOR).rollout_id


def outcome(hub: Services, rollout_id: str) -> list[Any]:
    """Everything that must not depend on crashes."""
    while hub.rollouts.engine.run_once():
        pass
    found = hub.rollouts.orders.rollout(rollout_id, OPERATOR)
    stable = hub.catalogue.skills.version("reach", "stable", OPERATOR).version
    with hub.storage.database.read() as session:
        told = select(EventRow.kind, func.count()).where(EventRow.kind.startswith("rollout."))
        events = {row[0]: row[1] for row in session.execute(told.group_by(EventRow.kind))}
    return [found.state, found.ring, [each.event for each in found.steps], stable, events]


def crash(folder: Path, new: str, stride: int) -> dict[str, Any]:
    """Kill the engine at each of its lines; a second engine must come to the same."""
    rollout_id = in_child(lambda: prepare(folder / "start", new))

    def work(name: str, later: float = 0) -> list[Any]:
        return outcome(open_hub(folder / name, later=later), rollout_id)

    return killed_at_each_line(folder, stride, work, ROLLOUTS)


if __name__ == "__main__":
    get_ready()
    kind, where, step = sys.argv[1:]
    sys.stdout.write(json.dumps(crash(Path(where), ("1" if kind == "good" else "0") * 30, int(step))))
