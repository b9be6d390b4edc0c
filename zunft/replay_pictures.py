"""Draw a replay: its best, median and worst episode as a picture of moments, or as one moving GIF.

Poses come from the file, shapes from task and embodiment of this machine. Recording is `envs.replay`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draws to files also where there is no screen

import mujoco
import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.replay import Replay
from envs.scene import build_model
from envs.task import Task
from envs.workshop import data_sheet
from skills.container import Tensors
from skills.errors import ContractError
from zunft.task_pictures import can_render

__all__ = ["draw_replay"]

HEIGHT, WIDTH = 240, 320  # of one image, pixels
MOMENTS = 4
MOST_IMAGES = 60
"""In a GIF; of a longer episode so many are shown, in the same time."""

Image = NDArray[np.uint8]


def draw_replay(task: Task, replay: Replay, tensors: Tensors, path: Path) -> bool:
    """Write a `.gif` that moves, or any other kind of picture; returns whether GL drew the bodies.

    Without a working GL (`MUJOCO_GL=egl` needs no screen) the ways of the last body are plotted instead.

    Raises:
        ContractError: The replay is of another task than this one.
    """
    _check(task, replay)
    stage = _Stage(task, replay) if can_render() else None
    moves = path.suffix.lower() == ".gif"
    moments = _moments(replay, MOST_IMAGES if moves else MOMENTS)
    try:
        images = None if stage is None else _images(stage, tensors, moments)
    except Exception:  # noqa: BLE001 - each GL fails in its own way, and a plot is as good
        images = None
    if images is None:
        if moves:
            raise ContractError(
                "there is no working GL here to draw a GIF with.",
                where="MUJOCO_GL",
                remedy="Set MUJOCO_GL=egl or osmesa, or write a .png: that has a plot then.",
            )
        _plot_ways(replay, tensors, path)
    elif moves:
        _write_gif(replay, images, path)
    else:
        _write_strip(replay, images, path)
    return images is not None


class _Stage:
    """The drawn model, posed body by body instead of joint by joint."""

    def __init__(self, task: Task, replay: Replay) -> None:
        self.model = build_model(task, data_sheet(task.bundle, replay.embodiment), drawn=True)
        names = tuple(self.model.body(number).name for number in range(self.model.nbody))
        if names != replay.bodies:
            raise _refusal(replay, "it has other bodies")
        self.data = mujoco.MjData(self.model)
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        cameras = [self.model.camera(number).name for number in range(self.model.ncam)]
        self._camera = "cell" if "cell" in cameras else -1
        self._renderer = mujoco.Renderer(self.model, HEIGHT, WIDTH)

    def image(self, positions: NDArray[np.float64], rotations: NDArray[np.float64]) -> Image:
        """With these poses of all bodies, (bodies, 3) and (bodies, 4)."""
        turn, quaternion = np.zeros(9), np.zeros(4)
        for geom in range(self.model.ngeom):
            body = int(self.model.geom_bodyid[geom])
            mujoco.mju_rotVecQuat(turn[:3], self.model.geom_pos[geom], rotations[body])
            self.data.geom_xpos[geom] = positions[body] + turn[:3]
            mujoco.mju_mulQuat(quaternion, rotations[body], self.model.geom_quat[geom])
            mujoco.mju_quat2Mat(turn, quaternion)
            self.data.geom_xmat[geom] = turn
        self._renderer.update_scene(self.data, self._camera)
        drawn: Image = self._renderer.render()
        return drawn

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()


def _images(stage: _Stage, tensors: Tensors, moments: dict[str, list[int]]) -> dict[str, list[Image]]:
    found = {}
    for kind, frames in moments.items():
        positions = tensors[f"{kind}.position"].astype(np.float64)
        rotations = tensors[f"{kind}.rotation"].astype(np.float64)
        rotations /= np.linalg.norm(rotations, axis=2, keepdims=True)
        found[kind] = [stage.image(positions[frame], rotations[frame]) for frame in frames]
    stage.close()
    return found


def _moments(replay: Replay, most: int) -> dict[str, list[int]]:
    """Frames of each episode that are drawn, as many of each, spread over the longest; the last one stays."""
    longest = max(episode.frames for episode in replay.episodes.values())
    spread = np.linspace(0, longest - 1, min(most, longest)).round().astype(int)
    return {
        kind: np.minimum(spread, episode.frames - 1).tolist() for kind, episode in replay.episodes.items()
    }


def _write_strip(replay: Replay, images: dict[str, list[Image]], path: Path) -> None:
    figure = Figure(figsize=(2.4 * MOMENTS, 2.0 * len(images)), layout="constrained")
    rows = figure.subplots(len(images), 1, squeeze=False)[:, 0]
    for axes, (kind, row) in zip(rows, images.items(), strict=True):
        _show(axes, np.hstack(row), _title(replay, kind))
    figure.savefig(path, dpi=110)


def _write_gif(replay: Replay, images: dict[str, list[Image]], path: Path) -> None:
    longest = max(episode.frames for episode in replay.episodes.values())
    count = len(next(iter(images.values())))
    figure = Figure(figsize=(3.2 * len(images), 2.8), layout="constrained")
    columns = figure.subplots(1, len(images), squeeze=False)[0]
    shown = [
        _show(axes, row[0], _title(replay, kind))
        for axes, (kind, row) in zip(columns, images.items(), strict=True)
    ]
    writer = PillowWriter(fps=max(1, round(replay.frames_a_second * count / longest)))
    with writer.saving(figure, str(path), dpi=100):
        for number in range(count):
            for picture, row in zip(shown, images.values(), strict=True):
                picture.set_data(row[number])
            writer.grab_frame()


def _show(axes: Axes, image: Image, title: str) -> mpl.image.AxesImage:
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontsize=9)
    return axes.imshow(image)


def _plot_ways(replay: Replay, tensors: Tensors, path: Path) -> None:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    sides: Sequence[Axes] = figure.subplots(1, 2)
    for axes, column, name in zip(sides, (1, 2), ("y", "z"), strict=True):
        for kind in replay.episodes:
            way = tensors[f"{kind}.position"][:, -1].astype(np.float64)
            axes.plot(way[:, 0], way[:, column], label=_title(replay, kind))
        axes.set_xlabel("x, m")
        axes.set_ylabel(f"{name}, m")
    sides[0].legend(fontsize=8)
    figure.suptitle(f"{replay.task}: ways of {replay.bodies[-1]}")
    figure.savefig(path, dpi=110)


def _title(replay: Replay, kind: str) -> str:
    episode = {str(name): each for name, each in replay.episodes.items()}[kind]
    return f"{kind}: {'done' if episode.success else 'not done'}, return {episode.gained:.1f}"


def _check(task: Task, replay: Replay) -> None:
    if task.digest != replay.task_digest:
        raise _refusal(replay, f"its task was {replay.task_digest[:19]}, here it is {task.digest[:19]}")


def _refusal(replay: Replay, why: str) -> ContractError:
    return ContractError(
        f"the replay is not of this {replay.task}: {why}.",
        where="task_digest",
        remedy="Draw it with the version of the task that it was recorded with.",
    )
