"""The gate: candidate and reference in the same held-out jobs, batch by batch, until it is clear.

A `Gate` is a plain call (`hub.workers.job`). `HeldOutGate` plays by `hub.workers.scoring`, in workshops that
no robot trained in; what the pairs say is `hub.workers.paired_test`'s. What follows from a report is the
engine's.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envs.evaluate import Evaluation, pool
from envs.task import Task, load_task
from hub.workers.job import Gate
from hub.workers.paired_test import Limits, Pairs, Verdict, unseen, verdict, verdict_but_one
from hub.workers.scoring import score_skill, score_view
from skills.errors import ContractError
from skills.messages.leaderboards import Draw, draws_of
from skills.messages.plans import GatePlan
from skills.messages.skills import Compared, GateReport
from skills.skill import Skill

__all__ = ["HeldOutGate", "Match", "play_match"]

REMEMBERED = 512
EXPLORING_EPISODES = 8
"""Of each embodiment with exploration: enough to see that it breaks a skill, and a small part of a gate."""
ScoresByArm = dict[str, Evaluation]
Play = Callable[[int], ScoresByArm]
"""Plays a batch, counted from 0, on each arm."""
VERDICTS = {
    "not worse": "passes",
    "worse": "does not pass",
    "open": "does not pass, for it is not clear by then",
}


@dataclass(frozen=True)
class Match:
    """Two versions in the same jobs, as many as it took; `weak`: the arm without which it is the verdict."""

    candidate: ScoresByArm
    reference: ScoresByArm
    verdict: Verdict
    weak: str = ""

    @property
    def pairs(self) -> dict[str, Pairs]:
        """The jobs of each arm."""
        return {arm: _pairs(mine, self.reference[arm]) for arm, mine in self.candidate.items()}


def play_match(candidate: Play, reference: Play, plan: GatePlan) -> Match:
    """Have both play batch after batch, until it is clear or there were as many as may be."""
    limits = Limits(plan.margin, max(plan.margin, plan.arm_margin), plan.alpha, plan.power)
    match = Match(candidate(0), reference(0), "open")
    for batch in range(1, plan.batches + 1):
        if plan.on_weak_arm == "reject":
            found, weak = verdict(match.pairs, limits), ""
        else:
            found, weak = verdict_but_one(match.pairs, limits, last=batch == plan.batches)
        match = Match(match.candidate, match.reference, found, weak)
        if match.verdict != "open" or batch == plan.batches:
            break
        mine, theirs = candidate(batch), reference(batch)
        match = Match(_both(match.candidate, mine), _both(match.reference, theirs), "open")
    return match


class HeldOutGate:
    """Plays in the plan's workshops; a version with nothing to be compared with plays two batches.

    What a version played with the same seed it does not play again: same seed, same outcome.
    """

    def __init__(self) -> None:
        self._played: OrderedDict[tuple[object, ...], ScoresByArm] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        """Measure and judge.

        Raises:
            ContractError: The task is unknown here or has another contract, or no arm of the plan is known.
        """
        return self._judge(candidate, current, plan, None)

    def on(self, folder: Path) -> Gate:
        """The same gate on the task in a folder, whatever has its name elsewhere."""
        return lambda candidate, current, plan: self._judge(candidate, current, plan, load_task(folder))

    def _judge(
        self, candidate: Skill, current: Skill | None, plan: GatePlan, found: Task | None
    ) -> GateReport:
        started = time.monotonic()
        task = found or load_task(candidate.manifest.task)
        arms = _arms(plan, task)

        def plays(skill: Skill) -> Play:
            return lambda batch: self._play(skill, task, plan.draws(batch), arms)

        def explored(skill: Skill) -> Evaluation:
            draws = draws_of(plan.seed, min(plan.episodes, EXPLORING_EPISODES))
            return pool(self._play(skill, task, draws, arms, exploring=True).values())

        if current is None:
            mine = plays(candidate)
            played = mine(0) if plan.batches == 1 else _both(mine(0), mine(1))
            report = _alone(played, explored(candidate))
        else:
            match = play_match(plays(candidate), plays(current), plan)
            report = _compared(match, current, plan, explored(candidate), explored(current))
        return report.model_copy(update={"seconds": time.monotonic() - started})

    def _play(
        self, skill: Skill, task: Task, draws: tuple[Draw, ...], arms: list[str], *, exploring: bool = False
    ) -> ScoresByArm:
        key = (skill.digest, task.digest, draws, *arms, exploring)
        with self._lock:
            if key not in self._played:
                found = score_skill(skill, task, draws, arms, exploring=exploring)
                self._played[key] = found.by_embodiment
            self._played.move_to_end(key)
            while len(self._played) > REMEMBERED:
                self._played.popitem(last=False)
            return self._played[key]


def _alone(mine: ScoresByArm, exploring: Evaluation) -> GateReport:
    score = pool(mine.values())
    return GateReport(
        passed=True,
        reason=f"The candidate succeeds in {_share(score)}; nothing to compare.",
        candidate=score_view(score),
        exploring=score_view(exploring),
        by_embodiment={arm: score_view(each) for arm, each in mine.items()},
        seconds=0,
    )


def _compared(
    match: Match, current: Skill, plan: GatePlan, exploring: Evaluation, current_exploring: Evaluation
) -> GateReport:
    """What a match came to.

    Nor may the candidate's exploration break it: the intervals of the few episodes with exploration must not
    lie further apart than the margin.
    """
    mine, theirs = pool(match.candidate.values()), pool(match.reference.values())
    compared = _told(match, current.digest, theirs, plan.alpha)
    name = f"v{current.manifest.version}"
    without = f", but not on {match.weak}" if match.weak else ""
    broken = exploring.high < current_exploring.low - plan.margin
    reason = (
        f"The candidate {VERDICTS[match.verdict]}{without}: it succeeds in {_share(mine)}, {name} in "
        f"{theirs.score:.1%}; {compared.in_words()}."
    )
    if match.verdict == "not worse" and broken:
        reason = (
            f"The candidate does not pass: with the exploration of its training it succeeds in "
            f"{_share(exploring)}, {name} in {current_exploring.score:.1%}."
        )
    return GateReport(
        passed=match.verdict == "not worse" and not broken,
        reason=reason,
        candidate=score_view(mine),
        current=score_view(theirs),
        compared=compared,
        failed_on=(match.weak,) if match.weak else (),
        exploring=score_view(exploring),
        current_exploring=score_view(current_exploring),
        by_embodiment={arm: score_view(score) for arm, score in match.candidate.items()},
        seconds=0,
    )


def _share(score: Evaluation) -> str:
    return f"{score.score:.1%} of {score.episodes} episodes"


def _told(match: Match, reference: str, score: Evaluation, alpha: float) -> Compared:
    pairs = match.pairs
    wins, losses = (sum(getattr(each, name) for each in pairs.values()) for name in ("wins", "losses"))
    return Compared(
        reference=reference,
        score=score_view(score),
        jobs=score.episodes,
        wins=wins,
        losses=losses,
        verdict=match.verdict,
        unseen=unseen(Pairs(wins, losses, score.episodes), alpha),
        unseen_by_embodiment={arm: unseen(each, alpha) for arm, each in pairs.items()},
    )


def _pairs(mine: Evaluation, theirs: Evaluation) -> Pairs:
    both = list(zip(mine.each, theirs.each, strict=True))
    return Pairs(both.count((True, False)), both.count((False, True)), len(both))


def _both(before: ScoresByArm, batch: ScoresByArm) -> ScoresByArm:
    return {arm: pool([score, batch[arm]]) for arm, score in before.items()}


def _arms(plan: GatePlan, task: Task) -> list[str]:
    admitted = task.file.embodiments
    arms = plan.embodiments or admitted
    simulated = [arm for arm in arms if arm in admitted]
    if not simulated:
        raise ContractError(
            f"{task.name} admits none of {', '.join(arms)}.",
            where="gate.embodiments",
            remedy=f"Name one of {', '.join(admitted)}.",
        )
    return simulated
