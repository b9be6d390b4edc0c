"""What a version must reach before it becomes stable: the success that its skill asks for, or more than none.

The rule, where a version is measured. Who is held to it and what follows is `hub.catalogue.releases`' and the
rounds'.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hub.workers.job import Least
from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill

__all__ = ["held_to", "idle_skill"]


def held_to(least: Least, report: GateReport, nothing: Callable[[], ScoreView]) -> GateReport:
    """The report, with what the minimum says of it.

    Args:
        least: The minimum.
        report: What the version scored.
        nothing: Measures what doing nothing scores on the same seeds; asked only where that is the minimum.
    """
    if least.success is not None:
        words = f"at least {least.success:.1%}"
        return _judged(report, words, None, reached=report.candidate.score >= least.success)
    idle = nothing()
    words = f"more than doing nothing does ({idle.score:.1%})"
    return _judged(report, words, idle, reached=report.candidate.score > idle.score)


def idle_skill(skill: Skill) -> Skill:
    """The policy that does nothing at a skill's task: action 0 whatever it sees; one for all its versions."""
    changes = {"version": 1, "parents": (), "origin": "initial", "round_id": None}
    manifest = skill.manifest.model_copy(update={**changes, "contributors": 0, "samples": 0})
    return Skill(manifest, {name: np.zeros_like(tensor) for name, tensor in skill.tensors.items()})


def _judged(report: GateReport, words: str, nothing: ScoreView | None, *, reached: bool) -> GateReport:
    verdict = "" if reached else f" To become stable it has to succeed in {words}."
    changes = {"reached": reached, "nothing": nothing, "reason": report.reason + verdict}
    return report.model_copy(update=changes)
