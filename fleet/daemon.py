"""Puts a robot's agent together from its settings: its own environment or its twin, and its hub."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np

from envs.task import Task, load_task
from fleet.agent import Agent, Ground
from fleet.ground import OwnGround, SimulatedGround
from fleet.home import home_workshop
from fleet.membership import connect
from fleet.own_env import load_env
from fleet.progress import Progress
from fleet.settings import RobotSettings
from fleet.workbench import Identity, Workbench

__all__ = ["make_agent"]


def make_agent(
    bench: Workbench,
    settings: RobotSettings,
    report: Callable[[Progress], None],
    stopped: Callable[[], bool],
) -> Agent:
    """The agent of the robot that works at this bench.

    Raises:
        NotFoundError: It has not joined a hub.
        ContractError: Its workshop or its own environment does not fit.
    """
    identity = bench.identity()
    seed = settings.seed + crc32(identity.robot_id.encode())
    return Agent(
        settings.skill,
        identity,
        bench,
        connect(bench),
        _ground(identity, load_task(settings.skill), settings, seed % 2**31),
        settings.for_agent(),
        # Not seeded: robots that lost the hub at the same moment must not come back at the same moment.
        rng=np.random.default_rng(),
        report=report,
        stopped=stopped,
    )


def _ground(identity: Identity, task: Task, settings: RobotSettings, seed: int) -> Ground:
    if settings.env:
        env = load_env(settings.env, task)
        return OwnGround(env, task, seed=seed, episodes=settings.rehearsal_episodes)
    workshop = home_workshop(identity)
    return SimulatedGround(task, workshop, seed=seed, episodes=settings.rehearsal_episodes)
