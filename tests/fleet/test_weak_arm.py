"""A version that failed on one arm: robots of that arm keep what they have, whoever says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.lying_hub import LyingHub, gate_says
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.signed_guild import online_of


def robot_on(arm: str, hub: LyingHub, home: Path) -> SmallRobot:
    return make_robot(home / arm, hub.url, name=arm, embodiment=arm, place=SmallPlace())


def in_use(robot: SmallRobot) -> int:
    robot.agent.step()
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


@pytest.fixture
def released(hub: LyingHub) -> LyingHub:
    """Two versions, of which the second failed on the panda."""
    hub.publish(small_skill(1))
    second = small_skill(2)
    hub.publish(second, vouchers=[gate_says(hub.gate_key, second, failed_on=("panda",))])
    hub.guild.publish(hub.versions, 2, kept={"panda": 1})
    hub.frozen = True
    return hub


def test_each_arm_gets_the_version_that_is_good_on_it_also_a_newcomer(
    released: LyingHub, tmp_path: Path
) -> None:
    assert in_use(robot_on("ur5e", released, tmp_path)) == 2
    assert in_use(robot_on("panda", released, tmp_path)) == 1


def test_a_hub_that_names_the_version_for_all_moves_nobody(released: LyingHub, tmp_path: Path) -> None:
    panda = robot_on("panda", released, tmp_path)
    assert in_use(panda) == 1
    released.stable = 2  # the web process says so
    assert in_use(panda) == 1
    thief = online_of(99)
    released.guild.publish(released.versions, 2, signers=thief)
    assert in_use(panda) == 1
    assert "not what the guild signed" in panda.said[-1].text


def test_a_stolen_hubs_key_does_not_change_what_the_gate_saw(released: LyingHub, tmp_path: Path) -> None:
    panda = robot_on("panda", released, tmp_path)
    assert in_use(panda) == 1
    released.guild.publish(released.versions, 2)  # by the hub's own key: for all arms
    assert in_use(panda) == 1
    assert any("fail on this robot's arm" in each.text for each in panda.said if each.phase == "refused")
    assert in_use(robot_on("ur5e", released, tmp_path)) == 2


def test_with_the_next_version_that_is_good_on_all_arms_all_have_one(
    released: LyingHub, tmp_path: Path
) -> None:
    panda = robot_on("panda", released, tmp_path)
    assert in_use(panda) == 1
    released.publish(small_skill(3))
    released.guild.publish(released.versions, 3)
    assert in_use(panda) == 3
