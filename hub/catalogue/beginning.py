"""How a skill begins without a file from anybody: an untrained network for a task, made by a worker."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Principal
from hub.access.visibility import seen_skills
from hub.catalogue.catalogue import Catalogue
from hub.storage.database import Database
from hub.storage.spool import Spool
from hub.storage.tables.skills import SkillRow
from hub.tasks.sources import board_task
from hub.workers.job import Jobs
from hub.workers.untrained import UntrainedJob
from skills.errors import ConflictError, NotFoundError
from skills.messages.skills import VersionView

__all__ = ["Beginnings"]


@dataclass(frozen=True)
class Beginnings:
    """Each call waits for a worker."""

    database: Database
    catalogue: Catalogue
    jobs: Jobs
    spool: Spool

    def begin(self, task: str, seed: int, *, by: Principal) -> VersionView:
        """Publish version 1 of the skill of a task.

        Raises:
            NotFoundError: There is no such task, or none that one sees.
            ConflictError: The skill has begun.
            ForbiddenError, TooLargeError, TooManyRequestsError: See `Catalogue.publish`.
        """
        with self.database.read() as session:
            found = board_task(session, task, by)
            if found is None:
                raise NotFoundError(
                    f"there is no task {task[:64]!r}.", where="task", remedy="See the list of tasks."
                )
            if session.scalar(seen_skills(by).where(SkillRow.name == task)) is not None:
                raise ConflictError(
                    f"there is a skill {task} already.", where="task", remedy="Start a campaign for it."
                )
        made = self.jobs.run(UntrainedJob(name=task, task=found[1], seed=seed))
        with self.spool.file() as file:
            file.write(made.content)
            return self.catalogue.publish(file, by=by)[0]
