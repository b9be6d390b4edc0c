"""Where sites of the scene are: positions, distances, angles between axes; and the length of a vector."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from envs.context import CompileContext
from envs.terms.base import Term
from envs.values import Floats, Indices, Output, Outputs, Reference

__all__ = ["AxisAngle", "Component", "Distance", "Length", "Position"]

Site = Annotated[str, Field(min_length=1, max_length=64)]
AXES = {"x": 0, "y": 1, "z": 2}


class Stateless:
    """A term without a memory of the episode."""

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """Nothing to forget."""


class Position(Term):
    """Vector (3, m, job frame) from one site to another."""

    kind: Literal["position"]
    of: Site
    seen_from: Site

    def outputs(self) -> Outputs:
        """One vector."""
        return {"": Output(3, "m")}

    def compile(self, name: str, context: CompileContext) -> _LivePosition:
        """Find the sites."""
        return _LivePosition(self, name, context)


class _LivePosition(Stateless):
    def __init__(self, term: Position, name: str, context: CompileContext) -> None:
        self._of, _ = context.cells.site(term.of)
        self._from, _ = context.cells.site(term.seen_from)
        self._frame, self._out = context.frame, context.quantities.view(name)

    def update(self) -> None:
        self._out[:] = self._frame.into_job(self._of - self._from)


class Distance(Term):
    """Metres between two sites."""

    kind: Literal["distance"]
    of: Site
    seen_from: Site

    def outputs(self) -> Outputs:
        """One number."""
        return {"": Output(1, "m")}

    def compile(self, name: str, context: CompileContext) -> _LiveDistance:
        """Find the sites."""
        return _LiveDistance(self, name, context)


class _LiveDistance(Stateless):
    def __init__(self, term: Distance, name: str, context: CompileContext) -> None:
        self._of, _ = context.cells.site(term.of)
        self._from, _ = context.cells.site(term.seen_from)
        self._out = context.quantities.view(name)[:, 0]

    def update(self) -> None:
        gap = self._of - self._from
        np.sqrt(np.einsum("ij,ij->i", gap, gap), out=self._out)


class AxisAngle(Term):
    """Angle (rad) between an axis of one site and an axis of another."""

    kind: Literal["axis-angle"]
    of: Site
    seen_from: Site
    axis: Literal["x", "y", "z"] = "z"
    other_axis: Literal["x", "y", "z"] = "z"

    def outputs(self) -> Outputs:
        """One number."""
        return {"": Output(1, "rad")}

    def compile(self, name: str, context: CompileContext) -> _LiveAxisAngle:
        """Find the sites."""
        return _LiveAxisAngle(self, name, context)


class _LiveAxisAngle(Stateless):
    def __init__(self, term: AxisAngle, name: str, context: CompileContext) -> None:
        _, mine = context.cells.site(term.of)
        _, other = context.cells.site(term.seen_from)
        self._mine, self._other = mine[:, AXES[term.axis] :: 3], other[:, AXES[term.other_axis] :: 3]
        self._out = context.quantities.view(name)[:, 0]

    def update(self) -> None:
        # From both sine and cosine: an arc cosine alone is blind to small angles.
        sine = np.cross(self._mine, self._other)
        cosine = np.einsum("ij,ij->i", self._mine, self._other)
        np.arctan2(np.sqrt(np.einsum("ij,ij->i", sine, sine)), cosine, out=self._out)


class Length(Term):
    """Length of some components of another quantity, in its unit."""

    kind: Literal["length"]
    of: Reference
    unit: str = Field(max_length=16)
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1, le=64)]]

    @model_validator(mode="after")
    def _some_part(self) -> Length:
        if self.part[0] >= self.part[1]:
            raise ValueError(f"part {self.part} is empty")
        return self

    def outputs(self) -> Outputs:
        """One number."""
        return {"": Output(1, self.unit)}

    def references(self) -> tuple[str, ...]:
        """What is measured."""
        return (self.of,)

    def compile(self, name: str, context: CompileContext) -> _LiveLength:
        """Find the columns."""
        return _LiveLength(self, name, context)


class Component(Term):
    """One component of another quantity, times `gain`: a height, or with -1 a depth."""

    kind: Literal["component"]
    of: Reference
    unit: str = Field(max_length=16)
    component: Annotated[int, Field(ge=0, le=63)]
    gain: Annotated[float, Field(allow_inf_nan=False)] = 1.0

    def outputs(self) -> Outputs:
        """One number."""
        return {"": Output(1, self.unit)}

    def references(self) -> tuple[str, ...]:
        """Where it is taken from."""
        return (self.of,)

    def compile(self, name: str, context: CompileContext) -> _LiveComponent:
        """Find the column."""
        return _LiveComponent(self, name, context)


class _LiveComponent(Stateless):
    def __init__(self, term: Component, name: str, context: CompileContext) -> None:
        self._of = context.quantities.view(term.of)[:, term.component]
        self._gain, self._out = term.gain, context.quantities.view(name)[:, 0]

    def update(self) -> None:
        np.multiply(self._of, self._gain, out=self._out)


class _LiveLength(Stateless):
    def __init__(self, term: Length, name: str, context: CompileContext) -> None:
        self._of: Floats = context.quantities.view(term.of)[:, slice(*term.part)]
        self._out = context.quantities.view(name)[:, 0]

    def update(self) -> None:
        np.sqrt(np.einsum("ij,ij->i", self._of, self._of), out=self._out)
