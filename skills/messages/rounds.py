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

__all__ = ["FINAL", "Assignment", "AtWorkState", "DeltaReceipt", "RobotAtWork", "RoundState", "RoundView"]


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


AtWorkState = Literal["working", "silent", "brought", "left_out"]


class RobotAtWork(Message):
    """A robot in a round: since when it is at work for it, or what it brought.

    Attributes:
        state: `silent` where nothing was heard of it lately, as of one that trains for long; `left_out` where
            the round went on without it.
        robot_id: Of a robot that who looks may tell from others.
        success: Of its own training, as it says; None where it says nothing.
        norm: Of its delta.
        late: Its delta was made so many rounds before.
    """

    robot_id: str
    name: str
    embodiment: str
    organisation: str
    state: AtWorkState
    since: datetime | None = None
    deadline: datetime
    brought_at: datetime | None = None
    samples: int = 0
    success: float | None = None
    norm: float | None = None
    late: int = 0


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
