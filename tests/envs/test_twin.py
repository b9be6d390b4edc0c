"""What only the twin knows comes with each observation, of the same moment, and is in no contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.evaluate import evaluate
from envs.scripted import controller, proof
from envs.single import TaskEnv
from envs.task import Task
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop, data_sheet
from skills.errors import ContractError
from tests.envs.bundles import small_task

KNOWN = """\
[[twin]]
name = "height"
of = "tool.position"
part = [2, 3]
scale = 0.5

[[twin]]
name = "goal"
of = "goal"
scale = 0.1

[[twin]]
name = "stiff"
of = "impedance"
scale = 2.0

"""
MORE = (
    ("[jobs]", "impedance = { low = 0.5, high = 1.5 }\n\n[jobs]\ngoal = { low = -0.04, high = 0.04 }"),
    ("[[action]]", f"{KNOWN}[[action]]"),
)


def knowing(folder: Path, *changes: tuple[str, str]) -> Task:
    return small_task(folder, *MORE, *changes)


def test_it_is_of_the_same_moment_as_the_observation(tmp_path: Path) -> None:
    task = knowing(tmp_path / "Bundle")
    shop = Workshop(name="x", task="small", embodiment="ur5e", figures={"impedance": 0.6})
    env = TaskVectorEnv(task, shop, 3, seed=0)
    assert task.twin_size == 3
    assert task.contract == small_task(tmp_path / "Without", MORE[0]).contract
    seen, infos = env.reset()
    goals = []
    for step in range(2 * task.horizon + 2):
        twin = infos["twin"]
        assert twin.dtype == np.float32
        assert twin.shape == (3, task.twin_size)
        # The observation has the height in hundredths of a metre and without noise.
        assert np.allclose(twin[:, 0] * 50, seen[:, 2], atol=1e-5)
        assert np.allclose(twin[:, 2], 0.3)
        goals.append(twin[:, 1].copy())
        assert ("success" in infos) == (step in {task.horizon, 2 * task.horizon + 1})
        seen, _, _, _, infos = env.step(env.action_space.sample())
    # Each episode has a goal of its own; the first step after an end already shows the new one.
    assert np.array_equal(goals[0], goals[task.horizon])
    assert not np.isclose(goals[task.horizon], goals[task.horizon + 1]).any()


def test_a_task_that_declares_none_says_none(tmp_path: Path) -> None:
    task = small_task(tmp_path / "Bundle")
    env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 2, seed=0)
    assert task.twin_size == 0
    assert env.reset()[1] == {}
    assert env.step(np.zeros((2, 3), np.float32))[4] == {}


def test_a_single_environment_says_it_of_its_only_copy(tmp_path: Path) -> None:
    task = knowing(tmp_path / "Bundle")
    env = TaskEnv(task=str(task.folder), embodiment="ur5e")
    _, info = env.reset(seed=1)
    assert info["twin"].shape == (3,)
    for _ in range(task.horizon):
        *_, info = env.step(np.zeros(3, np.float32))
    assert isinstance(info["success"], bool)


MARK = """\
<mujoco model="small">
  <option timestep="0.004" gravity="0 0 0"/>
  <worldbody>
    <site name="mount"/>
    <body name="work">
      <body name="mark">
        <joint name="mark" type="slide" axis="0 0 1"/>
        <geom size="0.01" contype="0" conaffinity="0"/>
        <site name="mark"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
ORACLE = """\
[oracle]
velocity = [
  { of = "position", part = [2, 3], gain = [0.0, 0.0, -4.0] },
  { of = "goal", gain = [0.0, 0.0, 4.0] },
]

[scripted.p]"""


def test_an_oracle_is_told_and_shows_that_a_task_can_be_done(tmp_path: Path) -> None:
    """To go to a mark whose height no robot observes."""
    changes = (
        (
            "[quantities.high]",
            '[[changes]]\nwhat = "position"\nof = "mark"\nby = "goal"\n\n[quantities.high]',
        ),
        ('kind = "length"\nof = "tool.position"\npart = [2, 3]\nunit = "m"', DISTANCE),
        ('steps = [{ of = "high", below = 0.01 }]', 'end = [{ of = "high", below = 0.003 }]'),
        ("horizon = 20", "horizon = 100\nreach = [0.0005, 0.0005, 0.0005]"),
    )
    task = small_task(tmp_path / "Bundle", *MORE, *changes, ("[scripted.p]", ORACLE), scene=MARK)
    shop = data_sheet(task.file, "ur5e")
    policy = proof(task)
    assert policy is not None
    assert policy.told
    assert evaluate(policy, task, shop, 16, seed=0).score == 1.0
    assert evaluate(controller("p", task), task, shop, 16, seed=0).score < 0.5


DISTANCE = 'kind = "distance"\nof = "tool"\nseen_from = "mark"'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('of = "goal"', 'of = "gaol"'), "no quantity or figure 'gaol'"),
        (("part = [2, 3]\nscale", "part = [2, 5]\nscale"), "tool.position has 3 components"),
        (('name = "height"', 'name = "position"'), "'position' is there twice"),
        (("[scripted.p]", '[scripted.p]\nvelocity = [{ of = "goal" }]\n[oracle]'), "no observation 'goal'"),
    ],
)
def test_an_entry_that_leads_nowhere_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        knowing(tmp_path / "Bundle", change)
