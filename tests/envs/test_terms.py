"""Each kind of quantity says what it promises, on scenes where the answer is known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from envs.format import task_file
from envs.terms.base import Term
from envs.terms.coverage import Coverage
from envs.terms.registry import OWN, known_terms
from envs.values import Output, Outputs
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet
from skills.errors import ContractError
from tests.envs.bundles import small_task

numbers = itertools.count()
WHILE = 'while_of = "high"\nabove = 0.0\nbelow = 1.0'

SITES = """\
<mujoco model="small">
  <option timestep="0.004" gravity="0 0 0"/>
  <worldbody>
    <site name="mount"/>
    <site name="origin"/>
    <site name="corner" pos="0.3 0.4 0" euler="0 90 0"/>
    <body name="work"/>
  </worldbody>
  <sensor><framepos name="where" objtype="site" objname="corner"/></sensor>
</mujoco>
"""


def make(folder: Path, quantity: str, heading: float = 0.0) -> TaskVectorEnv:
    """The small task with one more quantity, `it`."""
    task = small_task(
        folder / f"Bundle{next(numbers)}",
        ("[quantities.high]", f"[quantities.it]\n{quantity}\n\n[quantities.high]"),
        ("heading = { low = -1.0, high = 1.0", f"heading = {{ low = {heading}, high = {heading}"),
        scene=SITES,
    )
    env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 2, seed=0)
    env.reset()
    return env


def test_a_position_is_the_vector_between_two_sites_in_the_job_frame(tmp_path: Path) -> None:
    quantity = 'kind = "position"\nof = "corner"\nseen_from = "origin"'
    assert np.allclose(make(tmp_path, quantity).quantities.view("it"), [0.3, 0.4, 0])
    turned = make(tmp_path, quantity, heading=np.pi / 2)
    assert np.allclose(turned.quantities.view("it"), [0.4, -0.3, 0])


def test_a_distance_and_an_angle_between_axes(tmp_path: Path) -> None:
    distance = make(tmp_path, 'kind = "distance"\nof = "corner"\nseen_from = "origin"')
    assert np.allclose(distance.quantities.view("it"), 0.5)
    for axes, angle in (('axis = "z"\nother_axis = "x"', 0.0), ('axis = "z"', np.pi / 2)):
        env = make(tmp_path, f'kind = "axis-angle"\nof = "corner"\nseen_from = "origin"\n{axes}')
        assert np.allclose(env.quantities.view("it"), angle, atol=1e-7)


def test_a_sensor_of_the_scene_is_read_and_multiplied(tmp_path: Path) -> None:
    env = make(tmp_path, 'kind = "sensor"\nsensor = "where"\nsize = 3\nunit = "m"\ngain = -2.0')
    assert np.allclose(env.quantities.view("it"), [-0.6, -0.8, 0])
    into_job = 'kind = "sensor"\nsensor = "where"\nsize = 3\nunit = "m"\ninto_job = true'
    assert np.allclose(make(tmp_path, into_job, heading=np.pi / 2).quantities.view("it"), [0.4, -0.3, 0])


def test_a_component_and_a_length_of_another_quantity(tmp_path: Path) -> None:
    env = make(tmp_path, 'kind = "component"\nof = "tool.position"\ncomponent = 2\ngain = -1.0\nunit = "m"')
    env.step(np.tile(np.array([0.5, 0.5, 1.0], np.float32), (2, 1)))
    position = env.quantities.view("tool.position")
    assert np.allclose(env.quantities.view("it")[:, 0], -position[:, 2])
    assert np.allclose(env.quantities.view("high")[:, 0], np.abs(position[:, 2]))


def test_a_smoothed_value_follows_and_a_peak_stays(tmp_path: Path) -> None:
    smooth = 'kind = "smooth"\nof = "tool.holds"\nshare = 0.5\nunit = "1"'
    env = make(tmp_path, f'{smooth}\n\n[quantities.top]\nkind = "peak"\nof = "tool.velocity"\nunit = "m/s"')
    tops, speeds = [], []
    for step in range(12):
        env.step(np.full((2, 3), 1.0 if step < 6 else 0.0, np.float32))
        tops.append(env.quantities.view("top")[0, 0])
        speeds.append(float(np.linalg.norm(env.quantities.view("tool.velocity")[0])))
    assert np.allclose(tops, np.maximum.accumulate(speeds))
    assert speeds[-1] < tops[-1]
    env.reset()
    assert env.quantities.view("top").max() == 0


def test_joints_that_rest_have_no_speed(tmp_path: Path) -> None:
    env = make(tmp_path, 'kind = "joint-velocity"')
    assert np.allclose(env.quantities.view("it"), 0, atol=1e-6)
    for _ in range(3):
        env.step(np.ones((2, 3), np.float32))
    assert env.quantities.view("it").min() > 0.01


def test_coverage_counts_what_was_under_the_tool_while_it_worked(tmp_path: Path) -> None:
    quantity = (
        'kind = "coverage"\nlength = 0.04\nwidth = 0.04\ncell = 0.01\nradius = 0.012\n'
        'while_of = "tool.holds"\nabove = -1.0\nbelow = 1.0'
    )
    env = make(tmp_path, quantity)
    assert 0 < env.quantities.view("it.covered")[0, 0] < 0.5
    first = env.quantities.view("it.covered")[0, 0]
    assert np.allclose(env.quantities.view("it.towards")[:, 2], -env.quantities.view("tool.position")[:, 2])
    for _ in range(15):
        env.step(np.tile(np.array([1.0, 0, 0], np.float32), (2, 1)))
    assert env.quantities.view("it.covered")[0, 0] > first
    assert env.quantities.view("it.dwell")[0, 0] <= 16 * env.task.dt + 1e-9
    idle = make(tmp_path, quantity.replace("above = -1.0", "above = 0.5"))
    assert idle.quantities.view("it.covered").max() == 0


def test_lanes_go_back_and_forth_over_all_cells() -> None:
    term = Coverage(
        kind="coverage", length=0.1, width=0.06, cell=0.01, radius=0.02, while_of="press", above=0, below=1
    )
    centres, lane = term.cells()
    assert len({tuple(each) for each in centres.round(6).tolist()}) == 60
    assert np.all(np.diff(lane) >= 0)
    for each in range(lane.max() + 1):
        x = centres[lane == each, 0]
        assert np.all(np.diff(x) >= 0) if each % 2 == 0 else np.all(np.diff(x) <= 0)


@pytest.mark.parametrize(
    ("quantity", "named"),
    [
        ('kind = "distance"\nof = "nowhere"\nseen_from = "origin"', "site 'nowhere'"),
        ('kind = "sensor"\nsensor = "nose"\nunit = "N"', "sensor 'nose'"),
        ('kind = "sensor"\nsensor = "where"\nunit = "m"', "size = 3"),
    ],
)
def test_what_the_scene_lacks_is_named(tmp_path: Path, quantity: str, named: str) -> None:
    with pytest.raises(ContractError, match=named):
        make(tmp_path, quantity)


@pytest.mark.parametrize(
    ("quantity", "named"),
    [
        ('kind = "path"\nfamilies = "x"\nspeed = "x"\nlength = 90.0\nspacing = 0.001', "5000 points"),
        (f'kind = "coverage"\nlength = 9.0\nwidth = 9.0\ncell = 0.001\nradius = 0.1\n{WHILE}', "5000 cells"),
    ],
)
def test_what_would_fill_the_memory_is_refused(tmp_path: Path, quantity: str, named: str) -> None:
    with pytest.raises(ContractError, match=named):
        make(tmp_path, quantity)


class Warmth(Term):
    """A kind from somebody's own package."""

    kind: Literal["warmth"]

    def outputs(self) -> Outputs:
        return {"": Output(1, "K")}


class _Point:
    def __init__(self, term: type[Term]) -> None:
        self.term = term

    def load(self) -> type[Term]:
        return self.term


def test_an_installed_package_adds_a_kind_and_cannot_take_anothers_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offer(*terms: type[Term]) -> None:
        known_terms.cache_clear()
        task_file.cache_clear()
        points: Any = [_Point(term) for term in terms]
        monkeypatch.setattr("skills.kinds.entry_points", lambda group: points * (group == "zunft.terms"))

    try:
        offer(Warmth)
        assert known_terms()["warmth"] is Warmth
        assert "warmth" in str(task_file().model_json_schema())
        offer(OWN[0])
        with pytest.raises(ValueError, match="two terms are called 'axis-angle'"):
            known_terms()
    finally:
        known_terms.cache_clear()
        task_file.cache_clear()
