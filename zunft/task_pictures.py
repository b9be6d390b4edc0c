"""Pictures of tasks: an episode as frames side by side, and a learning curve."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draws to files also where there is no screen

import numpy as np
from matplotlib.figure import Figure
from mujoco import gl_context
from numpy.typing import NDArray

from envs.single import TaskEnv
from envs.task import Task
from envs.workshop import data_sheet
from skills.player import Player
from zunft.trial import Trial

__all__ = ["can_render", "draw_curve", "draw_episode"]

FRAMES = 3
COLOURS = ("#7d94a5", "#c8502a")


def draw_episode(task: Task, policy: Player, path: Path, *, embodiment: str, seed: int) -> bool:
    """Run one job and write a few of its moments side by side; returns whether it was done.

    Without a working GL (`MUJOCO_GL=egl` needs no screen) the tool's way is plotted instead.
    """
    env = TaskEnv(task, workshop=data_sheet(task.bundle, embodiment), render_mode="rgb_array")
    policy = policy.begin()
    seen, _ = env.reset(seed=seed)
    moments = np.linspace(1, task.horizon - 1, FRAMES).round().astype(int).tolist()
    frames: list[NDArray[np.uint8]] = []
    way, success, over, step = [], False, False, 0
    while not over:
        seen, _, failed, ended, info = env.step(policy.act(seen[None])[0])
        step, over = step + 1, failed or ended
        way.append(env.vector.quantities.view("tool.position")[0].copy())
        success = bool(info.get("success", success))
        if step in moments:
            frames += _frame(env)
    env.close()
    if len(frames) == len(moments):
        _save_frames(frames, path)
    else:
        _plot_way(np.array(way), task, path)
    return success


def draw_curve(trial: Trial, path: Path) -> None:
    """Mean return and success over the steps of a training."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    returns = figure.add_subplot()
    success = returns.twinx()
    known = [point for point in trial.curve if point.mean_return is not None]
    steps = [point.steps / 1000 for point in known]
    returns.plot(steps, [point.mean_return or 0.0 for point in known], color=COLOURS[0], label="mean return")
    success.plot(steps, [point.success or 0.0 for point in known], color=COLOURS[1], label="success")
    returns.set_xlabel("thousand steps")
    returns.set_ylabel("mean return of an episode", color=COLOURS[0])
    success.set_ylabel("share of jobs done, exploring", color=COLOURS[1])
    success.set_ylim(0, 1.02)
    returns.set_title(f"{trial.task} in {trial.workshop}", loc="left", fontweight="bold")
    for axes in (returns, success):
        axes.spines[["top"]].set_visible(False)
    figure.savefig(path, dpi=110)


def can_render() -> bool:
    """Whether drawing may be tried here: GLFW without a screen ends the process instead of raising."""
    # MuJoCo chose its GL when it was imported.
    is_glfw = gl_context.GLContext.__module__ == "mujoco.glfw"
    return not is_glfw or bool(os.environ.get("DISPLAY"))


def _frame(env: TaskEnv) -> list[NDArray[np.uint8]]:
    if not can_render():
        return []
    try:
        image = env.render()
    except Exception:  # noqa: BLE001 - each GL fails in its own way, and a plot is as good
        return []
    return [] if image is None else [image]


def _save_frames(frames: list[NDArray[np.uint8]], path: Path) -> None:
    strip = np.hstack([frame[:, 100:-100] for frame in frames])
    figure = Figure(figsize=(strip.shape[1] / 150, strip.shape[0] / 150))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(strip)
    axes.set_axis_off()
    figure.savefig(path, dpi=100)


def _plot_way(way: NDArray[np.float64], task: Task, path: Path) -> None:
    figure = Figure(figsize=(7, 3), layout="constrained")
    above, side = figure.subplots(1, 2)
    for axes, column, name in ((above, 1, "y, mm"), (side, 2, "z, mm")):
        axes.plot(way[:, 0] * 1000, way[:, column] * 1000, color=COLOURS[1])
        axes.set_xlabel("x, mm")
        axes.set_ylabel(name)
    figure.suptitle(f"{task.name}: the tool's way in the job frame")
    figure.savefig(path, dpi=110)
