"""A robot tunes what it took into use once, between rounds, and the guild never sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleet.agent import AgentSettings
from fleet.personal import Tuning
from fleet.place import RobotError, StoppedError
from fleet.robot_folder import RobotFolder
from fleet.settings import RobotSettings
from skills.container import Tensors
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill

TUNING = Tuning(iterations=2, rate=0.1, episodes=8)
BETTER = (0.9, 0.8)  # than .5, on the episodes on which it is chosen, and on fresh ones
TUNED = ["pulling", "adopted", "training", "training", "tuned"]


def tuner(
    hub: LyingHub, home: Path, place: SmallPlace | None = None, tuning: Tuning | None = TUNING
) -> SmallRobot:
    settings = AgentSettings(look_seconds=0, tuning=tuning)
    return make_robot(home, hub.url, place=place or SmallPlace(tuned_scores=BETTER), settings=settings)


@dataclass
class Failing(SmallPlace):
    """Tuning fails once for each of `failures`."""

    failures: list[Exception] = field(default_factory=list)

    def tune(self, *arguments: Any) -> Tensors:
        if self.failures:
            raise self.failures.pop()
        return super().tune(*arguments)


def test_a_version_is_tuned_once_after_it_was_taken(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    robot = tuner(hub, tmp_path)
    waits = [robot.agent.step() for _ in range(4)]
    assert waits[:2] == [0, 0]
    assert robot.phases == [*TUNED, "waiting"]
    record, skill = robot.bench.personal_skill("follow", hub.versions[1].digest) or pytest.fail("nothing")
    assert (record.share, record.score, record.guild_score, record.version) == (0.25, 0.8, 0.5, 1)
    assert skill.digest == record.digest != hub.versions[1].digest
    again = tuner(hub, tmp_path)
    again.agent.step()
    assert again.phases == ["waiting"]


def test_a_robot_tunes_nothing_unless_its_owner_says_so(hub: LyingHub, tmp_path: Path) -> None:
    assert RobotSettings().for_agent().tuning is None
    assert RobotSettings(tune_iterations=3, tune_rate=1e-3).for_agent().tuning == Tuning(3, 1e-3)
    assert RobotSettings().for_tuning() == Tuning()
    hub.publish(small_skill())
    robot = tuner(hub, tmp_path, tuning=RobotSettings().for_agent().tuning)
    for _ in range(3):
        robot.agent.step()
    assert robot.phases == ["pulling", "adopted", "waiting"]


def test_a_new_version_makes_what_was_tuned_void_and_is_tuned_itself(hub: LyingHub, tmp_path: Path) -> None:
    robot = tuner(hub, tmp_path)
    for version in (1, 2):
        hub.publish(small_skill(version))
        robot.agent.step()
        assert robot.phases[-1] == "adopted"
        assert robot.bench.personal_skill("follow", hub.versions[version].digest) is None
        robot.agent.step()
        assert robot.phases[-1] == "tuned"
        assert robot.bench.personal_skill("follow", hub.versions[version].digest) is not None
    assert robot.bench.personal_skill("follow", hub.versions[1].digest) is None


def test_rounds_begin_from_the_guild_s_version_and_give_the_same_with_and_without(
    hub: LyingHub, tmp_path: Path
) -> None:
    base = hub.publish(small_skill()).digest
    deltas = []
    for tuning in (TUNING, None):
        robot = tuner(hub, tmp_path, tuning=tuning)
        for _ in range(2):
            robot.agent.step()
        assert (robot.bench.personal_skill("follow", base) is not None) == (tuning is not None)
        hub.order(1)
        robot.agent.step()
        assert robot.phases[-1] == "pushed"
        assert hub.delta("r-anna round-1").header.base == base
        deltas.append(hub.deltas.pop("r-anna round-1"))
        hub.assignment = None
        for file in tmp_path.glob("follow.personal.*"):
            file.unlink()
    assert deltas[0] == deltas[1]


def test_a_robot_that_ends_while_it_tunes_keeps_nothing_and_tunes_later(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill())
    robot = tuner(hub, tmp_path, Failing(tuned_scores=BETTER, failures=[StoppedError()]))
    robot.agent.step()
    assert robot.agent.step() == 0
    assert robot.phases[-1] == "adopted"
    assert robot.bench.personal("follow") is None
    robot.agent.step()
    assert robot.phases == TUNED


def test_a_robot_that_fails_while_it_tunes_tunes_later(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    silent = RobotError("the controller does not answer.")
    robot = tuner(hub, tmp_path, Failing(tuned_scores=BETTER, failures=[silent]))
    robot.agent.step()
    assert robot.agent.step() > 0
    assert robot.phases[-1] == "failed"
    robot.agent.step()
    assert robot.phases[-1] == "tuned"


def test_tuning_that_diverges_is_reported_once_and_the_guild_s_skill_stays(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill())
    robot = tuner(hub, tmp_path, tuning=Tuning(iterations=2, rate=1e9))
    for _ in range(4):
        robot.agent.step()
    assert robot.phases == [*TUNED[:-1], "failed", "waiting"]
    assert "The guild's skill stays." in next(p.text for p in robot.said if p.phase == "failed")
    assert robot.bench.personal("follow") is None


def test_where_nothing_is_better_that_is_remembered_and_the_guild_s_skill_used(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill())
    robot = tuner(hub, tmp_path, SmallPlace(tuned_scores=(0.9, 0.5)))
    for _ in range(3):
        robot.agent.step()
    assert robot.phases == [*TUNED, "waiting"]
    assert "the guild's skill stays" in next(p.text for p in robot.said if p.phase == "tuned")
    assert robot.bench.personal_skill("follow", hub.versions[1].digest) is None


def test_a_damaged_file_is_not_used_and_files_are_for_the_owner_s_eyes_only(
    hub: LyingHub, tmp_path: Path
) -> None:
    digest = hub.publish(small_skill()).digest
    robot = tuner(hub, tmp_path)
    for _ in range(2):
        robot.agent.step()
    files = list(tmp_path.glob("follow.personal.*"))
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    (file,) = tmp_path.glob("*.personal.skill")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert RobotFolder(tmp_path).personal_skill("follow", digest) is None
