"""Explanations of why a version fails: measured once by a worker, and kept as a file."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Principal, Viewer
from hub.catalogue.catalogue import own_skill, resolve
from hub.catalogue.kept_findings import KeptFindings
from hub.storage.database import Database
from hub.storage.regions import region_of
from hub.tasks.sources import task_source
from hub.workers.explaining import ExplainJob
from hub.workers.job import Jobs
from skills.errors import ConflictError
from skills.manifest import Manifest
from skills.messages.causes import Explanation

__all__ = ["Explanations"]


@dataclass(frozen=True)
class Explanations:
    """Of each version that was explained here; another process measures it again."""

    database: Database
    jobs: Jobs
    kept: KeptFindings[Explanation]

    def explanation(self, name: str, ref: str, viewer: Viewer) -> Explanation:
        """What was found.

        Raises:
            NotFoundError: No such skill or version.
            ConflictError: It was not explained yet.
        """
        with self.database.read() as session:
            version = resolve(session, name, ref, viewer)
        known = self.kept.known(version.digest)
        if known is None:
            raise ConflictError(
                f"v{version.number} of {name} was not explained yet.",
                where="ref",
                remedy=f"Ask for it: zunft skill explain {name}@{version.number}.",
                code="not_explained",
            )
        return known

    def explain(self, name: str, ref: str, *, by: Principal) -> Explanation:
        """Have a worker find it, and wait; what is known already is told at once.

        Raises:
            NotFoundError: No such skill or version.
            ForbiddenError: It is another organisation's.
            ContractError: The task wraps an environment whose figures nobody knows.
        """
        with self.database.read() as session:
            own_skill(session, name, by)
            version = resolve(session, name, ref, by)
            manifest = Manifest.model_validate(version.manifest)
            region, task = region_of(session, name), task_source(session, name, manifest)
        known = self.kept.known(version.digest)
        if known is not None:
            return known
        job = ExplainJob(digest=version.digest, name=manifest.task, region=region, task=task)
        told = Explanation(
            skill=name,
            version=version.number,
            digest=version.digest,
            task=manifest.task,
            **dict(self.jobs.run(job)),
        )
        self.kept.keep(version.digest, told)
        return told
