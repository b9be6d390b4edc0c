"""Of which matrices robots send factors, as an operator may order it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from skills.messages.base import Message

__all__ = ["LowRank"]

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class LowRank(Message):
    """Robots learn and send factors B (rows, rank) and A (rank, columns) of what changes in a matrix.

    Attributes:
        rank: Of what changes in a round; the sum over rounds may have more.
        matrices: Patterns of names, such as `policy.*.weight`; of those, the ones that get smaller by it.
        frozen_a: Whether A stays as each round draws it, so that only B is learned and sent.
    """

    rank: int = Field(ge=1, le=1024)
    matrices: tuple[Pattern, ...] = Field(default=("*",), min_length=1, max_length=64)
    frozen_a: bool = False

    def in_words(self) -> str:
        """On one line: `factors of rank 8, A frozen`."""
        which = "" if self.matrices == ("*",) else f" of {', '.join(self.matrices)}"
        return f"factors of rank {self.rank}{which}" + (", A frozen" if self.frozen_a else "")
