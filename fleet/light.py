"""A robot without simulator and trainers, as `pip install zunft` makes it: it syncs, and runs skills.

It has no place in which to practise or to try a version; which versions it takes is `fleet.trust`'s then.
"""

from __future__ import annotations

from typing import NoReturn

from envs.task import Task
from skills.extras import MissingExtraError
from skills.messages.plans import TrainingPlan

__all__ = ["LightPlace"]


class LightPlace:
    """No place at all, see `fleet.place.Place`: whatever would be done in one needs the extra `train`."""

    def __init__(self, task: Task) -> None:
        self.contract = task.contract
        self.task_digest: str | None = task.digest
        self.trains = self.has_twin = False

    def lacks_master(self, _plan: TrainingPlan, /) -> bool:
        """Nobody asks it for lessons."""
        return False

    def refuse(self, *_: object, **__: object) -> NoReturn:
        """Say what it takes.

        Raises:
            MissingExtraError: Always.
        """
        raise MissingExtraError("train", where="this robot")

    practise = tune = train_master = rehearse = try_version = refuse
