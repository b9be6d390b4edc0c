"""A roll-out: how a version reaches robots ring by ring, as it is ordered and as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field, model_validator

from skills.manifest import Name
from skills.messages.base import Label, Message
from skills.messages.reports import Tag

__all__ = [
    "DEFAULT_RINGS",
    "ENDED",
    "PREVENTED",
    "UNENDED",
    "RingArm",
    "RingPlan",
    "RingView",
    "RolloutCounts",
    "RolloutOrder",
    "RolloutPlan",
    "RolloutRequest",
    "RolloutState",
    "RolloutView",
    "StepView",
]

RolloutState = Literal["measuring", "open", "waiting", "paused", "done", "stopped", "aborted"]
ENDED: tuple[RolloutState, ...] = ("done", "stopped", "aborted")
UNENDED: tuple[RolloutState, ...] = tuple(each for each in get_args(RolloutState) if each not in ENDED)
PREVENTED = ("failed", "aborted")
"""Events of a journal that keep a version from the robots that are left: prevented incidents."""
LONGEST = 31_536_000  # seconds: a year


class RingPlan(Message):
    """Which robots are next, and what must be seen of them before the ring after that is opened.

    A robot is in the first ring that it fits. All that is said must fit; of a list one.

    Attributes:
        share: Of the robots that fit otherwise, those of the rings before counted, too.
        embodiments: Only these.
        organisations: Only theirs.
        tags: Only robots that an operator has tagged so, when the roll-out starts.
        robots: Only these, by id.
        least_seconds: For so long at least.
        least_jobs: So many jobs at least, with the new version; without the robot that says most, of 8 two.
        margin: Most failures: by so much a larger share of jobs may fail than with the old version.
        arm_margin: The same of each embodiment.
        approval: Whether somebody must approve, too.
    """

    share: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False)
    embodiments: tuple[Name, ...] = Field(default=(), max_length=32)
    organisations: tuple[Label, ...] = Field(default=(), max_length=32)
    tags: tuple[Tag, ...] = Field(default=(), max_length=16)
    robots: tuple[str, ...] = Field(default=(), max_length=1000)
    least_seconds: float = Field(default=3600, ge=0, le=LONGEST, allow_inf_nan=False)
    least_jobs: int = Field(default=50, ge=0, le=1_000_000)
    margin: float = Field(default=0.1, gt=0, lt=1, allow_inf_nan=False)
    arm_margin: float = Field(default=0.3, gt=0, lt=1, allow_inf_nan=False)
    approval: bool = False

    def in_words(self) -> str:
        """Who is in it: `10 % of ur5e robots of North`."""
        kind = ", ".join(self.embodiments)
        parts = ["all" if self.share == 1 else f"{100 * self.share:.3g} % of the", f"{kind} robots".strip()]
        parts += [f"of {', '.join(self.organisations)}"] * bool(self.organisations)
        parts += [f"tagged {', '.join(self.tags)}"] * bool(self.tags)
        parts += [f"among {len(self.robots)} named"] * bool(self.robots)
        return " ".join(parts)


DEFAULT_RINGS = (RingPlan(share=0.1), RingPlan(share=0.5), RingPlan())


class RolloutPlan(Message):
    """The rings, one after the other; behind the last one the version is everybody's."""

    rings: tuple[RingPlan, ...] = Field(default=DEFAULT_RINGS, min_length=1, max_length=10)


class RolloutRequest(RolloutPlan):
    """Bring a skill from its stable version to another one."""

    skill: Name
    version: int = Field(ge=1)
    reason: str = Field(default="", max_length=500)


class RolloutOrder(Message):
    """What somebody wants of a roll-out: `abort` rolls back, also one that is done."""

    order: Literal["pause", "resume", "approve", "abort"]
    reason: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _says_why(self) -> RolloutOrder:
        if self.order == "abort" and not self.reason.strip():
            msg = "say why it is aborted"
            raise ValueError(msg)
        return self


class RingArm(Message):
    """Robots of one embodiment in a ring, and what they say; fields as in `RingView`."""

    embodiment: str
    robots: int = 0
    using: int = 0
    done: int = 0
    failed: int = 0


class RingView(Message):
    """A ring and, in the view of one roll-out, what its robots say.

    Attributes:
        version: Which one its robots are to use.
        opened_at: When the new version came to it.
        robots: Robots in it.
        using: That say they use the new version.
        done: Jobs with the new version, as they say.
        failed: The same.
        arms: The same by embodiment.
    """

    plan: RingPlan
    version: int
    opened_at: datetime | None = None
    robots: int | None = None
    using: int | None = None
    done: int | None = None
    failed: int | None = None
    arms: tuple[RingArm, ...] = ()


class StepView(Message):
    """One entry of the journal: what happened, where that led, and what was known then."""

    number: int
    at: datetime
    event: str
    state: RolloutState
    ring: int
    reason: str
    known: dict[str, float]


class RolloutView(Message):
    """A roll-out; `ring` counts from 1. `waiting_for` says in words why it is where it is."""

    rollout_id: str
    skill: str
    old: int
    new: int
    state: RolloutState
    ring: int
    reason: str = ""
    waiting_for: str = ""
    rings: tuple[RingView, ...]
    created_at: datetime
    ended_at: datetime | None = None
    steps: tuple[StepView, ...] = ()

    @property
    def prevented(self) -> bool:
        """Whether its version was kept from robots, as its journal says."""
        return any(each.event in PREVENTED for each in self.steps)


class RolloutCounts(Message):
    """How many roll-outs one sees, how many are under way, and how many prevented an incident."""

    rollouts: int
    under_way: int
    prevented: int
