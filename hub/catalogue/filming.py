"""Films of versions: recorded once by a worker, and kept as a file by the version's digest and embodiment."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Principal, Viewer
from hub.catalogue.catalogue import own_skill, resolve
from hub.catalogue.kept_findings import KeptFindings
from hub.storage.database import Database
from hub.storage.regions import region_of
from hub.storage.tables.skills import VersionRow
from hub.tasks.sources import task_source
from hub.workers.filming import FilmJob
from hub.workers.job import Jobs
from skills.errors import ConflictError
from skills.manifest import Manifest
from skills.messages.replays import Film

__all__ = ["Films"]


@dataclass(frozen=True)
class Films:
    """Of each version and embodiment that was recorded here; another process makes it again."""

    database: Database
    jobs: Jobs
    kept: KeptFindings[Film]

    def film(self, name: str, ref: str, embodiment: str, viewer: Viewer) -> Film:
        """What was recorded.

        Raises:
            NotFoundError: No such skill or version.
            ConflictError: It was not recorded yet.
        """
        with self.database.read() as session:
            version = resolve(session, name, ref, viewer)
        known = self.kept.known(_key(version, embodiment))
        if known is None:
            raise ConflictError(
                f"v{version.number} of {name} was not recorded on {embodiment[:64]} yet.",
                where="ref",
                remedy=f"Ask for it: zunft skill replay {name}@{version.number}.",
                code="not_recorded",
            )
        return known

    def make(self, name: str, ref: str, embodiment: str, *, by: Principal) -> Film:
        """Have a worker record it, and wait; what is known already is told at once.

        Raises:
            NotFoundError: No such skill or version.
            ForbiddenError: It is another organisation's.
            ContractError: The task does not admit the embodiment, or has no scene.
        """
        with self.database.read() as session:
            own_skill(session, name, by)
            version = resolve(session, name, ref, by)
            manifest = Manifest.model_validate(version.manifest)
            region, task = region_of(session, name), task_source(session, name, manifest)
        known = self.kept.known(_key(version, embodiment))
        if known is not None:
            return known
        job = FilmJob(
            digest=version.digest, name=manifest.task, embodiment=embodiment, region=region, task=task
        )
        told = Film(
            skill=name,
            version=version.number,
            digest=version.digest,
            task=manifest.task,
            embodiment=embodiment,
            **dict(self.jobs.run(job)),
        )
        self.kept.keep(_key(version, embodiment), told)
        return told


def _key(version: VersionRow, embodiment: str) -> str:
    return f"{version.digest}.{embodiment}"
