"""A robot takes what is stable: tries it in its twin, and keeps the one it has where that does better."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from fleet.robot_folder import Memory
from fleet.updates import consent
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import CONTRACT, SmallPlace, SmallRobot, make_robot, small_skill
from tests.signed_guild import online_of


def adopter(hub: LyingHub, home: Path, scores: dict[int, float]) -> SmallRobot:
    return make_robot(home, hub.url, place=SmallPlace(scores=scores))


def test_a_new_stable_version_is_taken_when_it_does_as_well_in_the_twin(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = adopter(hub, tmp_path, {1: 0.4, 2: 0.8})
    for version in (1, 2):
        hub.publish(small_skill(version))
        robot.agent.step()
    assert [p.text for p in robot.said if p.phase == "adopted"] == [
        "version 1: first version, 0.40 in the twin.",
        "version 2: 0.80 in the twin, the version in use 0.40.",
    ]


def test_a_worse_version_is_refused_once_with_the_reason_and_the_old_one_stays(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = adopter(hub, tmp_path, {1: 0.8, 2: 0.5})
    for version in (1, 2):
        hub.publish(small_skill(version))
        robot.agent.step()
    robot.agent.step()
    memory = robot.bench.memory("follow")
    assert memory.in_use is not None
    assert memory.in_use.version == 1
    assert list(memory.refused) == [hub.versions[2].digest]
    assert "worse by more than 0.10" in memory.refused[hub.versions[2].digest]
    assert robot.phases.count("refused") == 1


def test_a_version_with_a_wrong_signature_is_never_tried_and_the_right_one_still_taken(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = adopter(hub, tmp_path, {1: 1.0})
    hub.publish(small_skill())
    hub.guild.online, right = online_of(99), hub.guild.online
    robot.agent.step()
    assert (robot.said[-1].phase, "not what the guild signed" in robot.said[-1].text) == ("refused", True)
    assert robot.bench.memory("follow") == Memory()
    hub.guild.online, hub.signed = right, ()
    robot.agent.step()
    assert robot.phases[-1] == "adopted"


def test_a_version_for_another_contract_is_refused_for_good(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path, {1: 1.0})
    hub.publish(small_skill(contract=CONTRACT.model_copy(update={"control_hz": 100.0})))
    robot.agent.step()
    robot.agent.step()
    assert robot.phases == ["refused", "waiting"]
    assert "control rate 100.0 Hz" in str(robot.bench.memory("follow").refused)
    assert not any("/file" in request for request in hub.requests)


def test_a_manifest_that_does_not_belong_to_its_digest_does_not_stand_against_the_version(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = adopter(hub, tmp_path, {1: 1.0})
    true = hub.publish(small_skill())
    other = small_skill(contract=CONTRACT.model_copy(update={"control_hz": 100.0}))
    hub.metadata("timestamp.json")
    hub.frozen = True
    hub.versions[1] = true.model_copy(update={"manifest": other.manifest})
    robot.agent.step()
    robot.agent.step()
    assert robot.phases == ["refused", "refused"]
    assert true.digest not in robot.bench.memory("follow").refused
    hub.versions[1] = true
    robot.agent.step()
    assert robot.phases[-1] == "adopted"


def at(text: str) -> Callable[[], float]:
    return lambda: datetime.fromisoformat(text).astimezone().timestamp()


def test_a_version_waits_for_the_maintenance_window(hub: LyingHub, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[update]\nwindow = "22:00-05:00"\n')
    hub.publish(small_skill())
    day = make_robot(tmp_path, hub.url, place=SmallPlace(), clock=at("2026-03-01T12:00"))
    day.agent.step()
    day.agent.step()
    memory = day.bench.memory("follow")
    assert (memory.in_use, memory.waiting is not None) == (None, True)
    assert day.phases.count("held back") == 1
    night = make_robot(tmp_path, hub.url, place=SmallPlace(), clock=at("2026-03-02T02:00"))
    night.agent.step()
    memory = night.bench.memory("follow")
    assert (memory.waiting, memory.in_use is not None, night.phases[0]) == (None, True, "adopted")


def test_what_waits_is_dropped_where_the_guild_goes_back(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    adopter(hub, tmp_path, {}).agent.step()
    (tmp_path / "settings.toml").write_text("[update]\nsupervised = true\n")
    robot = adopter(hub, tmp_path, {})
    hub.publish(small_skill(2))
    robot.agent.step()
    waiting = robot.bench.memory("follow").waiting
    assert waiting is not None
    assert "drive --supervised" in robot.said[-1].text
    hub.stable = 1
    robot.agent.step()
    memory = robot.bench.memory("follow")
    assert (memory.waiting, memory.in_use and memory.in_use.version) == (None, 1)


def test_without_a_twin_no_version_works_alone_before_somebody_saw_it(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    robot = make_robot(tmp_path, hub.url, place=SmallPlace(has_twin=False))
    robot.agent.step()
    memory = robot.bench.memory("follow")
    assert memory.in_use is None
    assert memory.waiting is not None
    consent(robot.bench, "follow", memory.waiting, "vera")
    assert robot.bench.memory("follow").in_use == memory.waiting.model_copy(update={"by": "vera"})


@pytest.mark.parametrize("path", ["/abilities", "/assignment", "/versions/1", "/file", "timestamp"])
def test_a_portal_that_forbids_the_way_to_the_hub_is_waited_for(
    hub: LyingHub, tmp_path: Path, path: str
) -> None:
    robot = adopter(hub, tmp_path, {1: 1.0})
    hub.publish(small_skill())
    hub.faults.append((path, "portal"))
    assert robot.agent.step() > 0
    assert robot.phases[-1] == "offline"
    robot.agent.step()
    assert robot.phases[-1] == "adopted"


def test_a_file_that_does_not_fit_as_the_hub_said_is_refused_after_the_download(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = adopter(hub, tmp_path, {1: 1.0})
    said = hub.publish(small_skill(contract=CONTRACT.model_copy(update={"control_hz": 100.0})))
    hub.versions[1] = said.model_copy(update={"manifest": small_skill().manifest})  # and has it signed
    robot.agent.step()
    assert robot.phases == ["pulling", "refused"]
    assert "control rate 100.0 Hz" in str(robot.bench.memory("follow").refused)


def test_a_rollback_to_a_known_version_is_taken_without_a_download(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path, {1: 0.8, 2: 0.8})
    for version in (1, 2):
        hub.publish(small_skill(version))
        robot.agent.step()
    hub.stable = 1
    robot.agent.step()
    memory = robot.bench.memory("follow")
    assert memory.in_use is not None
    assert memory.in_use.version == 1
    assert sum("/file" in request for request in hub.requests) == 2


def test_after_a_restart_the_version_in_use_is_known(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    adopter(hub, tmp_path, {}).agent.step()
    again = adopter(hub, tmp_path, {})
    again.agent.step()
    assert "adopted" not in again.phases


def test_the_cache_of_skills_stays_small_and_keeps_the_one_in_use(hub: LyingHub, tmp_path: Path) -> None:
    robot = adopter(hub, tmp_path, {1: 1.0})
    hub.publish(small_skill(1))
    robot.agent.step()
    for version in range(2, 9):
        hub.publish(small_skill(version))
        robot.agent.step()
    assert len(list((tmp_path / "skills").iterdir())) <= 4
    assert robot.bench.skill(hub.versions[1].digest) is not None
