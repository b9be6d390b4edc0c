"""Why a version fails: which hidden figures of robots and jobs go with failure."""

from __future__ import annotations

from pydantic import Field

from skills.manifest import Digest
from skills.messages.base import Message

__all__ = ["Cause", "Explanation", "Part"]


class Part(Message):
    """Episodes in which a figure lay in one place, with Wilson's 95 % interval of their success.

    Attributes:
        where: Such as `2`, a word, or `0.12 to 0.31`.
    """

    where: str
    episodes: int = Field(ge=1)
    success: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class Cause(Message):
    """One figure, and the part of the episodes in which the version failed more often than in the rest.

    Attributes:
        figure: By the task's name, with the number of its component where it has several; or `embodiment`.
        where: Which part, such as `is 2` or `above 0.31`.
        unit: Of the figure.
        episodes: In that part.
        success: In that part.
        elsewhere: In the rest.
        effect: By how much success is lower in that part.
        low: Lower end of the effect's 95 % interval (Newcombe's hybrid score).
        high: Its upper end.
        chance: Probability of a difference as great were there none, times the parts that were looked at.
        parts: Success over all of the figure, from its least to its greatest.
    """

    figure: str
    where: str
    unit: str = ""
    episodes: int = Field(ge=1)
    success: float = Field(ge=0, le=1)
    elsewhere: float = Field(ge=0, le=1)
    effect: float
    low: float
    high: float
    chance: float = Field(ge=0, le=1)
    parts: tuple[Part, ...] = Field(min_length=1)

    def in_words(self) -> str:
        """What goes with failure: `delay is 2 steps`."""
        unit = "" if self.unit in {"", "1"} else f" {self.unit}"
        return f"{self.figure} {self.where}{unit}"


class Explanation(Message):
    """What goes with failure, the surest first; measured on held-out robots and jobs."""

    skill: str
    version: int
    digest: Digest
    task: str
    episodes: int = Field(ge=1)
    success: float = Field(ge=0, le=1)
    seconds: float = Field(ge=0)
    causes: tuple[Cause, ...]
