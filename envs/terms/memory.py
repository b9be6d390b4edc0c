"""Quantities that remember the episode: a smoothed value, the greatest so far."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from envs.context import CompileContext
from envs.terms.base import Term
from envs.values import Indices, Output, Outputs, Reference

__all__ = ["Peak", "Smooth"]


class Smooth(Term):
    """A running mean of a quantity of one component: `share` of the newest value at each step."""

    kind: Literal["smooth"]
    of: Reference
    unit: str = Field(max_length=16)
    share: Annotated[float, Field(gt=0, le=1)]

    def outputs(self) -> Outputs:
        """One number."""
        return {"": Output(1, self.unit)}

    def references(self) -> tuple[str, ...]:
        """What is smoothed."""
        return (self.of,)

    def compile(self, name: str, context: CompileContext) -> _LiveSmooth:
        """Find the columns."""
        return _LiveSmooth(self, name, context)


class _LiveSmooth:
    def __init__(self, term: Smooth, name: str, context: CompileContext) -> None:
        self._share = term.share
        self._of, self._out = context.quantities.view(term.of)[:, 0], context.quantities.view(name)[:, 0]

    def start(self, copies: Indices, random: np.random.Generator) -> None:  # noqa: ARG002
        self._out[copies] = 0.0

    def update(self) -> None:
        self._out += self._share * (self._of - self._out)


class Peak(Term):
    """The greatest absolute value of a quantity so far in the episode; of a vector, its greatest length."""

    kind: Literal["peak"]
    of: Reference
    unit: str = Field(max_length=16)

    def outputs(self) -> Outputs:
        """One number."""
        return {"": Output(1, self.unit)}

    def references(self) -> tuple[str, ...]:
        """What is watched."""
        return (self.of,)

    def compile(self, name: str, context: CompileContext) -> _LivePeak:
        """Find the columns."""
        return _LivePeak(self, name, context)


class _LivePeak:
    def __init__(self, term: Peak, name: str, context: CompileContext) -> None:
        self._of, self._out = context.quantities.view(term.of), context.quantities.view(name)[:, 0]

    def start(self, copies: Indices, random: np.random.Generator) -> None:  # noqa: ARG002
        self._out[copies] = 0.0

    def update(self) -> None:
        size = np.sqrt(np.einsum("ij,ij->i", self._of, self._of))
        np.maximum(self._out, size, out=self._out)
