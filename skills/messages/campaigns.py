"""What an operator orders, and how a campaign stands."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from skills.manifest import Name
from skills.messages.base import Message
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.rounds import RoundView

__all__ = ["CampaignRequest", "CampaignView"]


class CampaignRequest(Message):
    """An operator's standing order to improve one skill."""

    skill: Name
    rounds: int = Field(default=16, ge=1, le=100_000)
    quorum: int = Field(default=2, ge=1, le=100_000)
    target: int = Field(
        default=0, ge=0, le=100_000, description="Close as soon as so many came; 0 = every robot"
    )
    deadline_seconds: float = Field(default=600, gt=0, le=31_536_000)
    training: TrainingPlan = TrainingPlan()
    merge: MergePlan = MergePlan()
    gate: GatePlan = GatePlan()

    @model_validator(mode="after")
    def _target_reaches_quorum(self) -> CampaignRequest:
        if self.target and self.target < self.quorum:
            msg = f"target {self.target} is below quorum {self.quorum}"
            raise ValueError(msg)
        return self


class CampaignView(Message):
    """A campaign and its newest rounds, the last at the end: at most 100, in a list of campaigns one.

    `waiting_for` says in words why it is where it is.
    """

    campaign_id: str
    state: Literal["running", "finished", "stopped", "failed"]
    reason: str = ""
    waiting_for: str = ""
    order: CampaignRequest
    created_at: datetime
    rounds: tuple[RoundView, ...] = ()

    @property
    def rounds_ended(self) -> int:
        """How many of its rounds have ended, shown here or not."""
        if not self.rounds:
            return 0
        last = self.rounds[-1]
        return last.number if last.state in {"published", "rejected", "failed"} else last.number - 1
