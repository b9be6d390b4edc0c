"""A campaign that releases for the other arms: a real hub, its gate's rule, and robots of two arms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from envs.evaluate import Evaluation
from envs.task import Task, load_task
from hub.workers import gate
from hub.workers.gate import HeldOutGate
from hub.workers.scoring import Scoring
from skills.messages.leaderboards import Draw
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.skill import Skill
from tests.eventually import eventually
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.hub.conftest import Hall, Hands, StubGate, ok, small_settings
from tests.hub.idle import does_nothing
from tests.hub.serving import serving

ARMS = ("panda", "ur5e")
WEAK_ON_PANDA = {2, 3}
ORDER = {"skill": "follow", "quorum": 2, "target": 2, "merge": {"step": 1.0}}


class PlayedGate(StubGate):
    """The gate as it is, on arms that are played by the book: who fails where is known by the version."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._real = HeldOutGate()
        monkeypatch.setattr(gate, "load_task", lambda _name: load_task("weld-seam"))
        monkeypatch.setattr(gate, "score_skill", _play)

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        return self._real(candidate, current, plan)


def _play(
    skill: Skill, _task: Task, draws: Sequence[Draw], arms: Sequence[str], *, exploring: bool
) -> Scoring:
    episodes = sum(draw.episodes for draw in draws)

    def played(arm: str) -> Evaluation:
        fails = arm == "panda" and skill.manifest.version in WEAK_ON_PANDA
        won = 0 if does_nothing(skill) else episodes // 4 if fails and not exploring else episodes
        each = (True,) * won + (False,) * (episodes - won)
        return replace(Evaluation.count(won, episodes), each=each)

    return Scoring({arm: played(arm) for arm in arms})


def in_use(robot: SmallRobot) -> int:
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


def work_until(done: Callable[[], bool], robots: Sequence[SmallRobot]) -> None:
    """Let all robots go on until something has come about."""

    def look() -> bool:
        for robot in robots:
            robot.agent.step()
        return done()

    eventually(look, "the rounds of the campaign")


def test_robots_of_the_arm_that_a_version_failed_on_keep_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Hands()
    clock.now = datetime.now(UTC)
    settings = small_settings(tmp_path / "hub").model_copy(update={"clock_skew_seconds": 10**9})
    hall = Hall(settings, PlayedGate(monkeypatch), clock)

    def robot(name: str, arm: str) -> SmallRobot:
        token = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
        return make_robot(tmp_path / name, url, name=name, embodiment=arm, token=token, place=SmallPlace())

    def campaign(rounds: int, number: int) -> None:
        order = {**ORDER, "rounds": rounds, "gate": {"embodiments": ARMS, "on_weak_arm": "release_others"}}
        ok(hall.post("/campaigns", order))
        work_until(lambda: hall.version("stable", "follow").version == number, robots)

    with serving(hall.app) as url:
        ok(hall.publish(small_skill(1)))
        hall.release(1, "follow")
        robots = [robot("one", "ur5e"), robot("two", "panda")]
        campaign(2, 3)
        work_until(lambda: in_use(robots[0]) == 3, robots)
        assert in_use(robots[1]) == 1
        newcomer = robot("three", "panda")
        newcomer.agent.step()
        assert in_use(newcomer) == 1
        stable, kept = hall.version("stable", "follow"), hall.version(1, "follow")
        assert stable.gate is not None
        assert (stable.gate.failed_on, kept.kept_on) == (("panda",), ("panda",))
        assert stable.gate.kept["panda"].reference == kept.digest
        campaign(1, 4)
        work_until(lambda: [in_use(each) for each in robots] == [4, 4], robots)
    hall.client.close()


def test_a_campaign_that_does_not_say_so_rejects_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(small_settings(tmp_path / "hub"), PlayedGate(monkeypatch), Hands())
    ok(hall.publish(small_skill(1)))
    hall.release(1, "follow")
    robots = [hall.enrol("one"), hall.enrol("two", "panda")]
    campaign = hall.start(skill="follow", rounds=1, gate={"embodiments": ARMS})
    hall.turn()
    for each in robots:
        work = each.assignment("follow")
        assert work is not None
        ok(
            each.push(
                work.round_id, each.delta(work, {n: t + 0.1 for n, t in small_skill(1).tensors.items()})
            )
        )
    hall.turn()
    assert hall.campaign(campaign).rounds[0].state == "rejected"
    assert hall.version("stable", "follow").version == 1
    hall.close()
