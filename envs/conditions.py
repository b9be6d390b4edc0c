"""A condition as a `task.toml` says it: bounds on one number, or on the length of a vector.

Where conditions hold is looked up by `envs.reward` for success and failure, by `envs.scripted` for phases.
"""

from __future__ import annotations

from pydantic import model_validator

from envs.values import Finite, Positive, Reference, Section

__all__ = ["Condition"]


class Condition(Section):
    """Bounds on a quantity, in its unit; one of several components counts by its length.

    Attributes:
        of: The quantity; in a controller's phase or block, what the controller reads.
        above: It must be greater.
        below: It must be less.
        within: Its absolute value must be less.
    """

    of: Reference
    above: Finite | None = None
    below: Finite | None = None
    within: Positive | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Condition:
        one_sided = self.above is not None or self.below is not None
        if one_sided == (self.within is not None):
            raise ValueError("give above, below or both; or within")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values it holds."""
        if self.within is not None:
            return -self.within, self.within
        low = float("-inf") if self.above is None else self.above
        return low, float("inf") if self.below is None else self.below

    @property
    def words(self) -> str:
        """For people: `gap` below 0.01."""
        if self.within is not None:
            return f"`{self.of}` within ±{self.within:g}"
        sides = (("above", self.above), ("below", self.below))
        return f"`{self.of}` " + " and ".join(
            f"{word} {value:g}" for word, value in sides if value is not None
        )
