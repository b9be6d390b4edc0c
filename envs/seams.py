"""The shape of seams: families, their random figures, and tables of points along them.

Pure geometry in the job frame (x the nominal feed, z up, the seam starts at the origin); where the
work-piece lies and how the torch is measured against a seam is `envs.vector`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from envs.task import Range, SeamShapes

__all__ = ["COLUMNS", "FAMILIES", "SeamFamily", "draw_seams", "lay_seam"]

SeamFamily = Literal["straight", "arc", "corner", "weave", "sloped"]
FAMILIES: tuple[SeamFamily, ...] = get_args(SeamFamily)
COLUMNS = 8
"""Numbers in a row of a table: point (3, m), unit tangent (3), torch tilt along the surface (2, rad)."""

Floats = NDArray[np.float64]


def draw_seams(
    families: tuple[SeamFamily, ...], count: int, shapes: SeamShapes, random: np.random.Generator
) -> Floats:
    """Tables (count, rows, COLUMNS) of seams, each of a family drawn from `families`."""
    along = np.arange(0.0, shapes.length + shapes.spacing / 2, shapes.spacing)
    tables = np.empty((count, len(along), COLUMNS))
    for table in tables:
        family = families[random.integers(len(families))]
        table[:] = lay_seam(*_directions(family, along, shapes, random), shapes.spacing)
    return tables


def lay_seam(heading: Floats, slope: Floats, spacing: float) -> Floats:
    """Table (rows, COLUMNS) of the curve with these directions at equal distances along it.

    Args:
        heading: Direction in the plane of the work-piece, (rows,), rad from x.
        slope: How steeply the seam descends, (rows,), rad; the torch stays normal to the surface.
        spacing: Distance of two rows along the curve, m.
    """
    flat = np.cos(slope)
    tangent = np.stack([np.cos(heading) * flat, np.sin(heading) * flat, -np.sin(slope)], axis=1)
    # Trapezoidal rule: second order in the spacing, so that 1 mm rows lie within microns of the curve.
    steps = (tangent[1:] + tangent[:-1]) * (spacing / 2)
    points = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    tilt = np.stack([-slope * np.sin(heading), slope * np.cos(heading)], axis=1)
    return np.hstack([points, tangent, tilt])


def _directions(
    family: SeamFamily, along: Floats, shapes: SeamShapes, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Heading and slope (rows,) at each distance `along`, with the family's figures drawn."""
    level = np.zeros_like(along)
    side = random.choice((-1.0, 1.0))
    if family == "arc":
        return side * _draw(shapes.arc.curvature, random) * (along - shapes.arc_middle), level
    if family == "corner":
        angle, radius = _draw(shapes.corner.angle, random), _draw(shapes.corner.radius, random)
        turned = (along - _draw(shapes.corner.begin, random)) / radius
        return side * np.clip(turned, 0.0, angle), level
    if family == "weave":
        phase = random.uniform(0, 2 * np.pi)
        waves = 2 * np.pi * along / _draw(shapes.weave.wavelength, random)
        return _draw(shapes.weave.amplitude, random) * np.sin(waves + phase), level
    if family == "sloped":
        return level, side * _draw(shapes.sloped.curvature, random) * along
    return level, level


def _draw(limits: Range, random: np.random.Generator) -> float:
    return float(random.uniform(*limits))
