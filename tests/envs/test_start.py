"""How an episode begins: the robot at rest in its start pose, the scene as its file has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.examine import examine
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet
from skills.errors import ContractError
from tests.envs.bundles import SCENE, small_task

STACKING = Path(__file__).parent / "stack-bricks"
BALL = '<body name="ball" pos="1 1 {height}"><freejoint/><geom name="skin" size="0.02" mass="0.2"/></body>'
FLOOR = '<geom name="floor" type="plane" size="2 2 0.1"/>'
FALLING = ('gravity="0 0 0"', 'gravity="0 0 -9.81"')


def scene(parts: str, *changes: tuple[str, str]) -> str:
    text = SCENE.replace("</worldbody>", f"{parts}</worldbody>")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def place_of(env: TaskVectorEnv, body: str) -> np.ndarray:
    return env.cells.body_poses()[0][:, env.cells.model.body(body).id].copy()


def started(folder: Path, text: str) -> TaskVectorEnv:
    task = small_task(folder, scene=text)
    env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 4, seed=0)
    env.reset()
    return env


def test_a_free_brick_lies_where_the_scene_put_it() -> None:
    task = load_task(STACKING)
    env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 4, seed=0)
    env.reset()
    assert place_of(env, "lower") == pytest.approx(np.tile([0.47, 0.0, 0.02], (4, 1)), abs=1e-9)
    # What the tool holds hangs at the tool, though the file has it elsewhere.
    assert place_of(env, "brick")[:, 2].max() < 0.3
    idle = np.zeros((4, env.task.contract.action_size), np.float32)
    for _ in range(20):
        env.step(idle)
    assert place_of(env, "lower") == pytest.approx(np.tile([0.47, 0.0, 0.02], (4, 1)), abs=3e-3)


def test_stacking_bricks_keeps_the_contract() -> None:
    assert [finding for finding in examine(load_task(STACKING)) if not finding.passed] == []


def test_a_part_on_a_spring_starts_where_the_scene_put_it(tmp_path: Path) -> None:
    spring = (
        '<body name="flap" pos="1 1 0"><joint type="slide" axis="0 0 1" stiffness="50" springref="0.3"/>'
        '<geom size="0.02" mass="0.2"/></body>'
    )
    env = started(tmp_path, scene(spring))
    assert place_of(env, "flap") == pytest.approx(np.tile([1.0, 1.0, 0.0], (4, 1)), abs=1e-9)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (BALL.format(height=1), "`ball` moves by"),
        (FLOOR + BALL.format(height=0.01), "`skin` lies 10 mm deep in `floor`"),
    ],
)
def test_the_checker_tells_what_moves_or_penetrates(parts: str, said: str, tmp_path: Path) -> None:
    found = {each.check: each for each in examine(small_task(tmp_path, scene=scene(parts, FALLING)))}
    finding = found["start on ur5e"]
    assert not finding.passed
    assert said in finding.text
    assert finding.remedy


def test_a_mount_that_the_robot_cannot_reach_its_start_from_is_refused(tmp_path: Path) -> None:
    task = small_task(tmp_path, scene=SCENE.replace('"mount"', '"mount" pos="1.5 0 0"'))
    with pytest.raises(ContractError, match=r"`mount` at \(1.5, 0, 0\) ur5e's tool stays") as caught:
        TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 1)
    assert "reach" in caught.value.remedy
    found = list(examine(task))
    assert [each.check for each in found if not each.passed] == ["compiles"]


def test_a_mount_on_something_that_moves_is_refused(tmp_path: Path) -> None:
    moved = SCENE.replace('<site name="mount"/>', "").replace(
        '<body name="work"/>', '<body name="work" mocap="true"><site name="mount"/></body>'
    )
    task = small_task(tmp_path, scene=moved)
    with pytest.raises(ContractError, match="the site `mount` belongs to the body 'work'"):
        TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 1)
