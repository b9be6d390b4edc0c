"""Tasks by name, as this hub knows them: the digest of a bundle, and for whoever measures the task itself.

All that measures asks here, the gate and the leaderboards alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from skills.errors import ContractError

if TYPE_CHECKING:
    from envs.task import Task

__all__ = ["open_task", "task_digest"]

NAME = r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?"


def task_digest(name: str) -> str | None:
    """Of the task's bundle as it is now; None where there is no task of that name."""
    if re.fullmatch(NAME, name) is None:  # a path is none of our tasks
        return None
    from envs.bundle import digest_folder, find_bundle  # noqa: PLC0415 - Gymnasium; no simulator

    try:
        return digest_folder(find_bundle(name))
    except ContractError:
        return None


def open_task(name: str) -> Task:
    """The task, read and checked.

    Raises:
        ContractError: There is none of that name, or its bundle is broken.
    """
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo, which the hub's own process does without

    return load_task(name)
