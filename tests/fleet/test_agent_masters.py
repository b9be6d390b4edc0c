"""A robot that has no master trains one where lessons ask for it, and joins when it has one."""

from __future__ import annotations

from pathlib import Path

from fleet.agent import AgentSettings
from fleet.progress import Progress
from skills.container import unpack
from skills.messages.rounds import Assignment
from skills.messages.training import Imitation
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import SmallRobot, make_robot, small_skill

SLOT = "r-anna round-1"


def lessons(order: Assignment) -> Assignment:
    """The same round, with lessons before which robots train a master."""
    learner = Imitation(master_iterations=4)
    return order.model_copy(update={"training": order.training.model_copy(update={"learner": learner})})


def test_a_robot_without_a_master_trains_one_first_and_brings_the_same_round_where_it_is_still_open(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.assignment = lessons(hub.order(1))
    assert robot.agent.step() == 0
    assert robot.phases == ["pulling", *["training"] * 5, "mastered"]
    assert [p.iteration for p in robot.said if p.text == "a master"] == [1, 2, 3, 4]
    assert not hub.deltas
    robot.agent.step()
    assert (list(hub.deltas), robot.place.trained) == ([SLOT], ["round-1"])
    hub.assignment = lessons(hub.order(2))
    robot.agent.step()
    assert robot.phases.count("mastered") == 1


def test_a_round_that_was_over_before_the_master_was_ready_is_no_failure(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill())

    def listen(progress: Progress) -> None:
        if progress.phase == "mastered":
            hub.assignment = lessons(hub.order(2))

    settings = AgentSettings(look_seconds=0, adopts=False)
    robot = make_robot(tmp_path, hub.url, settings=settings, listen=listen)
    hub.assignment = lessons(hub.order(1))
    for _ in range(2):
        assert robot.agent.step() == 0
    assert (list(hub.deltas), robot.place.trained) == (["r-anna round-2"], ["round-2"])
    assert not {"failed", "dropped"} & set(robot.phases)


def test_a_robot_that_is_to_end_while_it_trains_its_master_begins_it_again_later(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill())
    said: list[Progress] = []
    settings = AgentSettings(look_seconds=0, adopts=False)
    robot = make_robot(
        tmp_path, hub.url, settings=settings, listen=said.append, stopped=lambda: said[-1].iteration == 2
    )
    hub.assignment = lessons(hub.order(1))
    robot.agent.step()
    assert (said[-1].phase, said[-1].iteration, robot.place.master) == ("training", 2, None)
    restarted = make_robot(tmp_path, hub.url, settings=settings)
    restarted.agent.step()
    assert restarted.phases[-1] == "mastered"


def test_another_learner_begins_without_what_the_last_one_kept(hub: LyingHub, robot: SmallRobot) -> None:
    robot.place.master = small_skill()
    for number, wanted, kept in ((1, lessons, 1), (2, lessons, 2), (3, lambda order: order, 1)):
        hub.assignment = wanted(hub.order(number))
        robot.agent.step()
        _, tensors = unpack((robot.bench.home / "private.tensors").read_bytes(), "private state")
        assert tensors["rounds"].tolist() == [kept], number
