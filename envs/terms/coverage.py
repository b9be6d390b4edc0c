"""Coverage of a surface: which cells of a rectangle a tool has worked on, and which it stayed on too long."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from envs.context import CompileContext
from envs.terms.base import Term
from envs.values import Finite, Indices, Output, Outputs, Positive, Reference

__all__ = ["Coverage"]

MOST_CELLS = 5000


class Coverage(Term):
    """A rectangle in the job's x-y plane, from the job's origin, under a round tool.

    Quantities: `covered`, share of the cells that are done; `rate`, how it grows, 1/s; `towards` (3, m),
    from the tool to the cell to do next - lanes along x in turn, back and forth - on the surface's level,
    without a horizontal part once all is done; `dwell`, s, the longest that the tool worked on one cell.

    Attributes:
        length: Along x, m.
        width: Along y, m; the rectangle begins at the origin in x and is centred in y.
        cell: Edge of a cell, m.
        radius: Of the tool's footprint, m.
        while_of: The tool works only while this quantity ...
        above: ... is greater than this
        below: ... and less than this.
    """

    kind: Literal["coverage"]
    length: Annotated[float, Field(gt=0, le=10)]
    width: Annotated[float, Field(gt=0, le=10)]
    cell: Annotated[float, Field(ge=0.001, le=1)]
    radius: Positive
    while_of: Reference
    above: Finite
    below: Finite

    @model_validator(mode="after")
    def _cells_are_few(self) -> Coverage:
        if self.length * self.width / self.cell**2 > MOST_CELLS:
            raise ValueError(f"there are more than {MOST_CELLS} cells: make them larger")
        return self

    def outputs(self) -> Outputs:
        """See the class."""
        return {
            "covered": Output(1, "1"),
            "rate": Output(1, "1/s"),
            "towards": Output(3, "m"),
            "dwell": Output(1, "s"),
        }

    def references(self) -> tuple[str, ...]:
        """The tool, and what must hold."""
        return ("tool.position", self.while_of)

    def compile(self, name: str, context: CompileContext) -> _LiveCoverage:
        """Lay the cells out."""
        return _LiveCoverage(self, name, context)

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Centres (cells, 2) in the order of work, and each one's lane, of the footprint's width."""
        columns = max(1, round(self.length / self.cell))
        rows = max(1, round(self.width / self.cell))
        x, y = np.meshgrid(
            (np.arange(columns) + 0.5) * self.length / columns,
            (np.arange(rows) + 0.5) * self.width / rows - self.width / 2,
        )
        lane = ((y + self.width / 2) / (1.5 * self.radius)).astype(np.int64)
        back = np.where(lane % 2 == 0, x, self.length - x)
        order = np.lexsort((back.ravel(), lane.ravel()))
        return np.stack([x.ravel(), y.ravel()], axis=1)[order], lane.ravel()[order]


class _LiveCoverage:
    def __init__(self, term: Coverage, name: str, context: CompileContext) -> None:
        self._term, self._dt = term, context.dt
        self._position = context.quantities.view("tool.position")
        self._working = context.quantities.view(term.while_of)[:, 0]
        self._out = {key: context.quantities.view(f"{name}.{key}") for key in term.outputs()}
        self._centres, lane = term.cells()
        middle = np.array([self._centres[lane == each, 1].mean() for each in lane])
        self._lane_middle = np.stack([self._centres[:, 0], middle], axis=1)
        self._worked = np.zeros((context.count, len(lane)))
        self._rows = np.arange(context.count)

    def start(self, copies: Indices, random: np.random.Generator) -> None:  # noqa: ARG002
        self._worked[copies] = 0.0
        self._out["covered"][copies] = 0.0

    def update(self) -> None:
        term, out = self._term, self._out
        gap = self._position[:, None, :2] - self._centres
        under = np.einsum("ijk,ijk->ij", gap, gap) < term.radius**2
        under &= ((self._working > term.above) & (self._working < term.below))[:, None]
        self._worked += under * self._dt
        done = self._worked > 0.0
        covered = done.mean(axis=1)
        out["rate"][:, 0] = (covered - out["covered"][:, 0]) / self._dt
        out["covered"][:, 0] = covered
        self._worked.max(axis=1, out=out["dwell"][:, 0])
        target = self._lane_middle[np.argmin(done, axis=1)]
        out["towards"][:, :2] = (target - self._position[:, :2]) * (covered < 1.0)[:, None]
        out["towards"][:, 2] = -self._position[:, 2]
