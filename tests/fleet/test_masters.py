"""A robot's master: brought once, kept in the folder, one at a time, and damaged ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.scripted import Scripted
from envs.task import load_task
from fleet.masters import bring_controller, bring_skill, master_of
from fleet.robot_folder import RobotFolder
from skills.errors import ArtefactError, ContractError
from skills.policy import Policy
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
