"""Two versions of a skill held to each other: on the same jobs, and by their numbers."""

from __future__ import annotations

from pydantic import Field

from skills.manifest import Digest, Name
from skills.messages.base import Message

__all__ = ["ArmComparison", "Comparison", "TensorDistance", "WeightsDistance"]


class ArmComparison(Message):
    """What both versions did on one arm in the same jobs.

    Attributes:
        jobs: That both faced, on held-out robots.
        left: In how many the earlier version succeeded.
        right: In how many the later one did.
        wins: In which the later version alone succeeded.
        losses: In which the earlier one alone did.
        difference: Success of the later version less that of the earlier one.
        low: Lower end of the difference's 95 % interval for pairs (Bonett and Price 2012).
        high: Its upper end.
    """

    embodiment: Name
    jobs: int = Field(ge=1)
    left: int = Field(ge=0)
    right: int = Field(ge=0)
    wins: int = Field(ge=0)
    losses: int = Field(ge=0)
    difference: float = Field(ge=-1, le=1)
    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)


class TensorDistance(Message):
    """How far one tensor of the later version lies from the earlier one's: L2, over the earlier one's own."""

    name: str
    relative: float = Field(ge=0)


class WeightsDistance(Message):
    """How far the later version's numbers lie from the earlier one's.

    Attributes:
        relative: L2 norm of the difference of all shared tensors, over the norm of the earlier version's.
        largest: The tensors that moved most, the farthest first.
        others: Tensors that only one has, or that have another shape.
    """

    relative: float = Field(ge=0)
    largest: tuple[TensorDistance, ...]
    others: int = Field(default=0, ge=0)


class Comparison(Message):
    """The later of two versions of a skill against the earlier one."""

    skill: str
    left: int
    right: int
    left_digest: Digest
    right_digest: Digest
    task: str
    arms: tuple[ArmComparison, ...]
    weights: WeightsDistance
    seconds: float = Field(ge=0)
