from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from envs.evaluate import Evaluation
from envs.task import Task
from hub.workers import gate
from hub.workers.gate import HeldOutGate
from hub.workers.measuring import with_best, with_kept
from hub.workers.scoring import Scoring
from skills.messages.leaderboards import Draw
from skills.messages.plans import GatePlan
from skills.skill import Skill
from tests.hub.workers.test_gate import weld_skill

PLAN = GatePlan(embodiments=("ur5e", "panda"), episodes=32)


class Played:
    """Stands for the simulation: what share of each batch a version succeeds in, by its number and arm."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shares: dict[int, dict[str, float]]) -> None:
        self.shares = shares
        self.calls: list[tuple[int, bool]] = []
        monkeypatch.setattr(gate, "score_skill", self)

    def __call__(
        self, skill: Skill, _task: Task, draws: Sequence[Draw], arms: Sequence[str], *, exploring: bool
    ) -> Scoring:
        number = skill.manifest.version
        self.calls.append((number, exploring))
        share = self.shares[-number if exploring and -number in self.shares else number]
        episodes = sum(draw.episodes for draw in draws)
        return Scoring({arm: counted(share[arm], episodes) for arm in arms})

    def batches(self, number: int) -> int:
        return self.calls.count((number, False))


def counted(share: float, episodes: int) -> Evaluation:
    won = round(share * episodes)
    each = (True,) * won + (False,) * (episodes - won)
    return replace(Evaluation.count(won, episodes), each=each)


def version(number: int) -> Skill:
    skill = weld_skill(number)
    return Skill(skill.manifest.model_copy(update={"version": number}), skill.tensors)


def alike(share: float) -> dict[str, float]:
    return {"ur5e": share, "panda": share}


def test_what_is_clear_takes_few_batches_and_what_is_close_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Played(monkeypatch, {1: alike(0.5), 2: alike(0.75), 3: alike(0.47), 4: alike(0.25)})
    examine, one = HeldOutGate(), version(1)
    assert examine(version(2), one, PLAN).passed
    assert found.batches(2) == found.batches(1) == 1
    close = examine(version(3), one, PLAN)
    assert found.batches(3) == found.batches(1) > 2
    assert close.compared is not None
    assert (close.compared.wins, close.compared.losses) == (0, 2 * found.batches(3))
    assert close.compared.jobs == close.candidate.episodes == 64 * found.batches(3)
    assert not examine(version(4), one, PLAN).passed
    assert found.batches(4) < found.batches(3)


def test_a_report_says_what_could_not_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, {1: alike(0.5), 2: alike(0.5)})
    report = HeldOutGate()(version(2), version(1), PLAN)
    assert report.compared is not None
    assert 0 < report.compared.unseen <= PLAN.margin
    assert set(report.compared.unseen_by_embodiment) == {"ur5e", "panda"}
    assert f"a loss of up to {100 * report.compared.unseen:.1f} points" in report.reason
    assert "v1 in 50.0%" in report.reason


def test_what_is_not_clear_by_the_most_episodes_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Played(monkeypatch, {1: alike(0.5), 2: alike(0.5)})
    report = HeldOutGate()(version(2), version(1), PLAN.model_copy(update={"episodes": 4, "most": 8}))
    assert report.compared is not None
    assert (report.passed, report.compared.verdict) == (False, "open")
    assert "not clear" in report.reason
    assert found.batches(2) == 2


def test_no_arm_is_sacrificed_for_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, {1: alike(0.5), 2: {"ur5e": 1.0, "panda": 0.1}})
    report = HeldOutGate()(version(2), version(1), PLAN)
    assert report.current is not None
    assert report.candidate.score > report.current.score
    assert not report.passed


@pytest.mark.parametrize(("after", "passed"), [(0.75, True), (0.625, True), (0.125, False)])
def test_a_candidate_whose_exploration_breaks_it_does_not_pass(
    *, after: float, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Played(monkeypatch, {1: alike(0.75), 2: alike(0.75), -1: alike(0.75), -2: alike(after)})
    report = HeldOutGate()(version(2), version(1), PLAN)
    assert report.passed == passed
    assert ("exploration" in report.reason) == (not passed)
    assert report.exploring is not None
    assert report.exploring.score == after


def test_what_was_played_is_not_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Played(monkeypatch, {1: alike(0.5), 2: alike(0.5)})
    examine, wide = HeldOutGate(), PLAN.model_copy(update={"margin": 1.0})
    examine(version(1), None, wide)
    examine(version(2), version(1), wide)
    assert (found.batches(1), found.batches(2)) == (2, 1)
    examine(version(2), version(1), PLAN)
    assert (found.batches(1), found.batches(2)) == (2, 2)
    examine(version(1), None, wide.model_copy(update={"seed": 1}))
    assert found.batches(1) == 4


def test_who_passes_is_held_to_the_best_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, {1: alike(0.8), 2: alike(0.7), 3: alike(0.7)})
    examine = HeldOutGate()
    stable, best = examine(version(3), version(2), PLAN), examine(version(3), version(1), PLAN)
    found = with_best(stable, best)
    assert (stable.passed, found.passed) == (True, False)
    assert (found.current, found.best) == (stable.current, best.compared)
    assert "The best version so far: The candidate does not pass" in found.reason


OTHERS = PLAN.model_copy(update={"on_weak_arm": "release_others"})


def test_who_fails_on_one_arm_may_pass_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, {1: alike(0.5), 2: {"ur5e": 0.5, "panda": 0.1}, 3: alike(0.1), 4: alike(0.5)})
    examine, one = HeldOutGate(), version(1)
    found = examine(version(2), one, OTHERS)
    assert (found.passed, found.failed_on) == (True, ("panda",))
    assert "passes, but not on panda" in found.reason
    assert not examine(version(2), one, PLAN).passed
    assert not examine(version(3), one, OTHERS).passed
    assert (examine(version(4), one, OTHERS).passed, examine(version(4), one, OTHERS).failed_on) == (True, ())


def test_an_arm_that_has_an_older_version_is_held_to_that(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, {1: alike(0.8), 2: {"ur5e": 0.8, "panda": 0.1}, 3: {"ur5e": 0.8, "panda": 0.2}})
    examine, panda, ur5e = HeldOutGate(), OTHERS.on(("panda",)), OTHERS.on(("ur5e",))
    assert examine(version(3), version(2), panda).passed  # no worse than what sacrificed it
    stable, kept = examine(version(3), version(2), ur5e), examine(version(3), version(1), panda)
    found = with_kept(stable, "panda", kept, may_fail=True)
    assert (found.passed, found.failed_on) == (True, ("panda",))
    assert not with_kept(stable, "panda", kept, may_fail=False).passed
    assert found.kept["panda"].reference == version(1).digest
    assert found.candidate.episodes == stable.candidate.episodes + kept.candidate.episodes
    assert found.candidate.low < found.candidate.score < found.candidate.high
    assert set(found.by_embodiment) == {"ur5e", "panda"}


def test_batches_have_jobs_of_their_own_in_the_same_workshops() -> None:
    plan = GatePlan(episodes=33, most=100)
    first, second = plan.draws(0), plan.draws(1)
    assert [draw.workshop for draw in first] == [draw.workshop for draw in second] == [20_000, 20_001]
    assert not {draw.jobs for draw in first} & {draw.jobs for draw in second}
    assert {draw.episodes for draw in first} == {17}
    assert plan.batches == 3
    assert len(GatePlan(episodes=1).draws(0)) == 1


def test_an_order_from_before_keeps_its_meaning() -> None:
    found = GatePlan.model_validate_json('{"episodes": 64, "tolerance": 0.25, "seed": 5}')
    assert (found.episodes, found.margin, found.seed) == (64, 0.25, 5)
    assert GatePlan.model_validate({"tolerance": 0.0}) == GatePlan()
    assert GatePlan.model_validate(found.model_dump()) == found
    with pytest.raises(ValidationError):
        GatePlan.model_validate({"tolerance": 2})
