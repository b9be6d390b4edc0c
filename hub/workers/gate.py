"""The gate: candidate and current version, same held-out jobs, same seeds; only what is not worse passes.

A `Gate` is a plain call (`hub.workers.job`). `HeldOutGate` measures by `hub.workers.scoring`, in workshops
that no robot trained in. What follows from a report is the engine's.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from envs.evaluate import Evaluation, pool
from envs.task import Task, load_task
from hub.workers.job import Gate
from hub.workers.scoring import score_skill, score_view
from skills.errors import ContractError
from skills.messages.leaderboards import draws_of
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.skill import Skill

__all__ = ["HeldOutGate", "judge"]

REMEMBERED = 64
EXPLORING_EPISODES = 8
"""Of each embodiment with exploration: enough to see that it breaks a skill, and a small part of a gate."""
ScoresByArm = dict[str, Evaluation]


@dataclass(frozen=True)
class Measured:
    """How a version did on each arm, and on all together with the noise of training."""

    by_arm: ScoresByArm
    exploring: Evaluation


class HeldOutGate:
    """Measures in fresh workshops, one for each 32 episodes of an arm, drawn from the plan's seed.

    A version that was measured before with the same plan is not measured again: same seed, same score.
    """

    def __init__(self) -> None:
        self._measured: OrderedDict[tuple[str, str, str], Measured] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        """Measure and judge.

        Raises:
            ContractError: The task is unknown here or has another contract, or no arm of the plan is known.
        """
        return self._compare(candidate, current, plan, None)

    def on(self, folder: Path) -> Gate:
        """The same gate on the task in a folder, whatever has its name elsewhere."""
        return lambda candidate, current, plan: self._compare(candidate, current, plan, load_task(folder))

    def _compare(
        self, candidate: Skill, current: Skill | None, plan: GatePlan, task: Task | None
    ) -> GateReport:
        started = time.monotonic()
        mine = self._measure(candidate, plan, task)
        theirs = self._measure(current, plan, task) if current is not None else None
        return judge(
            mine.by_arm,
            theirs.by_arm if theirs else None,
            plan.tolerance,
            exploring=mine.exploring,
            current_exploring=theirs.exploring if theirs else None,
            seconds=time.monotonic() - started,
        )

    def _measure(self, skill: Skill, plan: GatePlan, found: Task | None) -> Measured:
        task = found or load_task(skill.manifest.task)
        key = (skill.digest, task.digest, plan.model_dump_json(exclude={"tolerance"}))
        with self._lock:
            if key not in self._measured:
                self._measured[key] = Measured(measure(skill, plan, task), explore(skill, plan, task))
            self._measured.move_to_end(key)
            while len(self._measured) > REMEMBERED:
                self._measured.popitem(last=False)
            return self._measured[key]


def measure(skill: Skill, plan: GatePlan, task: Task) -> ScoresByArm:
    """Score a skill on every arm of the plan that this hub can simulate.

    Raises:
        ContractError: See `HeldOutGate`.
    """
    return score_skill(skill, task, draws_of(plan.seed, plan.episodes), _arms(plan, task)).by_embodiment


def explore(skill: Skill, plan: GatePlan, task: Task) -> Evaluation:
    """Score a skill as robots that start to train with it would: with its exploration, in few episodes.

    Raises:
        ContractError: See `HeldOutGate`.
    """
    draws = draws_of(plan.seed, min(plan.episodes, EXPLORING_EPISODES))
    return pool(score_skill(skill, task, draws, _arms(plan, task), exploring=True).by_embodiment.values())


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


def judge(
    candidate: ScoresByArm,
    current: ScoresByArm | None,
    tolerance: float,
    *,
    seconds: float,
    exploring: Evaluation | None = None,
    current_exploring: Evaluation | None = None,
) -> GateReport:
    """Compare two measurements: the candidate passes when it is at most `tolerance` worse.

    Nor may its exploration break it: the intervals of the few episodes with exploration must not lie further
    apart than the tolerance.
    """
    mine = pool(candidate.values())
    theirs = pool(current.values()) if current is not None else None
    good = theirs is None or mine.score >= theirs.score - tolerance
    broken = exploring and current_exploring and exploring.high < current_exploring.low - tolerance
    reason = _reason(mine, theirs, tolerance, passed=good)
    if good and broken and exploring and current_exploring:
        reason = (
            f"The candidate does not pass: with the exploration of its training it succeeds in "
            f"{exploring.score:.1%} of {exploring.episodes} episodes, the current version in "
            f"{current_exploring.score:.1%}."
        )
    return GateReport(
        passed=good and not broken,
        reason=reason,
        candidate=score_view(mine),
        current=score_view(theirs) if theirs else None,
        exploring=score_view(exploring) if exploring else None,
        current_exploring=score_view(current_exploring) if current_exploring else None,
        by_embodiment={arm: score_view(score) for arm, score in candidate.items()},
        seconds=seconds,
    )


def _reason(mine: Evaluation, theirs: Evaluation | None, tolerance: float, *, passed: bool) -> str:
    if theirs is None:
        return f"The candidate succeeds in {mine.score:.1%} of {mine.episodes} episodes; nothing to compare."
    verdict = "passes" if passed else "does not pass"
    return (
        f"The candidate {verdict}: it succeeds in {mine.score:.1%} of {mine.episodes} episodes, the current "
        f"version in {theirs.score:.1%}; at most {tolerance:.1%} less is allowed."
    )
