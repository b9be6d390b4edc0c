"""What a gate job comes to: the candidate against all that it is held to, one match after the other.

Against the current version; on arms whose robots stay with an older one, against that; and against the best
of the lineage. Then what each delta was good for, and the skill's minimum, where that is asked. Playing and
judging one match is a gate's (`hub.workers.gate`), signing what came out `hub.workers.gate_key`'s.
"""

from __future__ import annotations

from envs.evaluate import wilson_interval
from hub.workers.bench import Bench
from hub.workers.contributions import contributions
from hub.workers.gate_key import vouch_for
from hub.workers.job import Gate, Gated, GateJob
from hub.workers.merger import Merger
from hub.workers.minimum import held_to, idle_skill
from skills.manifest import Name
from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill

__all__ = ["measured", "with_best", "with_kept"]


def measured(job: GateJob, bench: Bench) -> Gated:
    """Do a gate job; see `hub.workers.job.Job`."""
    merger, gate, key = bench.merger(job.region), bench.gate(job.task), bench.gate_key()
    candidate = merger.skill(job.candidate)
    task = bench.measured_task(job.task, candidate.manifest.task)
    report = _compared(job, candidate, merger, gate, task.file.embodiments if task else ())
    if job.merged is not None:
        found = contributions(candidate, job.merged, job.root, merger, gate)
        report = report.model_copy(update={"contributions": found})
    if job.least is not None:
        report = held_to(job.least, report, lambda: gate(idle_skill(candidate), None, job.plan).candidate)
    digest = task.digest if task else None
    envelope = vouch_for(key, job, candidate.manifest, digest, report)
    return Gated(report=report, envelope=envelope.decode())


def _compared(
    job: GateJob, candidate: Skill, merger: Merger, gate: Gate, admitted: tuple[Name, ...]
) -> GateReport:
    plan = job.plan
    arms = tuple(arm for arm in plan.embodiments or admitted if arm not in job.kept)
    current = merger.skill(job.current) if job.current else None
    report = gate(candidate, current, plan.on(arms) if job.kept and arms else plan)
    report = report.model_copy(update={"failed_on": (*job.failed_on, *report.failed_on)})
    for arm, digest in sorted(job.kept.items()):
        if report.passed:
            against = gate(candidate, merger.skill(digest), plan.on((arm,)))
            report = with_kept(report, arm, against, may_fail=plan.on_weak_arm == "release_others")
    if report.passed and job.best:
        rest = tuple(arm for arm in plan.embodiments or admitted if arm not in report.failed_on)
        plan = plan.on(rest) if report.failed_on and rest else plan
        report = with_best(report, gate(candidate, merger.skill(job.best), plan))
    return report


def with_kept(report: GateReport, arm: Name, against: GateReport, *, may_fail: bool) -> GateReport:
    """A candidate that passed, held on one arm to what its robots stayed with.

    Args:
        report: What was said of it so far.
        arm: Of those robots.
        against: What was said of it there.
        may_fail: Whether the others get it all the same where it did not pass there.
    """
    changes = {
        "passed": against.passed or may_fail,
        "failed_on": report.failed_on if against.passed else (*report.failed_on, arm),
        "kept": {**report.kept, **({arm: against.compared} if against.compared else {})},
        "candidate": _pooled(report.candidate, against.candidate),
        "by_embodiment": {**report.by_embodiment, arm: against.candidate},
        "reason": f"{report.reason} On {arm}, whose robots have an older version: {against.reason}",
        "seconds": report.seconds + against.seconds,
    }
    return report.model_copy(update=changes)


def with_best(report: GateReport, against: GateReport) -> GateReport:
    """A candidate that passed, held to the best version of its lineage as well.

    Args:
        report: What was said of it so far.
        against: Against the best one.
    """
    failed_on = tuple(dict.fromkeys((*report.failed_on, *against.failed_on)))
    changes = {
        "passed": against.passed,
        "best": against.compared,
        "failed_on": failed_on,
        "reason": f"{report.reason} The best version so far: {against.reason}",
        "seconds": report.seconds + against.seconds,
    }
    return report.model_copy(update=changes)


def _pooled(one: ScoreView, other: ScoreView) -> ScoreView:
    """Both as one score, every episode counting the same."""
    episodes = one.episodes + other.episodes
    successes = round(one.score * one.episodes) + round(other.score * other.episodes)
    low, high = wilson_interval(successes, episodes)
    known = one.mean_return is not None and other.mean_return is not None
    total = (one.mean_return or 0.0) * one.episodes + (other.mean_return or 0.0) * other.episodes
    return ScoreView(
        score=successes / episodes,
        low=low,
        high=high,
        episodes=episodes,
        mean_return=total / episodes if known else None,
    )
