"""What moves by itself or lies inside something else when an episode begins, in words."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np

from envs.start import own_bodies
from envs.vector import TaskVectorEnv

__all__ = ["unrest"]

SECONDS = 0.25
MOST_MOVED = 0.005
"""What lies free may sink so far into what carries it while the robot does nothing, m."""
MOST_DEEP = 0.002
"""Two bodies may overlap so much at the start, m."""


def unrest(env: TaskVectorEnv, seed: int) -> list[str]:
    """Each complaint once, the worst of all copies; nothing where all lies still and apart."""
    env.reset(seed=seed)
    deep = list(_overlaps(env))
    return deep or list(_movements(env))


def _overlaps(env: TaskVectorEnv) -> Iterator[str]:
    model = env.cells.model
    own, deepest = own_bodies(model), dict[tuple[int, int], float]()
    for number in range(env.num_envs):
        for contact in env.cells.snapshot(number).contact:
            pair = (int(contact.geom[0]), int(contact.geom[1]))
            # What the tool holds may reach into the tool.
            if not own[model.geom_bodyid[list(pair)]].all():
                deepest[pair] = max(deepest.get(pair, 0.0), -float(contact.dist))
    for (one, other), depth in deepest.items():
        if depth > MOST_DEEP:
            yield (
                f"`{_geom_name(model, other)}` lies {depth * 1000:.0f} mm deep in `{_geom_name(model, one)}`"
            )


def _movements(env: TaskVectorEnv) -> Iterator[str]:
    model = env.cells.model
    others = np.flatnonzero(~own_bodies(model) & (model.body_weldid > 0) & (model.body_mocapid < 0))
    positions, _ = env.cells.body_poses()
    before = positions[:, others].copy()
    idle = np.zeros(env.action_space.shape or (), np.float32)
    for _ in range(max(1, round(SECONDS / env.task.dt))):
        _, _, failed, ended, _ = env.step(idle)
        if (failed | ended).any():
            break  # the next step would begin another episode
    moved = np.linalg.norm(positions[:, others] - before, axis=2).max(axis=0)
    for body, distance in zip(others, moved, strict=True):
        if not distance < MOST_MOVED:
            yield f"`{model.body(int(body)).name}` moves by {distance * 1000:.0f} mm in {SECONDS:g} s"


def _geom_name(model: mujoco.MjModel, geom: int) -> str:
    """Its own name, or its body's."""
    return model.geom(geom).name or str(model.body(int(model.geom_bodyid[geom])).name)
