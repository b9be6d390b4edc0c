"""What may leave this hall: nothing, but what its owner said of one skill after the other. Pure."""

from __future__ import annotations

from skills.messages.halls import SharePlan
from skills.messages.plans import TrainingPlan
from skills.messages.skills import Visibility

__all__ = ["why_not"]


def why_not(plan: SharePlan, visibility: Visibility, region: str, training: TrainingPlan) -> str:
    """Why what robots learn of a skill may not leave; empty where it may.

    Args:
        plan: What the owner said of the skill.
        visibility: Who sees the skill here.
        region: To which its organisation is pinned; empty: to none.
        training: What the larger hall asks for.
    """
    if visibility != "guild" and not plan.private:
        return f"{plan.skill} is seen by its own organisation alone, and its owner did not say --private."
    if region and plan.region != region:
        return f"{plan.skill} lies in the region {region}, and its owner did not say --region {region}."
    if training.carries:
        return "the larger hall asks for control variates, which are each robot's own and not a hall's."
    return ""
