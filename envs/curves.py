"""The shape of paths: families, their random figures, and tables of points along them.

Pure geometry in the job frame (x the nominal direction, z up); where a path lies and how a tool is
measured against it is `envs.terms.path`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from envs.values import Finite, Floats, Positive, Section

__all__ = ["COLUMNS", "FAMILIES", "Shapes", "draw_curves", "lay_curve", "raised"]

FAMILIES = ("straight", "arc", "corner", "weave", "sloped", "crown")
COLUMNS = 8
"""Numbers in a row of a table: point (3, m), unit tangent (3), tool tilt along the surface (2, rad)."""

MOST_ROWS = 5000
"""Points of one path: each simulation has a table of its own."""

Span = tuple[Positive, Positive]
"""Least and greatest value of a uniform draw."""


class Arc(Section):
    """A bend in the plane of the work; at `middle` it runs along x."""

    curvature: Span
    middle: Finite = 0.0


class Corner(Section):
    """A straight path that turns once."""

    angle: Span
    radius: Span
    begin: Span


class Weave(Section):
    """A path whose direction swings like a sine."""

    amplitude: Span
    wavelength: Span


class Sloped(Section):
    """A bend in the vertical plane, up or down."""

    curvature: Span


class Crown(Section):
    """Straight over a cylinder that lies across; its highest line is at `middle`."""

    curvature: Span
    middle: Span


class Shapes(Section):
    """Length of a path, its table's spacing, and the figures of each family (straight has none).

    Attributes:
        length: m.
        spacing: Of two rows of the table, m.
        lead_in: The job's origin lies so far along it, m.
        arc: `curvature` [least, greatest], 1/m, to either side; at `middle`, m, it runs along x.
        corner: Turns by `angle`, rad, at `radius`, m, `begin` m along, to either side.
        weave: Direction swings by `amplitude`, rad, every `wavelength`, m.
        sloped: `curvature`, 1/m, in the vertical plane, up or down.
        crown: Over a cylinder that lies across: `curvature`, 1/m, highest at `middle`, m.
    """

    length: Annotated[float, Field(gt=0, le=100)]
    spacing: Annotated[float, Field(ge=1e-4, le=1)]
    lead_in: Annotated[float, Field(ge=0, le=100)] = 0.0
    arc: Arc | None = None
    corner: Corner | None = None
    weave: Weave | None = None
    sloped: Sloped | None = None
    crown: Crown | None = None

    @model_validator(mode="after")
    def _table_is_small(self) -> Shapes:
        if self.rows > MOST_ROWS + 1:
            raise ValueError(f"length / spacing is more than {MOST_ROWS} points: space them wider")
        return self

    @property
    def rows(self) -> int:
        """Points of a path: one every `spacing` from its beginning, the last nearest to its end."""
        return round(self.length / self.spacing) + 1

    def figures_of(self, family: str) -> bool:
        """Whether this family can be drawn."""
        return family == "straight" or (family in FAMILIES and getattr(self, family) is not None)


def draw_curves(families: Sequence[str], shapes: Shapes, random: np.random.Generator) -> Floats:
    """Tables (paths, rows, COLUMNS), one path of each of `families`; the row at `lead_in` is the origin."""
    along = np.arange(shapes.rows, dtype=np.float64) * shapes.spacing
    tables = np.empty((len(families), len(along), COLUMNS))
    for table, family in zip(tables, families, strict=True):
        table[:] = lay_curve(*_directions(family, along, shapes, random), shapes.spacing)
    tables[:, :, :3] -= tables[:, round(shapes.lead_in / shapes.spacing), None, :3]
    return tables


def lay_curve(heading: Floats, slope: Floats, spacing: float) -> Floats:
    """Table (rows, COLUMNS) of the curve with these directions at equal distances along it.

    Args:
        heading: Direction in the plane of the work, (rows,), rad from x.
        slope: How steeply the path descends, (rows,), rad; the tool stays normal to the surface.
        spacing: Distance of two rows along the curve, m.
    """
    flat = np.cos(slope)
    tangent = np.stack([np.cos(heading) * flat, np.sin(heading) * flat, -np.sin(slope)], axis=1)
    # Trapezoidal rule: second order in the spacing, so that 1 mm rows lie within microns of the curve.
    steps = (tangent[1:] + tangent[:-1]) * (spacing / 2)
    points = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    tilt = np.stack([-slope * np.sin(heading), slope * np.cos(heading)], axis=1)
    return np.hstack([points, tangent, tilt])


def raised(tables: Floats, height: float) -> Floats:
    """The same paths (paths, rows, COLUMNS), so far above along the surface's normal, m."""
    if height:
        tangent = tables[:, :, 3:6]
        normal = np.array([0.0, 0.0, 1.0]) - tangent[:, :, 2:] * tangent
        tables[:, :, :3] += height * normal / np.linalg.norm(normal, axis=2, keepdims=True)
    return tables


def _directions(
    family: str, along: Floats, shapes: Shapes, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Heading and slope (rows,) at each distance `along`, with the family's figures drawn."""
    level = np.zeros_like(along)
    side = random.choice((-1.0, 1.0))
    if family == "arc" and shapes.arc:
        return side * _draw(shapes.arc.curvature, random) * (along - shapes.arc.middle), level
    if family == "corner" and shapes.corner:
        angle, radius = _draw(shapes.corner.angle, random), _draw(shapes.corner.radius, random)
        turned = (along - _draw(shapes.corner.begin, random)) / radius
        return side * np.clip(turned, 0.0, angle), level
    if family == "weave" and shapes.weave:
        phase = random.uniform(0, 2 * np.pi)
        waves = 2 * np.pi * along / _draw(shapes.weave.wavelength, random)
        return _draw(shapes.weave.amplitude, random) * np.sin(waves + phase), level
    if family == "sloped" and shapes.sloped:
        return level, side * _draw(shapes.sloped.curvature, random) * along
    if family == "crown" and shapes.crown:
        middle = _draw(shapes.crown.middle, random)
        return level, _draw(shapes.crown.curvature, random) * (along - middle)
    return level, level


def _draw(limits: Span, random: np.random.Generator) -> float:
    return float(random.uniform(*limits))
