"""Kills a hall at the lines of its work in a larger hall, and looks at what a second process makes of it.

Started by test_crash as a process of its own, as tests.hub.crash is. The larger hall is in the same process,
so that both are gone at once: `python -m tests.zunft.halls.crash FOLDER STRIDE`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select

import hub.halls
import zunft.halls
from hub.access.principal import Principal
from hub.app import create_app
from hub.services import Services
from hub.settings import Settings
from hub.storage.tables.halls import AdoptedRow, HallRoundRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow
from hub.storage.tables.skills import VersionRow
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader
from skills.messages.campaigns import CampaignRequest
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.signing import SigningKey, delta_statement
from tests.hub.conftest import ADMIN, StubGate, publish_file, tiny_skill
from tests.hub.crash import OPERATOR, get_ready, in_child, killed_at_each_line
from tests.zunft.halls.sites import SHARED, SUM, TRAINING, numbers
from zunft.halls.bridge import Bridge
from zunft.halls.joining import HallFolder, join_hall

BRIDGE = {
    str(path)
    for package in (hub.halls, zunft.halls)
    for path in Path(str(package.__file__)).parent.glob("*.py")
    if path.stem not in {"wiring", "loop", "share", "leaving"}
}
UPPER = "http://upper"
TURNS = 60


def open_hall(folder: Path, later: float) -> FastAPI:
    settings = Settings.model_validate(
        {"data_dir": folder, "console": False, "admin_token": ADMIN, "merge_device": "cpu", "metrics": False}
    )
    return create_app(settings, gate=StubGate(), clock=lambda: datetime.now(UTC) + timedelta(seconds=later))


class Both:
    """The two halls of a folder, and what is between them."""

    def __init__(self, folder: Path, later: float = 0.0) -> None:
        self.upper, self.lower = (open_hall(folder / name, later) for name in ("upper", "lower"))
        self.above: Services = self.upper.state.services
        self.below: Services = self.lower.state.services
        self.line = TestClient(self.upper)._transport
        self.folder = HallFolder(folder / "lower", self.below.halls.memberships.key)

    def key(self, number: int) -> SigningKey:
        """Of a robot of the lower hall."""
        return SigningKey.load_or_create(self.folder.home.parent.parent / f"robot-{number}.pem")

    def turn(self, robots: list[str], bridge: Bridge) -> None:
        """All do the next thing."""
        bridge.step()
        while self.below.rounds.engine.run_once():
            pass
        for number, robot in enumerate(robots):
            bring(self.below, number, robot, self.key(number))
        while self.above.rounds.engine.run_once():
            pass
        self.below.catalogue.releaser.work()


def bring(hall: Services, number: int, robot: str, key: SigningKey) -> None:
    """A robot does what its hall asks for."""
    principal = Principal(robot, "robot", "guild")
    work = hall.rounds.assignments.assignment(principal, "reach")
    if work is None:
        return
    header = DeltaHeader(
        base=work.base.digest, round_id=work.round_id, robot_id=robot, codec="raw", samples=10 + number
    )
    data = Delta(header, numbers(number)).to_bytes()
    with hall.storage.spool.file() as file:
        file.write(data)
        hall.deltas.admission.admit(
            work.round_id, file, key.sign(delta_statement(digest_of(data))), principal
        )


def prepare(folder: Path) -> list[str]:
    """A hall of two robots under another one, which has begun a campaign of one round."""
    both = Both(folder)
    publish_file(both.above, tiny_skill().to_bytes(), OPERATOR)
    request = EnrolmentTokenRequest(hall_robots=9)
    token = both.above.robots.enrolment.create_tokens(request, by=OPERATOR)[0].token
    memberships = both.below.halls.memberships
    join_hall(memberships, both.folder, UPPER, token, "a hall", both.line)
    memberships.share(SHARED.model_copy(update={"quorum": 2, "target": 2}))
    robots = []
    for number in range(2):
        key = both.key(number)
        token = both.below.robots.enrolment.create_tokens(EnrolmentTokenRequest(), by=OPERATOR)[0].token
        enrolled = both.below.robots.enrolment.enrol(
            EnrolmentRequest(
                token=token, name=f"robot {number}", embodiment="ur5e", public_key=key.public.text
            )
        )
        robots.append(enrolled.robot_id)
    order = CampaignRequest(
        skill="reach", rounds=1, quorum=1, training=TRAINING, merge=SUM, deadline_seconds=100_000
    )
    both.above.rounds.campaigns.start(order, by=OPERATOR)
    return robots


def outcome(both: Both, robots: list[str]) -> list[Any]:
    """Everything that must not depend on crashes."""
    bridge = Bridge(both.below.halls, both.folder, transport=both.line, look_seconds=0)
    for _ in range(TURNS):
        both.turn(robots, bridge)
        if is_done(both):
            break
    with both.above.storage.database.read() as session:
        merged = session.scalars(select(VersionRow).order_by(VersionRow.number)).all()[-1].digest
        deltas = [(each.digest, each.robots, each.samples) for each in session.scalars(select(DeltaRow))]
    with both.below.storage.database.read() as session:
        rounds = [(row.state, row.delta) for row in session.scalars(select(HallRoundRow))]
        counts = [
            session.scalar(select(func.count()).select_from(table))
            for table in (CampaignRow, DeltaRow, AdoptedRow, VersionRow)
        ]
    return [merged, deltas, rounds, counts, is_done(both)]


def is_done(both: Both) -> bool:
    """Whether the upper hall's second version is the lower one's stable one."""
    with both.above.storage.database.read() as session:
        digests = session.scalars(select(VersionRow.digest).order_by(VersionRow.number)).all()
    adopted = both.below.halls.adoption.adopted(digests[-1])
    if len(digests) < 2 or adopted is None:
        return False
    return both.below.catalogue.skills.version("reach", "stable", OPERATOR).version == adopted.number


def crash(folder: Path, stride: int) -> dict[str, Any]:
    """Kill both at each line of the bridge; others must come to the same."""
    robots = in_child(lambda: prepare(folder / "start"))

    def work(name: str, later: float = 0) -> list[Any]:
        return outcome(Both(folder / name, later), robots)

    return killed_at_each_line(folder, stride, work, BRIDGE)


if __name__ == "__main__":
    get_ready()
    sys.stdout.write(json.dumps(crash(Path(sys.argv[1]), int(sys.argv[2]))))
