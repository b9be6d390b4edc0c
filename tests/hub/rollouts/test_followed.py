"""Robots follow their rings over real HTTP, and a version that was stopped is left by whoever had it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.agent import AgentSettings
from fleet.reporting import count_job
from hub.settings import Settings
from skills.messages.reports import FleetRobot
from skills.rings import RolloutNote
from skills.targets import channel_target
from tests.eventually import eventually
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.hub.conftest import Hall, Hands, StubGate, ok
from tests.hub.rollouts.halls import RING
from tests.hub.serving import serving
from tests.hub.tuf.test_repository import targets

AT_ONCE = AgentSettings(look_seconds=0)


@contextmanager
def guild(settings: Settings) -> Iterator[tuple[Hall, str]]:
    clock = Hands()
    clock.now = datetime.now(UTC)
    hall = Hall(settings.model_copy(update={"clock_skew_seconds": 10**9}), StubGate(), clock)
    ok(hall.publish(small_skill(1)))
    hall.release(1, "follow")
    ok(hall.publish(small_skill(2)))
    with serving(hall.app) as url:
        yield hall, url
    hall.client.close()


def joined(hall: Hall, url: str, home: Path, settings: AgentSettings = AT_ONCE) -> SmallRobot:
    token = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    place = SmallPlace(scores={1: 0.5, 2: 0.9})  # in the twin the second one is better
    return make_robot(home, url, name=home.name, token=token, place=place, settings=settings)


def in_use(robot: SmallRobot) -> int:
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


def work(robot: SmallRobot, jobs: str) -> None:
    """Do jobs with whatever is in use, good (1) or bad (0)."""
    for each in jobs:
        count_job(robot.bench, "follow", in_use(robot), done=each == "1", guards={"fresh": each == "0"})


def begin(hall: Hall, first: SmallRobot) -> str:
    """A roll-out that begins with one robot and goes on with all."""
    named = {**RING, "robots": [first.bench.identity().robot_id]}
    request = {"skill": "follow", "version": 2, "rings": [named, RING]}
    rollout_id = str(ok(hall.post("/rollouts", request)).json()["rollout_id"])
    until(hall, rollout_id, "open")
    return rollout_id


def until(hall: Hall, rollout_id: str, state: str) -> None:
    """The hub's own loops move it on."""
    eventually(lambda: hall.get(f"/rollouts/{rollout_id}")["state"] == state, f"a roll-out that is {state}")


def claims(hall: Hall) -> dict[str, FleetRobot]:
    shown = [FleetRobot.model_validate(each) for each in hall.get("/fleet?skill=follow")]
    return {each.name: each for each in shown}


def test_the_whole_way_of_a_version_that_fails_at_work(tmp_path: Path) -> None:
    with guild(Settings.model_validate({**small(tmp_path / "hub")})) as (hall, url):
        first, second, away = (joined(hall, url, tmp_path / name) for name in ("first", "second", "away"))
        for robot in (first, second, away):
            robot.agent.step()
            work(robot, "1" * 30)
        rollout_id = begin(hall, first)
        for robot in (first, second, away):
            robot.agent.step()
        assert [in_use(each) for each in (first, second, away)] == [2, 1, 1]
        new = joined(hall, url, tmp_path / "new")
        new.agent.step()
        assert in_use(new) == 1, "who joins takes what passed all rings"
        work(first, "0" * 30)
        first.agent.step()
        told = claims(hall)["first"].report
        assert told is not None
        assert (told.version, told.tally(2).failed, told.guards) == (2, 30, {"fresh": 30})
        assert told.since is not None
        until(hall, rollout_id, "stopped")
        for robot in (first, second, new):
            robot.agent.step()
        assert [in_use(each) for each in (first, second, new)] == [1, 1, 1]
        assert any("was stopped" in each.text for each in first.said)
        for robot in (first, second, new):
            robot.agent.step()
        assert [name for name, each in claims(hall).items() if each.drifts] == []


def test_a_robot_that_was_away_during_the_rollback_leaves_the_version_before_anything_else(
    tmp_path: Path,
) -> None:
    with guild(Settings.model_validate({**small(tmp_path / "hub")})) as (hall, url):
        robot = joined(hall, url, tmp_path / "robot")
        robot.agent.step()
        rollout_id = begin(hall, robot)
        robot.agent.step()
        assert in_use(robot) == 2
        order = {"order": "abort", "reason": "seams too wide"}
        ok(hall.post(f"/rollouts/{rollout_id}/orders", order))
        again = make_robot(tmp_path / "robot", url, name="robot", place=SmallPlace(scores={1: 0.0, 2: 1.0}))
        again.agent.look()
        assert in_use(again) == 1, "though it did better in the twin"
        again.agent.look()
        assert in_use(again) == 1


def test_a_version_that_cannot_be_had_again_leaves_the_robot_without_one(tmp_path: Path) -> None:
    with guild(Settings.model_validate({**small(tmp_path / "hub")})) as (hall, url):
        robot = joined(hall, url, tmp_path / "robot")
        robot.agent.step()
        rollout_id = begin(hall, robot)
        robot.agent.step()
        ok(hall.post(f"/rollouts/{rollout_id}/orders", {"order": "abort", "reason": "no good"}))
        old = hall.version(1, "follow").digest
        robot.bench.skill_file(old).unlink()
        hall.services.storage.stores.of("").delete(old)
        robot.agent.step()
        assert in_use(robot) == 0


def test_a_setting_sends_nothing(tmp_path: Path) -> None:
    with guild(Settings.model_validate({**small(tmp_path / "hub")})) as (hall, url):
        silent = joined(hall, url, tmp_path / "silent", AgentSettings(look_seconds=0, reports=False))
        silent.agent.step()
        work(silent, "11")
        silent.agent.step()
        assert (in_use(silent), claims(hall)["silent"].report) == (1, None)


def test_moving_one_robot_takes_signed_words_that_everybody_reads(tmp_path: Path) -> None:
    with guild(Settings.model_validate({**small(tmp_path / "hub")})) as (hall, url):
        first, second = (joined(hall, url, tmp_path / name) for name in ("first", "second"))
        for robot in (first, second):
            robot.agent.step()
        rollout_id = begin(hall, first)
        signed = targets(hall)[channel_target("follow", "rollout")].custom
        note = RolloutNote.model_validate(signed)
        assert note.rollout == rollout_id
        assert len(note.rings[0].robots or ()) == 1, "that one robot is meant stands in what all robots read"
        for robot in (first, second):
            robot.agent.step()
            seen = robot.bench.metadata.glob("*-guild.json")
            assert any(rollout_id in path.read_text() for path in seen)


def small(folder: Path) -> dict[str, object]:
    return {
        "data_dir": folder,
        "admin_token": "zt_admin-token-of-the-tests",
        "console": False,
        "leaderboards": False,
    }


@pytest.mark.parametrize("jobs", ["1", "0" * 70])
def test_jobs_are_counted_on_disk_and_outlive_a_restart(tmp_path: Path, jobs: str) -> None:
    with guild(Settings.model_validate({**small(tmp_path / "hub")})) as (hall, url):
        robot = joined(hall, url, tmp_path / "robot")
        robot.agent.step()
        work(robot, jobs)
        again = make_robot(tmp_path / "robot", url, name="robot", place=SmallPlace(), settings=AT_ONCE)
        again.agent.step()
        told = claims(hall)["robot"].report
        assert told is not None
        assert told.tally(1).jobs == len(jobs)
