"""What robots are asked to do in a round, and how a round stands."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.manifest import Digest
from skills.messages.base import Message
from skills.messages.costs import Cost
from skills.messages.plans import TrainingPlan
from skills.messages.skills import GateReport, VersionView

__all__ = ["FINAL", "Assignment", "DeltaReceipt", "RoundState", "RoundView"]


RoundState = Literal["open", "closing", "merging", "gating", "published", "rejected", "failed"]


class RoundView(Message):
    """A round as robots and operators see it; `waiting_for` says in words why it is where it is."""

    round_id: str
    campaign_id: str
    number: int
    state: RoundState
    base: Digest
    opened_at: datetime
    deadline: datetime
    deltas: int
    samples: int
    bytes: int
    waiting_for: str
    late: int = Field(default=0, description="How many of the deltas were made for earlier rounds.")
    candidate: Digest | None = None
    gate: GateReport | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    cost: Cost = Field(default=Cost(), description="Of what is done: robots' part once the round has closed.")


class Assignment(Message):
    """What a robot is asked to do now: train from `base` as `training` says and push to `round_id`.

    A delta that the robot still owes to one of the last `max_staleness` rounds is welcome, too.

    Attributes:
        afresh: What the base carries (`skills.parts`) counts as nothing: it is from another learner.
    """

    campaign_id: str
    round_id: str
    number: int
    rounds: int
    base: VersionView
    deadline: datetime
    training: TrainingPlan
    learning_rate: float
    max_staleness: int = 0
    afresh: bool = Field(default=False, exclude_if=lambda afresh: not afresh)


class DeltaReceipt(Message):
    """The hub has the delta, durably. `duplicate` when it had it already.

    Attributes:
        round_id: The round in which it counts, `staleness` rounds after the one it was made for.
    """

    round_id: str
    digest: Digest
    status: Literal["admitted", "duplicate"]
    staleness: int = 0


UNFINISHED: tuple[RoundState, ...] = ("open", "closing", "merging", "gating")


FINISHED: tuple[RoundState, ...] = ("published", "rejected", "failed")


FINAL: frozenset[RoundState] = frozenset(FINISHED)
