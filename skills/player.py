"""Who acts: a skill, a controller, a person, whatever turns what is observed into what is done."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["Player"]


class Player(Protocol):
    """Anything that turns observations (n, size) into actions (n, size).

    Of one with a true attribute `told` the observations go on with what only the twin knows: an oracle.
    """

    def begin(self) -> Player:
        """What acts in jobs that begin now: itself, or where it remembers, a copy without a memory yet."""

    def act(self, observation: NDArray[Any], /) -> NDArray[Any]:
        """Action in [-1, 1] for each observation."""
