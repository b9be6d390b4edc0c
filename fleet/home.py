"""Which workshop is a robot's home."""

from __future__ import annotations

from zlib import crc32

from envs.task import Task
from envs.workshop import Workshop, fresh_workshop, load_workshop
from fleet.robot_folder import Identity

__all__ = ["home_workshop"]


def home_workshop(identity: Identity, task: Task) -> Workshop:
    """The workshop that the robot named when it joined; where it named none, one of the task by its id.

    Raises:
        ContractError: There is no such workshop; whether it is one for the task shows when it is simulated.
    """
    if identity.workshop:
        return load_workshop(identity.workshop)
    return fresh_workshop(task.file, identity.embodiment, seed=crc32(identity.robot_id.encode()))
