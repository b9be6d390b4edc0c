"""Somebody else's environment in a guild: robots train on it, the hub measures it where it has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.task import Task, load_task
from envs.wrapped import save_wrapped
from envs.wrapped_env import wrap
from fleet.client import OperatorClient
from fleet.robot_folder import RobotFolder
from fleet.simulate import FleetPlan, draw_robots, simulate
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from hub.workers.gate import HeldOutGate
from skills.messages.campaigns import CampaignRequest
from skills.messages.lists import RobotQuery
from skills.messages.plans import GatePlan, TrainingPlan
from skills.messages.robots import EnrolmentTokenRequest
from tests.hub.conftest import Hall, Hands, ok, small_settings
from zunft.hub_process import run_hub
from zunft.new_skill import new_skill

NAME = "reacher"
ORDER = CampaignRequest(
    skill=NAME,
    rounds=1,
    quorum=2,
    target=2,
    training=TrainingPlan(iterations=1),
    gate=GatePlan(episodes=4, margin=1),
)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    save_wrapped(wrap("Reacher-v5", NAME), tmp_path / "tasks" / NAME)
    monkeypatch.setenv("ZUNFT_TASKS", str(tmp_path / "tasks"))
    return load_task(NAME)


def test_two_robots_train_on_a_wrapped_environment_and_the_hub_publishes_what_it_measured(
    task: Task, tmp_path: Path
) -> None:
    with run_hub(tmp_path / "hub") as hub:
        operator = OperatorClient.open(hub.url, hub.admin_token)
        operator.publish_skill(new_skill(NAME, seed=0, network={"hidden": (8,)}))
        operator.change_minimum(NAME, 0.0)
        tokens = [each.token for each in operator.create_tokens(EnrolmentTokenRequest(count=2))]
        plan = FleetPlan(hub.url, NAME, draw_robots(task, tokens, 0), tmp_path / "robots", episodes=2)
        campaign = operator.start_campaign(ORDER)

        def over() -> bool:
            return operator.campaign(campaign.campaign_id).state != "running"

        with Crew(Processes(1)) as crew:
            simulate(plan, crew, lambda _: None, until=over)
        done = operator.campaign(campaign.campaign_id)
        stable = operator.version(NAME, "stable")
        fits = operator.fits(NAME, "stable", RobotQuery()).items
    assert (done.state, done.rounds[0].state, done.rounds[0].deltas) == ("finished", "published", 2)
    assert (stable.version, stable.origin, stable.contributors) == (2, "merge", 2)
    assert stable.gate is not None
    assert {name: score.episodes for name, score in stable.gate.by_embodiment.items()} == {"gymnasium": 4}
    assert [each.fits for each in fits] == ["yes", "yes"]
    for robot in plan.robots:
        in_use = RobotFolder(plan.home / robot.name).memory(NAME).in_use
        assert in_use is not None
        assert in_use.version == 2


def test_a_hub_that_lacks_the_environment_says_so_at_once_and_publishes_nothing(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skill = new_skill(NAME, seed=0, network={"hidden": (8,)})
    monkeypatch.delenv("ZUNFT_TASKS")
    hall = Hall(small_settings(tmp_path / "hub"), HeldOutGate(), Hands())  # type: ignore[arg-type]
    ok(hall.publish(skill))
    campaign_id = hall.start(skill=NAME)
    hall.turn()
    found = hall.campaign(campaign_id)
    assert (found.state, found.rounds) == ("failed", ())
    assert f"no task bundle '{task.name}'" in found.reason
    assert "ZUNFT_TASKS" in found.reason
    assert hall.version(1, NAME).score is None
    assert hall.version(1, NAME).channels == ("candidate",)
    hall.close()
