"""`zunft robot drive`: the version in use at work; a stop stays until somebody releases the robot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from envs.single import TaskEnv
from envs.task import load_task
from fleet.place import RobotError
from fleet.reporting import report_of
from fleet.robot_folder import Memory, RobotFolder, SkillInUse
from fleet.runtime.counters import Counters
from fleet.runtime.drive import Driven, drive
from fleet.runtime.environment import EnvironmentRobot
from fleet.runtime.stop import release, stop_of
from skills.errors import ConflictError, NotFoundError
from skills.onnx_policy import OnnxPolicy
from skills.skill import Skill
from tests.fleet.cells import cell_process
from tests.fleet.lying_hub import LyingHub
from tests.fleet.own_robots import make_good
from tests.fleet.runtime.robots import Hands
from tests.fleet.test_usage import SKILL, Zunft, bench, keep, zunft

__all__ = ["bench", "zunft"]

TASK = load_task("weld-seam")
NEWER = Skill(SKILL.manifest.model_copy(update={"version": 2}), SKILL.tensors)


def use(bench: RobotFolder, skill: Skill) -> None:
    file = bench.skill_file(skill.digest)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(skill.to_bytes())
    bench.keep_memory("weld-seam", Memory().use(skill.digest, skill.manifest.version))


def use_later(bench: RobotFolder, skill: Skill) -> None:
    bench.skill_file(skill.digest).write_bytes(skill.to_bytes())
    waiting = SkillInUse(digest=skill.digest, version=skill.manifest.version)
    bench.keep_memory("weld-seam", bench.memory("weld-seam").wait(waiting))


class Rig:
    """The twin, driven as fast as it goes."""

    def __init__(self, folder: RobotFolder, env: gymnasium.Env[Any, Any] | None = None) -> None:
        self.bench, self.clock, self.counters = folder, Hands(), Counters()
        self.env = env or TaskEnv("weld-seam", "panda")

    def drive(self, jobs: int, *, tell: Callable[[Driven], None] = lambda _: None) -> list[Driven]:
        robot = EnvironmentRobot(self.env, self.clock, seed=0)
        return drive(
            self.bench,
            "weld-seam",
            robot,
            TASK.contract,
            self.clock,
            self.counters,
            jobs=jobs,
            horizon=TASK.horizon,
            tell=tell,
        )


def test_a_new_version_is_taken_between_two_jobs(tmp_path: Path) -> None:
    folder = RobotFolder(tmp_path)
    use(folder, SKILL)

    def tell(driven: Driven) -> None:
        if driven.version == 1:
            use(folder, NEWER)

    done = Rig(folder).drive(3, tell=tell)
    assert [each.version for each in done] == [1, 2, 2]
    assert all(each.job.outcome in {"done", "failed"} for each in done)
    assert all(0 < each.job.periods <= TASK.horizon for each in done)
    told = report_of(folder, "weld-seam")
    assert [(each.version, each.jobs) for each in told.tallies] == [(1, 1), (2, 2)]
    assert not told.busy


@pytest.mark.parametrize(("hour", "busy"), [(12, False), (23, True)])
def test_a_new_version_waits_for_the_window_and_for_the_robot(tmp_path: Path, hour: int, busy: bool) -> None:
    folder = RobotFolder(tmp_path)
    use(folder, SKILL)
    (tmp_path / "settings.toml").write_text('[update]\nwindow = "22:00-05:00"\n')
    clock, env = Hands(), TaskEnv("weld-seam", "panda")
    robot = EnvironmentRobot(env, clock, seed=0)
    observe = robot.observe
    robot.observe = lambda: replace(observe(), busy=busy)  # type: ignore[method-assign]

    def local_time() -> datetime:
        return datetime(2026, 3, 1, hour, tzinfo=UTC)

    def tell(_: Driven) -> None:
        use(folder, NEWER)

    def run() -> list[int]:
        contract, horizon = TASK.contract, TASK.horizon
        done = drive(
            folder,
            "weld-seam",
            robot,
            contract,
            clock,
            Counters(),
            jobs=2,
            horizon=horizon,
            tell=tell,
            local_time=local_time,
        )
        return [each.version for each in done]

    assert run() == [1, 1]
    hour, busy = 23, False
    use(folder, SKILL)
    assert run() == [1, 2]


def test_a_version_that_was_taken_back_waits_for_no_window(tmp_path: Path) -> None:
    folder, clock = RobotFolder(tmp_path), Hands()
    use(folder, NEWER)
    (tmp_path / "settings.toml").write_text('[update]\nwindow = "22:00-05:00"\n')
    robot = EnvironmentRobot(TaskEnv("weld-seam", "panda"), clock, seed=0)
    done = drive(
        folder,
        "weld-seam",
        robot,
        TASK.contract,
        clock,
        Counters(),
        jobs=2,
        horizon=TASK.horizon,
        tell=lambda _: use(folder, SKILL),
        local_time=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
    assert [each.version for each in done] == [2, 1]


def test_somebody_sees_the_version_that_waits_slowly_before_it_works_alone(
    bench: RobotFolder, zunft: Zunft
) -> None:
    assert zunft("robot drive --supervised --by vera")[0] == 1  # none waits
    use(bench, SKILL)
    use_later(bench, NEWER)
    status, said = zunft("robot drive --supervised --by vera --speed 0.5 --json")
    assert (status, json.loads(said)["jobs"][0]["version"]) == (0, 2)
    memory = bench.memory("weld-seam")
    assert memory.in_use is not None
    assert (memory.in_use.version, memory.in_use.by, memory.waiting) == (2, "vera", None)
    assert report_of(bench, "weld-seam").tallies == ()  # slowly, a job says little of how a version works


def test_a_version_that_stops_the_robot_waits_on(bench: RobotFolder, zunft: Zunft) -> None:
    use(bench, SKILL)
    use_later(bench, NEWER)
    (bench.home / "settings.toml").write_text("[runtime]\nsensed = 0.001\npatience = 2\n")
    assert zunft("robot drive --supervised --by vera")[0] == 3
    memory = bench.memory("weld-seam")
    assert memory.in_use is not None
    assert (memory.in_use.version, memory.waiting is not None) == (1, True)


def test_equal_jobs_end_as_an_evaluation_of_the_twin_does(tmp_path: Path) -> None:
    """Nothing is shortened where the owner asks for nothing: the skill acts as it was measured."""
    folder = RobotFolder(tmp_path)
    use(folder, SKILL)
    rig = Rig(folder)
    rig.drive(1)
    assert 'guard="' not in rig.counters.text()


def test_what_the_robot_tuned_for_its_home_is_what_it_works_with(tmp_path: Path) -> None:
    folder = RobotFolder(tmp_path)
    use(folder, SKILL)
    keep(folder, SKILL.digest)
    (driven,) = Rig(folder).drive(1)
    assert (driven.version, driven.digest, driven.share) == (1, SKILL.digest, 0.5)


def test_without_a_version_in_use_nothing_moves(tmp_path: Path) -> None:
    rig = Rig(RobotFolder(tmp_path))
    with pytest.raises(NotFoundError, match="no version of weld-seam in use"):
        rig.drive(1)
    rig.bench.keep_memory("weld-seam", Memory().use(SKILL.digest, 1))
    with pytest.raises(NotFoundError):  # its file is gone
        rig.drive(1)


class Failing(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Breaks after some steps."""

    steps = 0

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps == 7:
            raise OSError("no answer on the bus")
        return self.env.step(action)


def test_a_stop_outlives_the_process_until_somebody_releases_it(tmp_path: Path) -> None:
    folder = RobotFolder(tmp_path)
    use(folder, SKILL)
    (driven,) = Rig(folder, Failing(make_good())).drive(5)
    assert (driven.job.outcome, driven.job.periods) == ("stopped", 6)
    assert "no answer on the bus" in stop_of(folder)
    with pytest.raises(ConflictError, match="no answer on the bus") as refused:
        Rig(folder).drive(1)
    assert "zunft robot release" in refused.value.remedy
    assert "no answer on the bus" in release(folder)
    assert release(folder) == stop_of(folder) == ""
    assert Rig(folder).drive(1)


def test_two_never_drive_one_robot(tmp_path: Path) -> None:
    folder = RobotFolder(tmp_path)
    use(folder, SKILL)
    with folder.locked("drive"), pytest.raises(ConflictError, match="another process"):
        Rig(folder).drive(1)
    assert Rig(folder).drive(1)
    with folder.locked():  # who trains in the twin meanwhile is no hindrance
        assert Rig(folder).drive(1)


def test_a_robot_s_own_environment_is_not_trained_in_and_driven_at_once(
    bench: RobotFolder, zunft: Zunft
) -> None:
    use(bench, SKILL)
    with bench.locked():
        assert zunft("robot drive --env tests.fleet.own_robots:make_good")[0] == 1


def test_an_environment_stands_still_while_it_is_held() -> None:
    clock = Hands()
    robot = EnvironmentRobot(make_good(), clock, seed=1)
    with pytest.raises(RobotError, match="before anything was observed"):
        robot.send(np.zeros(3, np.float32))
    first = robot.observe()
    clock.time += 1
    robot.hold()
    held = robot.observe()
    assert np.array_equal(first.numbers, held.numbers)
    assert (first.taken_at, held.taken_at) == (100.0, 101.0)


def test_it_may_act_through_onnx_runtime(
    bench: RobotFolder, zunft: Zunft, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(bench, SKILL)
    act, acted = OnnxPolicy.act, []

    def counted(policy: OnnxPolicy, observation: Any) -> Any:
        acted.append(act(policy, observation))
        return acted[-1]

    monkeypatch.setattr(OnnxPolicy, "act", counted)
    status, said = zunft("robot drive --jobs 1 --onnx --json")
    (job,) = json.loads(said)["jobs"]
    assert (status, job["outcome"] in {"done", "failed"}) == (0, True)
    assert len(acted) > 1


def test_the_command_drives_a_cell_in_another_process_and_has_it_fail(
    bench: RobotFolder, zunft: Zunft
) -> None:
    use(bench, SKILL)
    with cell_process("weld-seam", "--embodiment", "ur5e") as (address, _):
        status, said = zunft(f"robot drive --jobs 1 --robot {address} --json")
        assert (status, json.loads(said)["jobs"][0]["outcome"] in {"done", "failed"}) == (0, True)
        assert zunft(f"robot fault nan --cell {address}")[0] == 0
        status, said = zunft(f"robot drive --jobs 3 --robot {address} --json")
        assert (status, json.loads(said)["jobs"][-1]["outcome"]) == (3, "stopped")
        assert zunft(f"robot drive --robot {address}")[0] == 1
        assert "finite" in zunft("robot release")[1]
        assert zunft(f"robot fault clear --cell {address}")[0] == 0
        assert zunft(f"robot drive --robot {address}")[0] == 0
    assert zunft(f"robot drive --robot {address}")[0] == 1  # it is gone


def test_the_command_drives_a_driver_of_one_s_own(bench: RobotFolder, zunft: Zunft) -> None:
    use(bench, SKILL)
    assert zunft("robot drive --robot tests.fleet.own_robots:make_robot")[0] == 0
    assert zunft("robot drive --robot tests.fleet.own_robots:make_good")[0] == 1  # it has no five methods


def test_the_command_drives_and_says_why_it_stopped(
    bench: RobotFolder, hub: LyingHub, zunft: Zunft, tmp_path: Path
) -> None:
    assert zunft("robot drive")[0] == 1  # nothing in use
    use(bench, SKILL)
    status, said = zunft(f"robot drive --jobs 1 --metrics {tmp_path / 'robot.prom'} --json")
    found = json.loads(said)
    assert status == 0
    assert [each["outcome"] in {"done", "failed"} for each in found["jobs"]] == [True]
    assert found["counters"]["zunft_robot_periods_total"] > 1
    assert "zunft_robot_periods_total" in (tmp_path / "robot.prom").read_text()
    (bench.home / "settings.toml").write_text("[runtime]\nsensed = 0.001\npatience = 2\n")
    status, said = zunft("robot drive --jobs 1 --json")
    assert (status, json.loads(said)["jobs"][0]["outcome"]) == (3, "stopped")
    assert "sensed" in zunft("robot release")[1]
    assert "not stopped" in zunft("robot release")[1]
    assert hub
