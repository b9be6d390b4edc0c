"""Any task as one plain `gymnasium.Env`, and as the vector environment that Gymnasium makes by name."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, SupportsFloat

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.scene import build_model
from envs.task import Task, load_task
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop, data_sheet

__all__ = ["TaskEnv", "make_registered"]

IMAGE = (480, 640)
"""Height and width of a rendered frame, pixels."""
STRIDE = 10
COLOUR = np.array([1.0, 0.45, 0.1, 1.0], dtype=np.float32)

Observation = NDArray[np.float32]


def make_registered(
    num_envs: int = 1,
    *,
    task: str | Task,
    embodiment: str | None = None,
    workshop: Workshop | None = None,
    seed: int | None = None,
) -> TaskVectorEnv:
    """What `gymnasium.make_vec("zunft/WeldSeam-v1", ...)` calls."""
    found = task if isinstance(task, Task) else load_task(task)
    home = workshop or data_sheet(found.file, embodiment or found.file.embodiments[0])
    return TaskVectorEnv(found, home, num_envs, seed)


class TaskEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One robot, one job at a time: what `gymnasium.make("zunft/WeldSeam-v1", embodiment=...)` gives.

    Args:
        task: A task or its name.
        embodiment: A robot as its data sheet says, with every kind of job; the task's first one if
            none is named. Ignored with a workshop.
        workshop: A robot's own embodiment, peculiarities and jobs.
        render_mode: None or `rgb_array` (needs a working GL, for example MUJOCO_GL=egl).
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - gymnasium's way

    def __init__(
        self,
        task: str | Task,
        embodiment: str | None = None,
        workshop: Workshop | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.vector = make_registered(1, task=task, embodiment=embodiment, workshop=workshop)
        self.render_mode = render_mode
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space
        self._renderer: mujoco.Renderer | None = None

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new job."""
        super().reset(seed=seed)
        observations, infos = self.vector.reset(seed=seed)
        return observations[0], _first(infos)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Move by one control step; the info of an episode's last step holds `success`."""
        seen, gained, failed, ended, infos = self.vector.step(np.asarray(action)[None])
        return seen[0], float(gained[0]), bool(failed[0]), bool(ended[0]), _first(infos)

    def joints(self) -> NDArray[np.float64] | None:
        """Positions, velocities, and efforts as means over a step, (3, joints); None: it is no arm.

        Efforts are sensed from the first call on.
        """
        cells = self.vector.cells
        if self.vector.task.bundle.control.floating:
            return None
        effort = cells.joint_efforts()
        return np.stack([cells.joint_positions()[0], cells.joint_velocities()[0], effort[0]])

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The cell as an image (height, width, 3), or None without a render mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None:
            model = build_model(self.vector.task, self.vector.workshop, drawn=True)
            self._renderer = mujoco.Renderer(model, *IMAGE)
        data = mujoco.MjData(self._renderer.model)
        self.vector.cells.show(0, data)
        mujoco.mj_kinematics(self._renderer.model, data)
        mujoco.mj_camlight(self._renderer.model, data)
        camera = "cell" if "cell" in _cameras(self._renderer.model) else -1
        self._renderer.update_scene(data, camera)
        home = data.site("home").xpos
        for path in self.vector.paths_in_home_frame(0):
            _draw_line(self._renderer.scene, path[::STRIDE] + home)
        image: NDArray[np.uint8] = self._renderer.render()
        return image

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    """What is said of the only copy; the mask of who has ended is Gymnasium's for many."""
    info = {key: values[0] for key, values in infos.items() if not key.startswith("_")}
    return info | ({"success": bool(info["success"])} if "success" in info else {})


def _cameras(model: mujoco.MjModel) -> list[str]:
    return [model.camera(number).name for number in range(model.ncam)]


def _draw_line(scene: mujoco.MjvScene, points: NDArray[np.float64]) -> None:
    for begin, end in pairwise(points):
        if scene.ngeom >= scene.maxgeom:
            return
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(
            geom, mujoco.mjtGeom.mjGEOM_CAPSULE, np.zeros(3), np.zeros(3), np.eye(3).ravel(), COLOUR
        )
        mujoco.mjv_connector(geom, mujoco.mjtGeom.mjGEOM_CAPSULE, 0.0015, begin, end)
        scene.ngeom += 1
