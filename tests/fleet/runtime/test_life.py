"""A robot's whole life against a cell in a process of its own: joins, works, updates, stops, comes back."""

from __future__ import annotations

from pathlib import Path

from envs.task import load_task
from fleet.runtime.cell import CellRobot, order_fault, place_of
from fleet.runtime.counters import Counters
from fleet.runtime.drive import Driven, drive
from fleet.runtime.stop import release, stop_of
from skills.skill import Skill
from tests.fleet.cells import cell_process
from tests.fleet.lying_hub import LyingHub
from tests.fleet.runtime.robots import Hands
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot
from tests.fleet.test_usage import SKILL

TASK = load_task("weld-seam")
HOUR = 3600.0


def numbered(version: int) -> Skill:
    return Skill(SKILL.manifest.model_copy(update={"version": version}), SKILL.tensors)


class Life:
    """One robot, its hub and its cell; time is virtual, and all of them have the same."""

    def __init__(self, hub: LyingHub, home: Path, address: str) -> None:
        self.hub, self.clock, self.address, self.counters = hub, Hands(), address, Counters()
        place = SmallPlace(contract=TASK.contract, scores={3: 0.0})
        self.robot: SmallRobot = make_robot(
            home, hub.url, skill="weld-seam", place=place, clock=self.clock.now
        )

    def drive(self, jobs: int, after_first: str = "") -> list[Driven]:
        def tell(driven: Driven) -> None:
            if after_first == "sync" and driven.version == 1:
                self.robot.agent.step()

        robot = CellRobot(place_of(self.address), TASK.contract, self.clock, patience=60.0)
        return drive(
            self.robot.bench,
            "weld-seam",
            robot,
            TASK.contract,
            self.clock,
            self.counters,
            jobs=jobs,
            horizon=TASK.horizon,
            tell=tell,
        )

    @property
    def in_use(self) -> int:
        used = self.robot.bench.memory("weld-seam").in_use
        return used.version if used else 0


def test_a_robot_s_whole_life(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(numbered(1))
    with cell_process("weld-seam", "--embodiment", "ur5e", "--lockstep") as (address, _):
        life = Life(hub, tmp_path, address)
        life.robot.agent.step()  # syncs
        assert life.in_use == 1

        assert [each.version for each in life.drive(20)] == [1] * 20

        hub.publish(numbered(2))  # comes while it works, and is taken between two jobs
        assert [each.version for each in life.drive(3, after_first="sync")] == [1, 2, 2]

        order_fault(place_of(address), "frozen", 1.0, 0.5)
        done = life.drive(5)
        assert [each.job.outcome for each in done] == ["stopped"]
        assert "fresh" in stop_of(life.robot.bench)
        order_fault(place_of(address), "clear", 1.0, 0.0)
        assert "fresh" in release(life.robot.bench)
        assert len(life.drive(1)) == 1

        hub.down = True  # for an hour; it works on
        begun = life.clock.time
        while life.clock.time < begun + HOUR:
            life.clock.time += max(1.0, life.robot.agent.step())
            assert life.in_use == 2
        assert [each.version for each in life.drive(2)] == [2, 2]
        assert "offline" in life.robot.phases

        hub.down = False
        hub.publish(numbered(3))  # does worse in the twin
        life.robot.agent.step()
        assert life.in_use == 2
        hub.stable = 1  # the guild goes back
        life.robot.agent.step()
        assert [each.version for each in life.drive(1)] == [1]
    counted = life.counters.as_dict()
    assert counted['zunft_robot_jobs_total{outcome="stopped"}'] == 1
    assert counted['zunft_robot_guards_total{guard="fresh"}'] >= 5
