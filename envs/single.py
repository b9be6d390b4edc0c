"""Weld-seam as one plain `gymnasium.Env`, and as the vector environment that Gymnasium makes by name."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, SupportsFloat

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.embodiment import build_model
from envs.task import load_task
from envs.vector import WeldSeamVectorEnv, make_vector_env
from envs.workshop import Workshop

__all__ = ["WeldSeamEnv", "make_registered"]

IMAGE = (480, 640)
"""Height and width of a rendered frame, pixels."""
SEAM_STRIDE = 10
COLOUR = np.array([1.0, 0.45, 0.1, 1.0], dtype=np.float32)

Observation = NDArray[np.float32]


def make_registered(
    num_envs: int = 1, *, embodiment: str = "ur5e", workshop: Workshop | None = None, seed: int | None = None
) -> WeldSeamVectorEnv:
    """What `gymnasium.make_vec("zunft/WeldSeam-v1", ...)` calls."""
    return make_vector_env(load_task("weld-seam"), workshop or _data_sheet(embodiment), num_envs, seed)


class WeldSeamEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One robot, one job at a time: what `gymnasium.make("zunft/WeldSeam-v1", embodiment=...)` gives.

    Args:
        embodiment: An arm as its data sheet says, with every kind of seam; ignored with a workshop.
        workshop: A robot's own arm, peculiarities and seams.
        render_mode: None or `rgb_array` (needs a working GL, for example MUJOCO_GL=egl).
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - gymnasium's way

    def __init__(
        self, embodiment: str = "ur5e", workshop: Workshop | None = None, render_mode: str | None = None
    ) -> None:
        self._vector = make_registered(1, embodiment=embodiment, workshop=workshop)
        self.render_mode = render_mode
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self._renderer: mujoco.Renderer | None = None

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new job."""
        super().reset(seed=seed)
        observations, _ = self._vector.reset(seed=seed)
        return observations[0], {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Move by one control step; the info of an episode's last step holds `success`."""
        seen, gained, failed, ended, infos = self._vector.step(np.asarray(action)[None])
        info = {"success": bool(infos["success"][0])} if infos else {}
        return seen[0], float(gained[0]), bool(failed[0]), bool(ended[0]), info

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The cell as an image (height, width, 3), or None without a render mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None:
            model = build_model(self._vector.task, self._vector.workshop, drawn=True)
            self._renderer = mujoco.Renderer(model, *IMAGE)
        data = mujoco.MjData(self._renderer.model)
        data.qpos[:] = self._vector.cells.joint_angles(0)
        mujoco.mj_kinematics(self._renderer.model, data)
        mujoco.mj_camlight(self._renderer.model, data)
        self._renderer.update_scene(data, "cell")
        home = data.site("home").xpos
        _draw_line(self._renderer.scene, self._vector.seam_in_home_frame(0)[::SEAM_STRIDE] + home)
        image: NDArray[np.uint8] = self._renderer.render()
        return image

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _draw_line(scene: mujoco.MjvScene, points: NDArray[np.float64]) -> None:
    for begin, end in pairwise(points):
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(
            geom, mujoco.mjtGeom.mjGEOM_CAPSULE, np.zeros(3), np.zeros(3), np.eye(3).ravel(), COLOUR
        )
        mujoco.mjv_connector(geom, mujoco.mjtGeom.mjGEOM_CAPSULE, 0.0015, begin, end)
        scene.ngeom += 1


def _data_sheet(embodiment: str) -> Workshop:
    return Workshop(name=f"data-sheet-{embodiment}", embodiment=embodiment)
