from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from envs.task import load_task
from fleet.local_training import train_all_alone
from fleet.membership import connect
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from fleet.simulate import FleetPlan, draw_robots, simulate
from fleet.workers.crew import Crew, WorkerDiedError
from fleet.workers.processes import Processes
from skills.errors import UnauthorizedError
from skills.messages.plans import TrainingPlan
from tests.eventually import eventually
from tests.fleet.conftest import Guild


def make_plan(guild: Guild, home: Path, robots: int) -> FleetPlan:
    return FleetPlan(
        guild.url, "weld-seam", draw_robots(load_task("weld-seam"), guild.tokens(robots), 0), home, episodes=2
    )


def test_a_fleet_trains_a_version_and_uses_it_and_the_same_workers_train_robots_alone(
    guild: Guild, tmp_path: Path
) -> None:
    plan = make_plan(guild, tmp_path, 3)
    campaign = guild.start_campaign(3)
    heard: list[Progress] = []
    with Crew(Processes(2)) as crew:
        last = simulate(plan, crew, heard.append, until=lambda: guild.ended(campaign))
        pair = replace(plan, robots=plan.robots[:2])
        alone = train_all_alone(crew, pair, guild.skill, TrainingPlan(iterations=1), 1, heard.append)
    done = guild.operator.campaign(campaign.campaign_id)
    assert (done.state, done.rounds[0].deltas) == ("finished", 3)
    assert sorted(last) == sorted(robot.name for robot in plan.robots)
    assert sum(progress.phase == "pushed" for progress in heard) == 3
    assert sum(progress.steps for progress in last.values()) == done.rounds[0].samples
    stable = guild.operator.version("weld-seam", "stable")
    for robot in plan.robots:
        in_use = RobotFolder(tmp_path / robot.name).memory("weld-seam").in_use
        assert in_use is not None
        assert in_use.version == stable.version > 1
        assert last[robot.name].sent > done.rounds[0].bytes / 3
    assert [skill.manifest.parents for skill in alone] == [(guild.skill.digest,)] * 2
    assert alone[0].digest != alone[1].digest
    assert connect(RobotFolder(tmp_path / plan.robots[0].name)).assignment("weld-seam") is None


def test_a_robot_that_may_not_enrol_ends_the_fleet_with_the_hubs_words(guild: Guild, tmp_path: Path) -> None:
    stranger = guild.tokens(1)[0].replace("ze_", "ze_x", 1)  # names this guild's root, and is no token of it
    plan = FleetPlan(guild.url, "weld-seam", draw_robots(load_task("weld-seam"), [stranger], 0), tmp_path)
    with Crew(Processes(1)) as crew, pytest.raises(UnauthorizedError, match="token"):
        simulate(plan, crew, lambda _: None)


def test_a_killed_worker_ends_the_fleet_and_says_which_robots_it_had(guild: Guild, tmp_path: Path) -> None:
    plan = make_plan(guild, tmp_path, 2)

    workers = Processes(2)

    def kill_the_first() -> bool:
        os.kill(workers._processes[0].pid or 0, signal.SIGKILL)
        return False

    with Crew(workers) as crew, pytest.raises(WorkerDiedError, match=r"SIGKILL.* robots robot-000-ur5e"):
        simulate(plan, crew, lambda _: None, until=kill_the_first)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from fleet.workers.crew import Crew\n"
        "from fleet.workers.processes import Processes\n"
        "from tests.fleet import jobs\n"
        "if __name__ == '__main__':\n"
        "    workers = Processes(1)\n"
        "    def die(_):\n"
        "        print(workers._processes[0].pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    Crew(workers).run(jobs.work_until_stopped, [('a',)], labels=['a'], on_progress=die)\n"
    )
    (tmp_path / "parent.py").write_text(script)
    root = str(Path(__file__).resolve().parents[2])
    found = subprocess.run(
        [sys.executable, str(tmp_path / "parent.py")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert found.returncode == -signal.SIGKILL
    worker = int(found.stdout.split()[0])
    eventually(lambda: not _alive(worker))


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status


def test_workshops_differ_from_each_other_and_begin_with_the_fleets_four() -> None:
    plans = draw_robots(load_task("weld-seam"), ["token"] * 10, seed=3)
    workshops = [plan.workshop for plan in plans]
    assert [shop.embodiment for shop in workshops[:4]] == ["ur5e", "panda", "iiwa", "xarm7"]
    assert len({shop.model_dump_json() for shop in workshops}) == 10
    assert draw_robots(load_task("weld-seam"), ["token"] * 2, seed=3) == plans[:2]
