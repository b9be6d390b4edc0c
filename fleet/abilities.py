"""What a robot serves: the contracts of the tasks that it can practise here, for its hub and its owner.

Whether a skill fits that is `skills.fits`'s to say. Loads no torch and no Ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from envs.bundle import bundle_names, own_tasks
from envs.embodiment import load_embodiment, own_embodiments
from envs.format import TaskFile
from envs.task import Task, load_task
from skills.errors import ContractError
from skills.fits import TASKS_LIMIT, Abilities, Ability

__all__ = ["abilities_of"]


def abilities_of(embodiment: str, own: Task | None = None, kept: Sequence[Task] = ()) -> Abilities:
    """What a robot serves in its twin, or in an environment of its own.

    Args:
        embodiment: Which robot it is.
        own: The task to whose contract its own environment was held; it serves this one alone.
        kept: Tasks that it has fetched from its hub, see `fleet.tasks.kept_tasks`.
    """
    tasks = [own] if own else [task for task in (*kept, *_tasks_here()) if _admits(task, embodiment)]
    served = [Ability(task=task.name, task_digest=task.digest, contract=task.contract) for task in tasks]
    return Abilities(abilities=tuple(served[:TASKS_LIMIT]))


def _tasks_here() -> list[Task]:
    found = []
    for name in (*bundle_names(), *own_tasks()):
        with suppress(ContractError):  # a broken bundle is said by whoever uses it
            found.append(load_task(name))
    return found


def _admits(task: Task, embodiment: str) -> bool:
    """As `envs.figures.check_workshop`, and the drive fits, too."""
    if embodiment in task.file.embodiments:
        return True
    if not isinstance(task.file, TaskFile) or embodiment not in own_embodiments():
        return False
    return load_embodiment(embodiment).drive == task.file.control.kind
