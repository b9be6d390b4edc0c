"""Explanations of why a version fails: measured once by a worker, and kept as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hub.access.principal import Principal, Viewer
from hub.catalogue.catalogue import own_skill, resolve
from hub.storage.database import Database
from hub.storage.regions import region_of
from hub.storage.tables.skills import VersionRow
from hub.tasks.sources import task_source
from hub.workers.explaining import ExplainJob
from hub.workers.job import Jobs
from skills.errors import ConflictError
from skills.manifest import Manifest
from skills.messages.causes import Explanation

__all__ = ["Explanations"]


@dataclass(frozen=True)
class Explanations:
    """`folder` holds a file for each version that was explained here; another process measures it again."""

    database: Database
    jobs: Jobs
    folder: Path

    def explanation(self, name: str, ref: str, viewer: Viewer) -> Explanation:
        """What was found.

        Raises:
            NotFoundError: No such skill or version.
            ConflictError: It was not explained yet.
        """
        with self.database.read() as session:
            version = resolve(session, name, ref, viewer)
        try:
            return Explanation.model_validate_json(self._file(version).read_bytes())
        except (FileNotFoundError, ValidationError) as error:
            raise ConflictError(
                f"v{version.number} of {name} was not explained yet.",
                where="ref",
                remedy=f"Ask for it: zunft skill explain {name}@{version.number}.",
                code="not_explained",
            ) from error

    def explain(self, name: str, ref: str, *, by: Principal) -> Explanation:
        """Have a worker find it, and wait; what is known already is told at once.

        Raises:
            NotFoundError: No such skill or version.
            ForbiddenError: It is another organisation's.
            ContractError: The task wraps an environment whose figures nobody knows.
        """
        try:
            return self._known(name, ref, by)
        except ConflictError as error:
            if error.code != "not_explained":
                raise
        with self.database.read() as session:
            version = resolve(session, name, ref, by)
            manifest = Manifest.model_validate(version.manifest)
            region = region_of(session, name)
            task = task_source(session, name, manifest)
        job = ExplainJob(digest=version.digest, name=manifest.task, region=region, task=task)
        found = self.jobs.run(job)
        told = Explanation(
            skill=name,
            version=version.number,
            digest=version.digest,
            task=manifest.task,
            **dict(found),
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file(version).write_text(told.model_dump_json())
        return told

    def _known(self, name: str, ref: str, by: Principal) -> Explanation:
        with self.database.read() as session:
            own_skill(session, name, by)
        return self.explanation(name, ref, by)

    def _file(self, version: VersionRow) -> Path:
        return self.folder / f"{version.digest.removeprefix('sha256:')}.json"
