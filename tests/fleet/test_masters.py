"""A robot's master: brought once, kept in the folder, one at a time, and damaged ones are named."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from envs.scripted import Scripted
from envs.task import load_task
from envs.workshop import fleet_workshops
from fleet.masters import bring_controller, bring_skill, master_of
from fleet.robot_folder import RobotFolder
from fleet.twin import TwinPlace
from skills.delta import norm, shapes_of_delta
from skills.errors import ArtefactError, ContractError
from skills.messages.plans import TrainingPlan
from skills.messages.training import Imitation
from skills.policy import Policy
from tests.fleet.test_practice import assignment_for
from zunft.new_skill import new_skill

TASK = load_task("weld-seam")
SEEN = np.random.default_rng(0).standard_normal((3, 37))


@pytest.fixture
def bench(tmp_path: Path) -> RobotFolder:
    return RobotFolder(tmp_path)


def test_there_is_none_until_one_is_brought(bench: RobotFolder) -> None:
    assert master_of(bench, TASK) is None


def test_a_skill_and_a_controller_take_each_others_place(bench: RobotFolder) -> None:
    skill = new_skill(TASK, seed=3)
    bring_skill(bench, TASK, skill)
    found = master_of(bench, TASK)
    assert found is not None
    assert np.array_equal(found.begin().act(SEEN), Policy(skill).act(SEEN))
    bring_controller(bench, TASK, "p")
    assert isinstance(master_of(bench, TASK), Scripted)
    bring_skill(bench, TASK, skill)
    assert isinstance(master_of(bench, TASK), Policy)


def test_what_does_not_fit_is_refused_and_the_master_stays(bench: RobotFolder) -> None:
    bring_controller(bench, TASK, "p")
    with pytest.raises(ContractError, match="does not fit"):
        bring_skill(bench, TASK, new_skill("insert-peg", seed=0))
    with pytest.raises(ContractError, match="no controller 'best'"):
        bring_controller(bench, TASK, "best")
    assert isinstance(master_of(bench, TASK), Scripted)


def test_a_damaged_master_is_named(bench: RobotFolder) -> None:
    bring_skill(bench, TASK, new_skill(TASK, seed=3))
    (file,) = bench.home.glob("*.master.skill")
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ArtefactError):
        master_of(bench, TASK)


LESSONS = Imitation(batch=128, minibatch=64, steps=2)
SKILL = new_skill(TASK, seed=0, network={"hidden": (8,)})
PLAN = TrainingPlan(iterations=1, learner=LESSONS, share="policy", variates=True, moments=True, codec="raw")


def test_a_robot_without_a_master_leaves_lessons_out_and_joins_when_it_has_one(bench: RobotFolder) -> None:
    home = fleet_workshops(TASK.file)[0]
    twin = TwinPlace(TASK, home, seed=0, master=partial(master_of, bench, TASK))
    order = assignment_for(SKILL, PLAN)
    with pytest.raises(ContractError, match="no master yet") as caught:
        twin.practise(SKILL, order, "robot", {}, lambda _: None)
    assert "zunft robot master" in caught.value.remedy
    bring_controller(bench, TASK, "p")
    work = twin.practise(SKILL, order, "robot", {}, lambda _: None)
    assert set(work.delta.tensors) == set(shapes_of_delta(SKILL.manifest, PLAN))
    assert norm(work.delta.tensors) > 0
