"""Two versions held to each other: measured once by a worker, and kept as a file by both digests."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.catalogue.catalogue import own_skill, resolve
from hub.catalogue.kept_findings import KeptFindings
from hub.storage.database import Database
from hub.storage.regions import region_of
from hub.storage.tables.skills import VersionRow
from hub.tasks.sources import task_source
from hub.workers.comparing import CompareJob
from hub.workers.job import Jobs
from skills.errors import ConflictError
from skills.manifest import Manifest
from skills.messages.comparisons import Comparison

__all__ = ["Comparisons"]

Pair = tuple[VersionRow, VersionRow]


@dataclass(frozen=True)
class Comparisons:
    """Of each two versions that were compared here; another process measures them again."""

    database: Database
    jobs: Jobs
    kept: KeptFindings[Comparison]

    def comparison(self, name: str, ref: str, other: str, viewer: Viewer) -> Comparison:
        """What was found, whichever is named first.

        Raises:
            NotFoundError: No such skill or version.
            ConflictError: They are one, or were not compared yet.
        """
        with self.database.read() as session:
            left, right = _pair(session, name, ref, other, viewer)
        known = self.kept.known(_key(left, right))
        if known is None:
            raise ConflictError(
                f"v{left.number} and v{right.number} of {name} were not compared yet.",
                where="ref",
                remedy=f"Ask for it: zunft skill compare {name}@{left.number} {right.number}.",
                code="not_compared",
            )
        return known

    def compare(self, name: str, ref: str, other: str, *, by: Principal) -> Comparison:
        """Have a worker do it, and wait; what is known already is told at once.

        Raises:
            NotFoundError: No such skill or version.
            ConflictError: They are one.
            ForbiddenError: It is another organisation's.
        """
        with self.database.read() as session:
            own_skill(session, name, by)
            left, right = _pair(session, name, ref, other, by)
            manifest = Manifest.model_validate(right.manifest)
            region, task = region_of(session, name), task_source(session, name, manifest)
        known = self.kept.known(_key(left, right))
        if known is not None:
            return known
        job = CompareJob(left=left.digest, right=right.digest, name=manifest.task, region=region, task=task)
        told = Comparison(
            skill=name,
            left=left.number,
            right=right.number,
            left_digest=left.digest,
            right_digest=right.digest,
            task=manifest.task,
            **dict(self.jobs.run(job)),
        )
        self.kept.keep(_key(left, right), told)
        return told


def _pair(session: Session, name: str, ref: str, other: str, viewer: Viewer) -> Pair:
    """The earlier version first."""
    first, second = resolve(session, name, ref, viewer), resolve(session, name, other, viewer)
    if first.number == second.number:
        said = f"v{first.number} cannot be compared with itself."
        raise ConflictError(said, where="other", remedy="Name another version.", code="one_version")
    return (first, second) if first.number < second.number else (second, first)


def _key(left: VersionRow, right: VersionRow) -> str:
    return f"{left.digest}.{right.digest.removeprefix('sha256:')}"
