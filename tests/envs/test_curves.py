"""Laws of path geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from envs.curves import COLUMNS, FAMILIES, Arc, Corner, Crown, Shapes, Sloped, Weave, draw_curves, lay_curve
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet
from tests.envs.bundles import small_task

ARC = Arc(curvature=(4.0, 10.0), middle=0.075)
CORNER = Corner(angle=(0.7, 1.2), radius=(0.018, 0.030), begin=(0.03, 0.08))
CROWN = Crown(curvature=(4.0, 6.0), middle=(0.1, 0.12))
SHAPES = Shapes(
    length=0.26,
    spacing=0.001,
    arc=ARC,
    corner=CORNER,
    weave=Weave(amplitude=(0.30, 0.55), wavelength=(0.045, 0.070)),
    sloped=Sloped(curvature=(0.8, 2.0)),
    crown=CROWN,
)


def draw(family: str, seed: int) -> NDArray[np.float64]:
    table: NDArray[np.float64] = draw_curves([family], SHAPES, np.random.default_rng(seed))[0]
    return table


@given(st.sampled_from(FAMILIES), st.integers(0, 10_000))
def test_every_path_is_a_smooth_curve_measured_along_itself(family: str, seed: int) -> None:
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
def test_the_wanted_torch_stays_normal_to_the_surface(family: str, seed: int) -> None:
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
    assert ARC.curvature[0] <= curvature[0] <= ARC.curvature[1]
    assert np.all(table[:, 2] == 0)


@given(st.integers(0, 10_000))
def test_a_corner_turns_once_by_its_angle(seed: int) -> None:
    heading = np.unwrap(np.arctan2(*draw("corner", seed)[:, [4, 3]].T))
    assert heading[0] == 0
    assert CORNER.angle[0] <= abs(heading[-1]) <= CORNER.angle[1]
    tightest = np.abs(np.diff(heading)).max() / SHAPES.spacing
    assert tightest <= 1 / CORNER.radius[0] + 1e-9


@given(st.integers(0, 10_000))
def test_a_sloped_path_leaves_the_plane_and_a_straight_one_nothing(seed: int) -> None:
    assert abs(draw("sloped", seed)[-1, 2]) > 0.02
    assert np.ptp(draw("straight", seed)[:, 1:3]) == 0


def test_a_circle_closes() -> None:
    spacing = 0.001
    heading = np.linspace(0, 2 * np.pi, 629)
    table = lay_curve(heading, np.zeros_like(heading), spacing)
    assert np.linalg.norm(table[-1, :3]) == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 10_000))
def test_a_crown_lies_on_a_cylinder_and_is_highest_in_its_middle(seed: int) -> None:
    table = draw("crown", seed)
    top = int(table[:, 2].argmax())
    assert CROWN.middle[0] - 0.001 <= top * SHAPES.spacing <= CROWN.middle[1] + 0.001
    bend = np.diff(np.arctan2(-table[:, 5], table[:, 3])) / SHAPES.spacing
    assert np.allclose(bend, bend[0])
    centre = table[top, :3] - [0, 0, 1 / bend[0]]
    radii = np.linalg.norm(table[:, :3] - centre, axis=1)
    assert np.allclose(radii, 1 / bend[0], atol=6e-4)


@given(st.sampled_from(FAMILIES), st.floats(0, 0.2))
def test_the_origin_lies_where_the_path_leads_in(family: str, lead_in: float) -> None:
    shapes = SHAPES.model_copy(update={"lead_in": lead_in})
    table = draw_curves([family], shapes, np.random.default_rng(0))[0]
    assert np.all(table[round(lead_in / 0.001), :3] == 0)


@given(st.floats(0.05, 1.0), st.floats(0.004, 0.3))
def test_a_path_has_as_many_rows_as_its_shapes_say(length: float, spacing: float) -> None:
    """A path that is no whole number of spacings long is counted in one way only."""
    shapes = Shapes(length=length, spacing=spacing)
    assert draw_curves(["straight"], shapes, np.random.default_rng(0)).shape == (1, shapes.rows, COLUMNS)


def test_a_path_of_three_and_a_half_spacings_runs(tmp_path: Path) -> None:
    path = """[quantities.path]
kind = "path"
families = "family"
speed = "pace"
length = 0.07
spacing = 0.02
"""
    jobs = 'heading = { low = -1.0, high = 1.0, unit = "rad" }\n'
    drawn = f'{jobs}family = {{ values = ["straight"] }}\npace = {{ nominal = 0.05 }}\n'
    task = small_task(tmp_path, (jobs, drawn), ("[quantities.high]", f"{path}\n[quantities.high]"))
    env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 2, seed=0)
    env.reset()
    assert len(env.paths_in_home_frame(0)[0]) == 5
