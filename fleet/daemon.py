"""Puts together what a robot does, from its settings: its own environment or its twin, and its hub."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from envs.task import Task
from fleet.abilities import abilities_of
from fleet.agent import Agent
from fleet.fetch import Needs, pull_skill, vouched_version
from fleet.home import home_workshop
from fleet.light import LightPlace
from fleet.membership import connect
from fleet.personal import personalise
from fleet.place import Place
from fleet.progress import Progress
from fleet.robot_folder import Personal, RobotFolder
from fleet.settings import RobotSettings
from fleet.tasks import find_task, kept_tasks
from fleet.trust import Vouching
from skills.extras import installed

if TYPE_CHECKING:
    from fleet.own_robot import Env

__all__ = ["make_agent", "tune_stable"]


def make_agent(
    bench: RobotFolder,
    settings: RobotSettings,
    own_env: Env | None,
    report: Callable[[Progress], None],
    stopped: Callable[[], bool],
) -> Agent:
    """The agent of the robot that works at this bench, in its own environment or, without one, in its twin.

    Raises:
        NotFoundError: It has not joined a hub.
        ContractError: There is no such workshop or task.
    """
    identity, hub = bench.identity(), connect(bench, stopped=stopped)
    task = find_task(bench, hub, settings.skill)
    return Agent(
        settings.skill,
        identity,
        bench,
        hub,
        _place(bench, own_env, task, settings, stopped),
        settings.for_agent(),
        abilities=abilities_of(identity.embodiment, task if own_env else None, kept_tasks(bench)),
        # Not seeded: robots that lost the hub at the same moment must not come back at the same moment.
        rng=np.random.default_rng(),
        report=report,
        stopped=stopped,
    )


def tune_stable(bench: RobotFolder, settings: RobotSettings, own_env: Env | None) -> Personal:
    """Tune the stable version for the robot's home now, and keep what came of it; see `fleet.personal`.

    Raises:
        NotFoundError: It has not joined a hub, or nothing is stable.
        ContractError: There is no such workshop or task, or the version does not fit.
        DistrustError, UnvouchedError, HubUnreachableError: The version could not be had.
        ArtefactError, RobotError: Training failed.
    """
    hub = connect(bench)
    task = find_task(bench, hub, settings.skill)
    place = _place(bench, own_env, task, settings, lambda: False)
    needs = Needs(settings.skill, place.contract, place.task_digest)
    embodiment, seen = bench.identity().embodiment, bench.memory(settings.skill).seen
    stable = vouched_version(hub, settings.skill, embodiment=embodiment, seen=seen)
    needs.check(stable.manifest)
    Vouching.by_owner(bench, hub).check(stable)
    guild = pull_skill(bench, hub, stable, needs)
    record, skill = personalise(place, guild, settings.for_tuning())
    bench.keep_personal(settings.skill, record, skill)
    return record


def _place(
    bench: RobotFolder,
    own_env: Env | None,
    task: Task,
    settings: RobotSettings,
    stopped: Callable[[], bool],
) -> Place:
    if not installed("train"):
        return LightPlace(task)
    from fleet.twin import OwnPlace, TwinPlace  # noqa: PLC0415 - of that extra

    identity = bench.identity()
    options: dict[str, Any] = {
        "seed": (settings.seed + crc32(identity.robot_id.encode())) % 2**31,
        "episodes": settings.rehearsal_episodes,
        "batch_steps": settings.batch_steps,
        "bench": bench,
        "stopped": stopped,
    }
    if own_env is None:
        return TwinPlace(task, home_workshop(identity, task), **options)
    has_twin = identity.workshop or identity.embodiment in task.file.embodiments
    twin = TwinPlace(task, home_workshop(identity, task), **options) if has_twin else None
    return OwnPlace(own_env, task, twin, **options)
