"""Tracking error along a path that is drawn for each job: how far the tool is from where it should be.

The shapes are `envs.curves`. The tool is measured against the nearest point of the path, or against a
point that travels along it with the clock and stops at its end.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from envs.context import CompileContext
from envs.curves import COLUMNS, Shapes, draw_curves, raised
from envs.terms.base import Term
from envs.values import Floats, Indices, Key, Output, Outputs
from skills.errors import ContractError

__all__ = ["Path"]


class Path(Shapes, Term):
    """A path to follow, beginning at the job's origin.

    Quantities, vectors in the job frame: `error` (3, m) from the tool to the path; `tangent` (3);
    `ahead` (3 each), directions at the look-ahead points; `tilt_error` (2, rad), wanted minus actual tilt
    of the tool; `distance`, `cross` (along the surface) and `standoff` (normal to it), m; `angle`, rad,
    between wanted and actual tool axis; `speed`, smoothed travel speed over the ordered one, less 1;
    `ordered`, m/s, which is 0
    once a clocked point has arrived.

    Attributes:
        families: A figure of the jobs whose words are families of `envs.curves`.
        speed: A figure of the jobs: the ordered travel speed, m/s.
        tilt: A figure of the jobs with two components: tilt of the work about x and y, rad.
        pace: Against which point: the `nearest`, or one that moves by the `clock`.
        look_ahead: Control steps of travel.
        smoothing: Share of the newest value in the smoothed speed.
        above: The tool's site belongs so far above the path, along the surface's normal, m.
    """

    kind: Literal["path"]
    families: Key
    speed: Key
    tilt: Key | None = None
    pace: Literal["nearest", "clock"] = "nearest"
    look_ahead: tuple[Annotated[int, Field(ge=0, le=1000)], ...] = Field(default=(), max_length=16)
    smoothing: Annotated[float, Field(gt=0, le=1)] = 1.0
    above: Annotated[float, Field(ge=0, le=1)] = 0.0

    def outputs(self) -> Outputs:
        """See the class."""
        return {
            "error": Output(3, "m"),
            "tangent": Output(3, "1"),
            **({"ahead": Output(3 * len(self.look_ahead), "1")} if self.look_ahead else {}),
            "tilt_error": Output(2, "rad"),
            "distance": Output(1, "m"),
            "cross": Output(1, "m"),
            "standoff": Output(1, "m"),
            "angle": Output(1, "rad"),
            "speed": Output(1, "1"),
            "ordered": Output(1, "m/s"),
        }

    def references(self) -> tuple[str, ...]:
        """The robot's own."""
        return ("tool.position", "tool.tilt", "tool.velocity")

    def figures(self) -> tuple[str, ...]:
        """Of the jobs."""
        return (self.families, self.speed, *([self.tilt] if self.tilt else []))

    def compile(self, name: str, context: CompileContext) -> LivePath:
        """Check that every family has its figures."""
        words = context.figures.choices(self.families)
        for word in words or ("nothing",):
            if not self.figures_of(word):
                raise ContractError(
                    f"{word!r} is no path family with figures here.",
                    where=f"quantities.{name}",
                    remedy=f"Give it figures, such as [quantities.{name}.arc], or take it from the jobs.",
                )
        return LivePath(self, name, context, words)


class LivePath:
    """The paths of all simulations, as tables of points."""

    def __init__(self, term: Path, name: str, context: CompileContext, words: tuple[str, ...]) -> None:
        self._term, self._words, self._dt = term, words, context.dt
        count = context.count
        self._family = context.figures.of(term.families)[:, 0]
        self._speed = context.figures.of(term.speed)[:, 0]
        self._tilt = context.figures.of(term.tilt) if term.tilt else np.zeros((count, 2))
        self._position, self._tool_tilt = (
            context.quantities.view("tool.position"),
            context.quantities.view("tool.tilt"),
        )
        self._velocity = context.quantities.view("tool.velocity")
        self._out = {key: context.quantities.view(f"{name}.{key}") for key in term.outputs()}
        self._count = term.rows
        self._tables = np.zeros((count, self._count, COLUMNS))
        self._rows = self._tables.reshape(-1, COLUMNS)
        self._first = np.arange(count) * self._count
        self._ahead = np.array([0, *term.look_ahead])
        self._nearest, self._along = np.zeros((count, COLUMNS)), np.zeros(count)

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """Draw new paths."""
        families = [self._words[int(number)] for number in self._family[copies]]
        self._tables[copies] = raised(draw_curves(families, self._term, random), self._term.above)
        row = round(self._term.lead_in / self._term.spacing)
        self._nearest[copies] = self._tables[copies, row]
        # The clock is advanced before it is first read.
        first = self._speed[copies] * self._dt if self._term.pace == "clock" else 0.0
        self._along[copies] = row * self._term.spacing - first
        self._out["speed"][copies] = -1.0
        self._out["ordered"][copies, 0] = self._speed[copies]

    def update(self) -> None:
        """Measure all tools against their paths."""
        out = self._out
        along = self._measured_along()
        rows = self._look(along[:, None] + self._ahead * (self._speed * self._dt)[:, None])
        here = self._nearest = rows[:, 0]
        tangent = here[:, 3:6]
        gap = here[:, :3] - self._position
        if self._term.pace == "nearest":
            self._along = np.rint(along / self._term.spacing) * self._term.spacing
            gap -= np.einsum("ij,ij->i", gap, tangent)[:, None] * tangent
        else:
            self._along = along
            out["ordered"][:, 0] = np.where(along < self._term.length, self._speed, 0.0)
        out["error"][:], out["tangent"][:] = gap, tangent
        if "ahead" in out:
            out["ahead"][:] = rows[:, 1:, 3:6].reshape(len(gap), -1)
        np.subtract(self._tilt + here[:, 6:8], self._tool_tilt, out=out["tilt_error"])
        self._judge(gap, tangent)

    def trace(self, copy: int) -> Floats:
        """One copy's path (rows, 3), from the job's origin, m."""
        points: Floats = self._tables[copy, :, :3]
        return points

    def _measured_along(self) -> Floats:
        if self._term.pace == "clock":
            along = self._along + self._speed * self._dt
        else:
            # The row nearest a step ago is near enough to project on: 5 mm on, the path has hardly turned.
            row = self._nearest
            along = self._along + np.einsum("ij,ij->i", self._position - row[:, :3], row[:, 3:6])
        clipped: Floats = np.clip(along, 0.0, self._term.length, out=along)
        return clipped

    def _look(self, along: Floats) -> Floats:
        """The tables' rows nearest to these distances (n, k) along the paths."""
        index = np.rint(along * (1.0 / self._term.spacing)).astype(np.int64)
        np.minimum(index, self._count - 1, out=index)
        rows: Floats = self._rows[index + self._first[:, None]]
        return rows

    def _judge(self, gap: Floats, tangent: Floats) -> None:
        """Distances, angle and speed.

        The error of the nearest point is perpendicular to the tangent, so its part along the surface
        normal (z - (z.t) t) / |z - (z.t) t| is error_z / sqrt(1 - t_z^2).
        """
        out = self._out
        squared = np.einsum("ij,ij->i", gap, gap)
        standoff = np.abs(gap[:, 2]) / np.sqrt(1.0 - tangent[:, 2] ** 2)
        np.sqrt(squared, out=out["distance"][:, 0])
        np.sqrt(np.maximum(squared - standoff**2, 0.0), out=out["cross"][:, 0])
        out["standoff"][:, 0] = standoff
        tilt_error = out["tilt_error"]
        np.sqrt(np.einsum("ij,ij->i", tilt_error, tilt_error), out=out["angle"][:, 0])
        travel = np.einsum("ij,ij->i", self._velocity, tangent)
        smoothed = out["speed"][:, 0]
        smoothed += self._term.smoothing * (travel / self._speed - 1.0 - smoothed)
