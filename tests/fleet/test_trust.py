"""What a robot takes is what those vouch for whom its owner trusts, whatever hub, store and network say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.robot_folder import RobotFolder
from skills.container import digest_of
from skills.errors import ArtefactError
from skills.signing import SigningKey
from skills.skill import Skill
from tests.fleet.lying_hub import LyingHub, gate_says, released_by
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill

STRANGER = SigningKey.generate()


def robot_with(home: Path, hub: LyingHub, policy: str = "", *, trains: bool = True) -> SmallRobot:
    """A new robot: nothing is in use that a bad version would have to beat in the twin."""
    if policy:
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text(f"[trust]\n{policy}\n")
    return make_robot(
        home, hub.url, name=f"robot-{home.name}", place=SmallPlace(scores={1: 0.0}, trains=trains)
    )


def in_use(robot: SmallRobot) -> int | None:
    memory = robot.bench.memory("follow")
    return memory.in_use.version if memory.in_use else None


def refusal(robot: SmallRobot) -> str:
    return next(each.text for each in robot.said if each.phase == "refused")


def test_a_candidate_that_the_gate_rejected_is_not_adopted_by_a_new_robot(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot, skill = robot_with(tmp_path, hub), small_skill()
    hub.publish(skill, vouchers=[gate_says(hub.gate_key, skill, "rejected")])
    robot.agent.step()
    assert in_use(robot) is None
    assert "the gate's decision is rejected" in refusal(robot)
    assert not any("/file" in each for each in hub.requests)


LIES: dict[str, tuple[Callable[[LyingHub, Skill], list[bytes]], str]] = {
    "absent": (lambda _hub, _skill: [], "no gate attestation"),
    "forged": (
        lambda hub, skill: [
            gate_says(STRANGER, skill).replace(
                STRANGER.public.text.encode(), hub.gate_key.public.text.encode()
            )
        ],
        "signature does not fit",
    ),
    "for another version": (
        lambda hub, skill: [gate_says(hub.gate_key, skill, subject=digest_of(b"other"))],
        "not of sha256",
    ),
    "by a stranger": (lambda _hub, skill: [gate_says(STRANGER, skill)], "does not count here"),
    "by the hub itself": (lambda hub, skill: [gate_says(hub.key, skill)], "does not count here"),
    "rejected": (lambda hub, skill: [gate_says(hub.gate_key, skill, "rejected")], "decision is rejected"),
    "unjudged": (lambda hub, skill: [gate_says(hub.gate_key, skill, "unjudged")], "decision is unjudged"),
    "at another task": (lambda hub, skill: [gate_says(hub.gate_key, skill, task="easy")], "at another task"),
    "no attestation": (lambda _hub, _skill: [b"{}"], "no attestation that counts"),
    "endless": (lambda hub, skill: [gate_says(hub.gate_key, skill) + b" " * 2**18], "more than"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_not_vouched_for_is_not_even_fetched_and_said_once(
    hub: LyingHub, tmp_path: Path, lie: str
) -> None:
    robot, skill = robot_with(tmp_path, hub), small_skill()
    made, reason = LIES[lie]
    hub.publish(skill, vouchers=made(hub, skill))
    robot.agent.step()
    robot.agent.step()
    assert (in_use(robot), robot.phases.count("refused")) == (None, 1)
    assert reason in refusal(robot)
    assert not any("/file" in each for each in hub.requests)


@pytest.mark.parametrize("lie", LIES)
def test_no_refusal_is_for_ever(hub: LyingHub, tmp_path: Path, lie: str) -> None:
    robot, skill = robot_with(tmp_path, hub), small_skill()
    hub.publish(skill, vouchers=LIES[lie][0](hub, skill))
    robot.agent.step()
    hub.publish(skill)
    robot.agent.step()
    assert in_use(robot) == 1


def test_one_true_word_among_lies_is_enough(hub: LyingHub, tmp_path: Path) -> None:
    robot, skill = robot_with(tmp_path, hub), small_skill()
    hub.publish(skill, vouchers=[b"{}", gate_says(STRANGER, skill), gate_says(hub.gate_key, skill)])
    robot.agent.step()
    assert in_use(robot) == 1


def test_a_rejected_one_that_a_person_released_is_taken_only_where_the_owner_allows_it(
    hub: LyingHub, tmp_path: Path
) -> None:
    skill = small_skill()
    rejected = gate_says(hub.gate_key, skill, "rejected")
    typed = released_by(hub.key, skill, "user:anna", "The newer one shakes.")
    allowed = "rejected_with_reason = true"
    cases = {
        ("", typed): None,
        (allowed, typed): 1,
        (allowed, released_by(hub.key, skill, "user:anna")): None,
        (allowed, released_by(hub.key, skill, "hub", "It passed.")): None,
        (allowed, released_by(STRANGER, skill, "user:anna", "Trust me.")): None,
    }
    for number, ((policy, release), taken) in enumerate(cases.items()):
        robot = robot_with(tmp_path / str(number), hub, policy)
        hub.publish(skill, vouchers=[rejected, release])
        robot.agent.step()
        assert in_use(robot) == taken, (policy, number)


def test_the_owner_says_whose_word_counts_and_for_what(hub: LyingHub, tmp_path: Path) -> None:
    skill, mine = small_skill(), SigningKey.generate()
    hub.publish(skill, vouchers=[gate_says(mine, skill)])
    cases = {
        f'gate_keys = ["{mine.public.text}"]': 1,
        f'gate_keys = ["{mine.public.text}"]\nleast_success = 0.95': None,
        f'gate_keys = ["{mine.public.text}"]\nleast_episodes = 64': None,
        f'gate_keys = ["{mine.public.text}"]\ndemand = ["gate", "release"]': None,
        "demand = []": 1,
        'demand = ["merge"]': 1,  # it was not merged
        'demand = ["release"]': None,
    }
    for number, (policy, taken) in enumerate(cases.items()):
        robot = robot_with(tmp_path / str(number), hub, policy)
        robot.agent.step()
        assert in_use(robot) == taken, policy


def test_a_merged_version_needs_its_merge_where_the_owner_demands_that(hub: LyingHub, tmp_path: Path) -> None:
    skill = small_skill(origin="merge", round_id="c-1")
    hub.publish(skill)
    robot = robot_with(tmp_path, hub, 'demand = ["gate", "merge"]')
    robot.agent.step()
    assert in_use(robot) is None
    assert "no merge attestation" in refusal(robot)


def test_a_policy_with_a_word_that_is_not_known_stops_the_robot(hub: LyingHub, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="demands"):
        robot_with(tmp_path, hub, 'demands = ["gate"]')


def test_a_robot_that_joined_before_learns_the_gates_key_once_under_the_hubs(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.tells_gate_key = False
    robot = robot_with(tmp_path, hub)
    hub.publish(small_skill())
    robot.agent.step()
    assert in_use(robot) == 1
    learned = RobotFolder(tmp_path).identity().gate_key
    assert learned == hub.gate_key.public.text
    hub.gate_key, second = SigningKey.generate(), small_skill(2)
    hub.publish(second)
    robot.agent.step()
    assert in_use(robot) == 1
    assert sum("/gate-key" in each for each in hub.requests) == 1


def test_a_gates_key_that_the_pinned_hub_did_not_sign_is_not_learned(hub: LyingHub, tmp_path: Path) -> None:
    hub.tells_gate_key = False
    robot = robot_with(tmp_path, hub)
    true, hub.key = hub.key, SigningKey.generate()
    hub.publish(small_skill(), signer=true)
    robot.agent.step()
    assert in_use(robot) is None
    assert RobotFolder(tmp_path).identity().gate_key == ""
    hub.key = true
    robot.agent.step()
    assert in_use(robot) == 1


def test_a_robot_that_cannot_try_takes_what_the_gate_saw_and_says_so(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    robot = robot_with(tmp_path, hub, trains=False)
    robot.agent.step()
    said = next(each.text for each in robot.said if each.phase == "adopted")
    assert (in_use(robot), robot.place.trained) == (1, [])
    assert "version 1: on the gate's word, untried: this robot has no simulator" in said


def test_a_robot_that_cannot_try_asks_for_the_gate_even_where_nothing_is_demanded(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill(), vouchers=[])
    robot = robot_with(tmp_path, hub, "demand = []", trains=False)
    robot.agent.step()
    assert in_use(robot) is None
    assert "no gate attestation" in refusal(robot)


def test_an_owner_may_want_nothing_untried(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    robot = robot_with(tmp_path, hub, "untried = false", trains=False)
    robot.agent.step()
    assert in_use(robot) is None
    assert "takes nothing untried" in refusal(robot)
    assert not robot.bench.memory("follow").refused  # with a simulator it is looked at again
    assert not any("/file" in each for each in hub.requests)


def test_a_robot_that_does_not_train_says_so_and_works_on_no_round(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    robot = robot_with(tmp_path, hub, trains=False)
    hub.assignment = hub.order(1)
    robot.agent.step()
    assert robot.place.trained == []
    assert any("trains=false" in each for each in hub.requests)
