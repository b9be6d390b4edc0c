"""What a delta counts before the rule: environment steps up to a cap, less the later it came."""

from __future__ import annotations

from math import sqrt

from skills.messages.plans import MergePlan

__all__ = ["discount", "weight_of"]


def weight_of(samples: int, staleness: int, plan: MergePlan) -> float:
    """Weight of a delta with so many environment steps behind it that came so many rounds late."""
    return min(samples, plan.sample_cap) * discount(staleness)


def discount(staleness: int) -> float:
    """Factor on the weight of a delta that comes so many rounds late."""
    return 1 / sqrt(1 + staleness)
