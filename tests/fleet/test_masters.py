"""A robot's master: brought once, kept in the folder, one at a time, and damaged ones are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from envs.scripted import Scripted
from envs.task import load_task
from envs.workshop import fleet_workshops
from fleet.masters import bring_controller, bring_skill, master_of
from fleet.own_robot import Guarded
from fleet.place import StoppedError
from fleet.robot_folder import RobotFolder
from fleet.training.report import TrainingReport
from fleet.twin import OwnPlace, TwinPlace
from skills.delta import norm, shapes_of_delta
from skills.errors import ArtefactError, ContractError
from skills.messages.plans import TrainingPlan
from skills.messages.training import Imitation
from skills.policy import Policy
from skills.skill import Skill
from tests.fleet.own_robots import make_good
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
    assert isinstance(found, Policy)
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
    with pytest.raises(ContractError, match="'oracle' is told what no robot knows") as caught:
        bring_controller(bench, load_task("swing-load"), "oracle")
    assert "feedback, adaptive" in caught.value.remedy
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
    twin = TwinPlace(TASK, home, seed=0, bench=bench)
    order = assignment_for(SKILL, PLAN)
    with pytest.raises(ContractError, match="no master yet") as caught:
        twin.practise(SKILL, order, "robot", {}, lambda _: None)
    assert "zunft robot master" in caught.value.remedy
    bring_controller(bench, TASK, "p")
    work = twin.practise(SKILL, order, "robot", {}, lambda _: None)
    assert set(work.delta.tensors) == set(shapes_of_delta(SKILL.manifest, PLAN))
    assert norm(work.delta.tensors) > 0


TEACH = PLAN.model_copy(update={"learner": LESSONS.model_copy(update={"master_iterations": 2})})
ORDER = assignment_for(SKILL, TEACH)


def place_of(
    kind: str, bench: RobotFolder, stopped: Callable[[], bool] = lambda: False
) -> TwinPlace | OwnPlace:
    if kind == "own":
        return OwnPlace(Guarded(make_good()), TASK, seed=0, batch_steps=64, bench=bench, stopped=stopped)
    home = fleet_workshops(TASK.file)[0]
    return TwinPlace(TASK, home, seed=0, batch_steps=64, bench=bench, stopped=stopped)


@pytest.mark.parametrize("kind", ["twin", "own"])
def test_a_robot_trains_its_master_where_lessons_ask_for_it_and_then_learns_from_it(
    kind: str, bench: RobotFolder
) -> None:
    place = place_of(kind, bench)
    told: list[TrainingReport] = []
    assert place.lacks_master(TEACH)
    assert not place.lacks_master(PLAN)
    place.train_master(SKILL, TEACH, told.append)
    assert len(told) == 2
    assert not place.lacks_master(TEACH)
    (file,) = bench.home.glob("*")
    assert (file.name, file.stat().st_mode & 0o777) == ("weld-seam.master.skill", 0o600)
    master = Skill.load(file)
    assert master.manifest.parents == (SKILL.digest,)
    assert master.manifest.samples == sum(each.steps for each in told) > 100
    assert any(not np.array_equal(master.tensors[name], each) for name, each in SKILL.tensors.items())
    work = place.practise(SKILL, ORDER, "robot", {}, lambda _: None)
    assert norm(work.delta.tensors) > 0
    assert not any("master" in name for name in work.delta.tensors)


def test_where_training_made_it_worse_the_base_is_the_master(
    bench: RobotFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of("twin", bench)
    monkeypatch.setattr(place, "rehearse", lambda skill: float(skill.digest == SKILL.digest))
    place.train_master(SKILL, TEACH, lambda _: None)
    assert Skill.load(bench.home / "weld-seam.master.skill").digest == SKILL.digest


@pytest.mark.parametrize("kind", ["twin", "own"])
def test_a_robot_that_is_to_end_leaves_its_master_untrained_and_begins_again_later(
    kind: str, bench: RobotFolder
) -> None:
    asked, enough = 0, 3

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked == enough

    place = place_of(kind, bench, stopped)
    with pytest.raises(StoppedError):
        place.train_master(SKILL, TEACH, lambda _: None)
    assert asked == enough
    assert place.lacks_master(TEACH)
    assert not list(bench.home.iterdir())
    place.train_master(SKILL, TEACH, lambda _: None)
    again = place_of(kind, RobotFolder(bench.home / "fresh"))
    (bench.home / "fresh").mkdir()
    again.train_master(SKILL, TEACH, lambda _: None)
    assert not again.lacks_master(TEACH)
    if kind == "twin":  # an environment of one's own is where it was left
        mine, fresh = (
            Skill.load(each / "weld-seam.master.skill") for each in (bench.home, bench.home / "fresh")
        )
        assert mine.digest == fresh.digest


def test_whoever_brought_a_master_trains_none(bench: RobotFolder) -> None:
    place = place_of("twin", bench)
    bring_controller(bench, TASK, "p")
    assert not place.lacks_master(TEACH)


def test_nothing_of_the_lessons_is_known_in_the_practice_after_them(bench: RobotFolder) -> None:
    bring_controller(bench, TASK, "p")
    after = assignment_for(SKILL, TrainingPlan(iterations=1, variates=True, share="policy", codec="raw"))
    taught, fresh = place_of("twin", bench), place_of("twin", bench)
    taught.practise(SKILL, ORDER, "robot", {}, lambda _: None)
    found, expected = (place.practise(SKILL, after, "robot", {}, lambda _: None) for place in (taught, fresh))
    for name, tensor in expected.delta.tensors.items():
        assert np.array_equal(found.delta.tensors[name], tensor), name
    assert found.private.keys() == expected.private.keys()
    assert all(np.array_equal(found.private[name], each) for name, each in expected.private.items())
