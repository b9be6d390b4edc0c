"""A robot's whole life with a real hub and a real cell process: joins, works, stops, is away, goes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from envs.task import load_task
from fleet.agent import AgentSettings
from fleet.runtime.cell import CellRobot, order_fault, place_of
from fleet.runtime.counters import Counters
from fleet.runtime.drive import Driven, drive
from fleet.runtime.stop import release, stop_of
from skills.errors import ConflictError
from skills.messages.reports import FleetRobot, Report
from skills.skill import Skill
from tests.chaos.proxy import Proxy
from tests.eventually import eventually
from tests.fleet.cells import cell_process
from tests.fleet.runtime.robots import Hands
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot
from tests.fleet.test_usage import SKILL
from tests.hub import conftest
from tests.hub.conftest import Hall, StubGate, ok, small_settings
from tests.hub.rollouts.halls import RING
from tests.hub.serving import serving

TASK = load_task("weld-seam")
HOUR = 3600.0
NAME = "weld-seam"


class Guild:
    """A hub on which v1 is stable and v2 is there, and the network before it."""

    def __init__(self, hall: Hall, network: Proxy) -> None:
        self.hall, self.network = hall, network
        ok(hall.publish(numbered(1)))
        hall.release(1, NAME)
        ok(hall.publish(numbered(2)))

    def joined(self, home: Path, clock: Hands) -> SmallRobot:
        return make_robot(
            home,
            f"http://127.0.0.1:{self.network.port}",
            name=home.name,
            token=ok(self.hall.post("/enrolment-tokens", {})).json()[0]["token"],
            skill=NAME,
            place=SmallPlace(contract=TASK.contract),
            settings=AgentSettings(look_seconds=0),
            clock=clock.now,
        )

    def roll_out(self, first: SmallRobot) -> str:
        """v2 comes to one robot; nobody has approved that it goes to the others."""
        rings = [{**RING, "robots": [first.bench.identity().robot_id], "approval": True}, RING]
        order = {"skill": NAME, "version": 2, "rings": rings}
        rollout_id = str(ok(self.hall.post("/rollouts", order)).json()["rollout_id"])
        eventually(lambda: self.hall.get(f"/rollouts/{rollout_id}")["state"] == "open", "an open ring")
        return rollout_id

    def abort(self, rollout_id: str) -> None:
        order = {"order": "abort", "reason": "seams too wide"}
        ok(self.hall.post(f"/rollouts/{rollout_id}/orders", order))

    def shown(self, robot: SmallRobot) -> tuple[FleetRobot, Report]:
        """A robot as operators see it, and what it said last."""
        name = robot.bench.identity().name
        found = [FleetRobot.model_validate(each) for each in self.hall.get(f"/fleet?skill={NAME}")]
        (shown,) = (each for each in found if each.name == name)
        assert shown.report is not None
        return shown, shown.report


def numbered(version: int) -> Skill:
    """Of a task that this hub does not have: its gate is a stub."""
    origin = "initial" if version == 1 else "upload"
    changes = {"version": version, "origin": origin, "task_digest": None}
    return Skill(SKILL.manifest.model_copy(update=changes), SKILL.tensors)


@contextmanager
def guild(folder: Path) -> Iterator[Guild]:
    clock = conftest.Hands()
    clock.now = datetime.now(UTC)
    settings = small_settings(folder).model_copy(update={"clock_skew_seconds": 10**9})
    hall = Hall(settings, StubGate(), clock)
    with closing(hall.client), serving(hall.app) as url:
        network = Proxy([("127.0.0.1", int(url.rpartition(":")[2]))])
        with closing(network):
            yield Guild(hall, network)


class Life:
    """A robot at work in its cell; time is virtual, and both have the same."""

    def __init__(self, robot: SmallRobot, clock: Hands, address: str) -> None:
        self.robot, self.clock, self.address, self.counters = robot, clock, address, Counters()

    def drive(self, jobs: int, after_first: str = "") -> list[Driven]:
        def tell(driven: Driven) -> None:
            if after_first == "sync" and driven.version == 1:
                self.robot.agent.step()

        robot = CellRobot(place_of(self.address), TASK.contract, self.clock, patience=60.0)
        return drive(
            self.robot.bench,
            NAME,
            robot,
            TASK.contract,
            self.clock,
            self.counters,
            jobs=jobs,
            horizon=TASK.horizon,
            tell=tell,
        )

    def fault(self, kind: str) -> None:
        order_fault(place_of(self.address), kind, 1.0, 0.5 if kind == "frozen" else 0.0)


def in_use(robot: SmallRobot) -> int:
    used = robot.bench.memory(NAME).in_use
    return used.version if used else 0


def versions(driven: list[Driven]) -> list[int]:
    return [each.version for each in driven]


def test_a_robot_s_whole_life(tmp_path: Path) -> None:
    with (
        cell_process(NAME, "--embodiment", "ur5e", "--lockstep") as (address, _),
        guild(tmp_path / "hub") as here,
    ):
        clock = Hands()
        robot, other = (here.joined(tmp_path / name, clock) for name in ("robot", "other"))
        life = Life(robot, clock, address)
        for each in (robot, other):
            each.agent.step()  # syncs
        assert (in_use(robot), in_use(other)) == (1, 1)

        assert versions(life.drive(20)) == [1] * 20

        rollout_id = here.roll_out(robot)  # while it works; what comes is taken between two jobs
        other.agent.step()
        assert versions(life.drive(3, after_first="sync")) == [1, 2, 2]
        assert in_use(other) == 1

        life.fault("frozen")
        assert [each.job.outcome for each in life.drive(5)] == ["stopped"]
        assert "fresh" in stop_of(robot.bench)
        robot.agent.step()
        assert here.shown(robot)[1].stopped
        life.fault("clear")
        with pytest.raises(ConflictError, match="fresh"):
            life.drive(1)
        assert "fresh" in release(robot.bench)
        assert versions(life.drive(1)) == [2]
        robot.agent.step()
        assert not here.shown(robot)[1].stopped

        here.network.mode = "down"  # for an hour; it works on
        here.network.break_connections()
        here.abort(rollout_id)
        here.hall.clock.advance(HOUR)
        begun = clock.time
        while clock.time < begun + HOUR:
            clock.time += max(1.0, robot.agent.step())
            assert in_use(robot) == 2
        assert "offline" in robot.phases
        assert versions(life.drive(2)) == [2, 2]
        assert here.shown(robot)[0].drifts

        here.network.mode = "pass"
        robot.agent.step()
        assert versions(life.drive(1)) == [1]
        robot.agent.step()
        shown, told = here.shown(robot)
        assert not shown.drifts
        assert (told.tally(1).jobs, told.tally(2).jobs) == (22, 6)
    counted = life.counters.as_dict()
    assert counted['zunft_robot_jobs_total{outcome="stopped"}'] == 1
    assert counted['zunft_robot_guards_total{guard="fresh"}'] >= 5
    assert told.guards["fresh"] == counted['zunft_robot_guards_total{guard="fresh"}']
