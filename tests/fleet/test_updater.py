"""Attacks on what a robot takes: a real robot over real HTTP, and a hub, store or thief that lies between."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from fleet.membership import connect, join
from fleet.robot_folder import RobotFolder
from fleet.updater import DistrustError
from skills.errors import SignatureError
from skills.signing import SigningKey
from tests.fleet.lying_hub import LyingHub, serve
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.signed_guild import TOKEN, SignedGuild, online_of, root_of


def adopter(hub: LyingHub, home: Path) -> SmallRobot:
    return make_robot(home, hub.url, place=SmallPlace())


def in_use(robot: SmallRobot) -> int:
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


def released(hub: LyingHub, robot: SmallRobot, *versions: int) -> None:
    for version in versions:
        hub.publish(small_skill(version))
        robot.agent.step()


def refused(robot: SmallRobot) -> str:
    robot.agent.step()
    assert robot.phases[-1] == "refused", robot.said[-1]
    return robot.said[-1].text


def test_a_look_without_news_is_one_conditional_request(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1)
    hub.requests.clear()
    robot.agent.step()
    assert [each for each in hub.requests if "assignment" not in each] == ["GET /tuf/metadata/timestamp.json"]


def test_news_bring_no_question_for_a_root_that_is_not_there(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1)
    hub.publish(small_skill(2))
    hub.requests.clear()
    robot.agent.step()
    assert in_use(robot) == 2
    asked = {each.rpartition("/")[2] for each in hub.requests if "/tuf/" in each}
    assert asked == {"timestamp.json", "2.snapshot.json", "2.targets.json", "2.ours.json"}


def test_an_old_version_named_by_the_hub_alone_is_not_taken(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1, 2)
    hub.frozen, hub.stable = True, 1  # the web process says so; nobody signed it
    robot.agent.step()
    assert in_use(robot) == 2


def test_metadata_of_before_are_refused_as_a_rollback(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1)
    old = dict(hub.guild.files)
    released(hub, robot, 2)
    hub.frozen, hub.guild.files = True, old
    assert "older than what was known" in refused(robot)
    assert in_use(robot) == 2
    robot.agent.step()
    assert (hub.told[-1].code, hub.told[-1].skill) == ("rolled_back", "follow")


def test_a_rollback_by_the_operator_is_newer_metadata_and_taken(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1, 2)
    hub.guild.publish(hub.versions, 1)
    hub.frozen = True
    robot.agent.step()
    assert in_use(robot) == 1


@pytest.mark.parametrize(("counter", "lowest", "stable"), [(1, 1, 2), (9, 2, 1)])
def test_a_move_that_was_seen_already_or_below_the_lowest_safe_version_is_refused(
    hub: LyingHub, tmp_path: Path, counter: int, lowest: int, stable: int
) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1, 2)
    hub.frozen = True
    hub.guild.publish(hub.versions, 2, counter=5, lowest=2)
    robot.agent.step()
    hub.guild.publish(hub.versions, stable, counter=counter, lowest=lowest if stable > 1 else 1)
    assert "refused" not in robot.phases
    refused(robot)
    assert in_use(robot) == 2


def test_a_frozen_guild_keeps_what_is_in_use_and_says_since_when(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    hub.publish(small_skill(1))
    robot.agent.step()
    hub.publish(small_skill(2))
    hub.guild.age = timedelta(days=2)  # all that is signed ended a day ago
    said = refused(robot)
    ended = json.loads(hub.guild.files["timestamp.json"])["signed"]["expires"]
    assert f"since {ended[:10]} {ended[11:16]} UTC" in said
    assert in_use(robot) == 1
    hub.guild.age, hub.signed = timedelta(0), ()
    robot.agent.step()
    assert hub.told[-1].code == "expired"
    assert in_use(robot) == 2  # no refusal is for ever


def test_the_bytes_of_another_version_are_refused_and_the_true_ones_taken(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1)
    hub.publish(small_skill(2))
    true, hub.files[2] = hub.files[2], hub.files[1]
    assert "digest" in refused(robot)
    assert robot.bench.memory("follow").refused == {}
    hub.files[2] = true
    robot.agent.step()
    assert in_use(robot) == 2


def test_a_version_signed_under_another_number_is_refused(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 3)
    mixed = hub.versions[3].model_copy(update={"version": 17})
    hub.versions[17], hub.files[17], hub.stable = mixed, hub.files[3], 17
    hub.envelopes[17] = hub.envelopes[3]
    robot.bench.skill_file(mixed.digest).unlink()
    robot.bench.keep_memory("follow", robot.bench.memory("follow").model_copy(update={"in_use": None}))
    assert "v3, not 'follow' v17" in refused(robot)


def test_an_unsigned_candidate_served_as_stable_is_not_taken_by_a_new_robot(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill(1))
    hub.metadata("timestamp.json")
    hub.frozen = True
    hub.publish(small_skill(2))
    robot = adopter(hub, tmp_path)
    robot.agent.step()
    assert in_use(robot) == 1


def test_keys_are_stolen_and_the_root_takes_that_power_away(hub: LyingHub, tmp_path: Path) -> None:
    robot, away = adopter(hub, tmp_path / "here"), make_robot(tmp_path / "away", hub.url, name="away")
    for each in (robot, away):
        released(hub, each, 1)
    stolen = hub.guild.online
    hub.guild.rotate(online_of(2))  # the drill: a new root, by two of its keys, that names new ones
    released(hub, robot, 2)
    assert in_use(robot) == 2
    evil = hub.publish(small_skill(3, seed=666))
    hub.frozen = True
    hub.guild.publish(hub.versions, 3, counter=2**40, signers=stolen)
    for each in (robot, away):
        assert "not what the guild signed" in refused(each)
    assert evil.digest not in robot.bench.memory("follow").refused
    del hub.versions[3], hub.files[3]
    hub.frozen, hub.stable, hub.signed = False, 2, ()
    for each in (robot, away):
        each.agent.step()
        assert in_use(each) == 2


def test_what_a_thief_counted_up_to_is_forgotten_with_the_new_root(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1, 2)
    hub.frozen = True
    hub.guild.number = 2**40
    hub.guild.publish(hub.versions, 1, counter=2**40, lowest=1)  # before anybody knew
    robot.agent.step()
    assert in_use(robot) == 1
    hub.guild.rotate(online_of(2))
    hub.guild.number = 7
    hub.guild.publish(hub.versions, 2, counter=3)
    robot.agent.step()
    assert in_use(robot) == 2


def test_one_key_of_the_root_makes_no_root(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    released(hub, robot, 1)
    hub.guild.root_keys = [root_of(10)[0], *root_of(50)[:2]]
    hub.guild.rotate(online_of(66))
    hub.publish(small_skill(2))
    assert "not what the guild signed" in refused(robot)


def test_nothing_is_trusted_on_first_use(hub: LyingHub, tmp_path: Path) -> None:
    with serve(LyingHub(guild=SignedGuild(root_keys=root_of(70)))) as fake:
        with pytest.raises(DistrustError, match="not the one that the enrolment token names"):
            join(RobotFolder(tmp_path / "a"), fake.url, token=TOKEN, name="anna", embodiment="ur5e")
        assert not any("/robots" in each for each in fake.requests)  # nor did it see the token
    with pytest.raises(DistrustError, match="names no root"):
        join(RobotFolder(tmp_path / "b"), hub.url, token="ze_of-an-old-hub", name="anna", embodiment="ur5e")


def test_a_robot_of_before_gets_the_root_by_the_key_that_it_pinned(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path)
    (robot.bench.metadata / "first-root.json").unlink()
    right, hub.key = hub.key, SigningKey.generate()
    with pytest.raises(SignatureError):
        connect(robot.bench).guild.refresh()
    hub.key = right
    released(hub, robot, 1)
    assert in_use(robot) == 1
