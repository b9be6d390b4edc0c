"""Laws of seam geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from envs.seams import COLUMNS, FAMILIES, SeamFamily, draw_seams, lay_seam
from envs.task import load_task

SHAPES = load_task("weld-seam").seam


def draw(family: SeamFamily, seed: int) -> NDArray[np.float64]:
    table: NDArray[np.float64] = draw_seams((family,), 1, SHAPES, np.random.default_rng(seed))[0]
    return table


@given(st.sampled_from(FAMILIES), st.integers(0, 10_000))
def test_every_seam_is_a_smooth_curve_measured_along_itself(family: SeamFamily, seed: int) -> None:
    table = draw(family, seed)
    points, tangents = table[:, :3], table[:, 3:6]
    assert table.shape == (round(SHAPES.length / SHAPES.spacing) + 1, COLUMNS)
    assert np.allclose(np.linalg.norm(tangents, axis=1), 1)
    steps = np.diff(points, axis=0)
    assert np.allclose(np.linalg.norm(steps, axis=1), SHAPES.spacing, rtol=1e-3)
    middle = (tangents[1:] + tangents[:-1]) / 2
    assert np.allclose(steps / SHAPES.spacing, middle)
    bend = np.linalg.norm(np.diff(tangents, axis=0), axis=1) / SHAPES.spacing
    assert bend.max() < 80  # 1/m: the torch can follow
    assert np.allclose(points[0], 0)


@given(st.sampled_from(FAMILIES), st.integers(0, 10_000))
def test_the_wanted_torch_stays_normal_to_the_surface(family: SeamFamily, seed: int) -> None:
    table = draw(family, seed)
    tilt_x, tilt_y = table[:, 6], table[:, 7]
    # A torch along z turned by the rotation vector (tilt_x, tilt_y, 0).
    angle = np.hypot(tilt_x, tilt_y)
    scale = np.sinc(angle / np.pi)
    torch = np.stack([tilt_y * scale, -tilt_x * scale, np.cos(angle)], axis=1)
    assert np.abs(np.einsum("ij,ij->i", torch, table[:, 3:6])).max() < 1e-9


@given(st.integers(0, 10_000))
def test_an_arc_has_the_curvature_of_the_bundle(seed: int) -> None:
    table = draw("arc", seed)
    heading = np.unwrap(np.arctan2(table[:, 4], table[:, 3]))
    curvature = np.abs(np.diff(heading)) / SHAPES.spacing
    assert np.allclose(curvature, curvature[0])
    assert SHAPES.arc.curvature[0] <= curvature[0] <= SHAPES.arc.curvature[1]
    assert np.all(table[:, 2] == 0)


@given(st.integers(0, 10_000))
def test_a_corner_turns_once_by_its_angle(seed: int) -> None:
    heading = np.unwrap(np.arctan2(*draw("corner", seed)[:, [4, 3]].T))
    assert heading[0] == 0
    assert SHAPES.corner.angle[0] <= abs(heading[-1]) <= SHAPES.corner.angle[1]
    tightest = np.abs(np.diff(heading)).max() / SHAPES.spacing
    assert tightest <= 1 / SHAPES.corner.radius[0] + 1e-9


@given(st.integers(0, 10_000))
def test_a_sloped_seam_leaves_the_plane_and_a_straight_one_nothing(seed: int) -> None:
    assert abs(draw("sloped", seed)[-1, 2]) > 0.02
    assert np.ptp(draw("straight", seed)[:, 1:3]) == 0


def test_a_circle_closes() -> None:
    spacing = 0.001
    heading = np.linspace(0, 2 * np.pi, 629)
    table = lay_seam(heading, np.zeros_like(heading), spacing)
    assert np.linalg.norm(table[-1, :3]) == pytest.approx(0, abs=1e-6)


def test_families_are_drawn_evenly() -> None:
    tables = draw_seams(("straight", "sloped"), 400, SHAPES, np.random.default_rng(0))
    share = np.mean(np.abs(tables[:, -1, 2]) > 0.01)
    assert 0.4 < share < 0.6
