"""Why a policy does not succeed, condition by condition: what was reached, and what is asked for."""

from __future__ import annotations

import numpy as np

from envs.recording import record
from envs.task import Task
from envs.workshop import Workshop
from skills.player import Player

__all__ = ["shortfall"]


def shortfall(
    policy: Player, task: Task, workshop: Workshop, episodes: int, seed: int
) -> tuple[list[str], str]:
    """A sentence for each condition of success that is missed, and each failure; and the worst in words."""
    recorded = record(policy, task, workshop, episodes, seed)
    success = task.bundle.success
    missed: list[tuple[float, str, str]] = []
    for condition in success.steps:
        share = float(recorded.good([condition]).mean()) / recorded.counted
        value = float(np.median(recorded.last(condition.of)))
        said = f"In the steps {condition.words} holds in {share:.0%}; {success.share:.0%} are asked for"
        missed.append((share / success.share, f"{said} (at the end it is {value:.3g}).", condition.words))
    for condition in success.end:
        share = float(recorded.held_last(condition).mean())
        value = float(np.median(recorded.last(condition.of)))
        said = f"At the end {condition.words} holds in {share:.0%} of the episodes"
        missed.append((share, f"{said} (half of them reach {value:.3g}).", condition.words))
    for condition in task.bundle.failure:
        share = float(recorded.held_last(condition).mean())
        said = f"{condition.words} ends {share:.0%} of the episodes as failures."
        missed.append((1.0 - share, said, condition.words))
    missed = sorted(each for each in missed if each[0] < 1.0)
    if not missed:
        return ["Each condition holds often enough, but not all at once."], "a bound"
    return [said for _, said, _ in missed], missed[0][2]
