"""What a delta counts before the rule: environment steps up to a cap, less the later it came."""

from __future__ import annotations

from math import sqrt

from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["discount", "weight_of"]


def weight_of(
    samples: int, staleness: int, plan: MergePlan, training: TrainingPlan, robots: int = 1
) -> float:
    """Weight of a delta with so many environment steps behind it that came so many rounds late.

    Nobody counts more than what the plan says, or else than what any robot has done that did as it was told;
    a hall with so many robots no more than these. So deltas of halls that hand up the sum of their robots'
    weights as their samples are merged to what all robots' deltas at once would have been.
    """
    return min(samples, robots * (plan.sample_cap or training.steps_done)) * discount(staleness)


def discount(staleness: int) -> float:
    """Factor on the weight of a delta that comes so many rounds late."""
    return 1 / sqrt(1 + staleness)
