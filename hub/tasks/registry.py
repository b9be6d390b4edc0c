"""Published tasks: taking a bundle in, and showing what there is; no web framework.

A bundle is only looked into here. Whether it is listed is decided by `hub.tasks.checker`, who may see it by
`hub.access.visibility`. An archive is in the store of its organisation's region before its row is in the
database.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from envs.archive import Head, read_head
from envs.bundle import BUNDLES, bundle_names, digest_folder
from hub.access.principal import Principal, Viewer
from hub.access.visibility import must_change, seen_task_versions, seen_tasks
from hub.clock import Clock
from hub.organisations.quotas import check_room, check_uploads, hold, keep
from hub.storage.database import Database, announce
from hub.storage.discards import Discards
from hub.storage.paging import page_of
from hub.storage.record import note, take_turn
from hub.storage.regions import Stores
from hub.storage.spool import SpoolFile
from hub.storage.stored_file import StoredFile
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.tasks import README_LENGTH, TaskRow, TaskVersionRow
from hub.tasks.views import (
    TASK_ORDER,
    TASK_VERSION_ORDER,
    listed_task_versions,
    listed_tasks,
    task_version_view,
    task_views,
)
from skills.errors import ConflictError, ContractError, NotFoundError
from skills.messages.lists import Page, TaskQuery, TaskVersionQuery
from skills.messages.skills import Visibility
from skills.messages.tasks import TaskVersionView, TaskView
from skills.signing import SigningKey, task_statement

__all__ = ["Tasks"]


class Tasks:
    """Publishing and reading; each call is its own transaction."""

    def __init__(
        self, database: Database, stores: Stores, discards: Discards, key: SigningKey, clock: Clock
    ) -> None:
        self._database = database
        self._stores = stores
        self._discards = discards
        self._key = key
        self._clock = clock

    def publish(
        self, file: SpoolFile, *, by: Principal, visibility: Visibility | None = None
    ) -> tuple[TaskVersionView, bool]:
        """Take an archive in, to be checked; the same archive again changes nothing.

        Args:
            file: The archive, no larger than a bundle may be.
            by: Who brings it; a new name becomes their organisation's.
            visibility: Who may see a new name; None: what its organisation has decided.

        Returns:
            The version, and whether it is new.

        Raises:
            ArtefactError: Not the archive of a bundle.
            ContractError: It has a name of the package's tasks and is another one.
            ConflictError: The name is taken by a task that one does not see.
            ForbiddenError: The name is another organisation's.
            TooLargeError, TooManyRequestsError: It is over the organisation's quotas.
        """
        head = read_head(file.path.read_bytes())
        _check_name(head)
        with self._database.read() as session:
            owner = _owner_for(session, head.name, by)
            known = _version_of(session, file.digest)
            if known is not None:
                return task_version_view(known), False
            check_uploads(session, owner, self._clock())
            check_room(owner, file.size)
        with self._discards.keeping(owner.region, file):
            return self._enter(head, file, by, visibility, owner.region)

    def _enter(
        self, head: Head, file: SpoolFile, by: Principal, visibility: Visibility | None, region: str
    ) -> tuple[TaskVersionView, bool]:
        now = self._clock()
        with self._database.write() as session:
            name = _owner_for(session, head.name, by).name
            owner = hold(session, name)[name]
            known = _version_of(session, file.digest)
            if known is not None:
                return task_version_view(known), False
            if owner.region != region:
                raise ConflictError(
                    f"{owner.name} was pinned to another region meanwhile.",
                    remedy="Send it again.",
                    code="region_changed",
                )
            check_uploads(session, owner, now)
            keep(owner, file.size)
            take_turn(session)
            row = self._add(session, head, file, by, now)
            task = session.get(TaskRow, head.name)
            if task is None:
                seen_by = visibility or owner.visibility
                task = TaskRow(name=head.name, organisation=name, visibility=seen_by, updated_at=now)
                session.add(task)
                session.flush()
            task.updated_at = now
            session.add(row)
            session.flush()
            details: dict[str, str | int] = {"version": row.number, "digest": row.digest}
            note(session, "task.published", now, by=by.actor, subject=head.name, **details)
            announce(session)
            return task_version_view(row), True

    def _add(
        self, session: Session, head: Head, file: SpoolFile, by: Principal, now: datetime
    ) -> TaskVersionRow:
        newest = select(func.max(TaskVersionRow.number)).where(TaskVersionRow.task == head.name)
        number = (session.scalar(newest) or 0) + 1
        return TaskVersionRow(
            task=head.name,
            number=number,
            digest=file.digest,
            bundle=head.digest,
            size=file.size,
            signature=self._key.sign(task_statement(head.name, number, file.digest)),
            title=head.title,
            summary=head.summary,
            licence=head.licence,
            readme=head.readme[:README_LENGTH],
            published_by=by.actor,
            created_at=now,
            state="checking",
        )

    def tasks(self, viewer: Viewer, query: TaskQuery) -> Page[TaskView]:
        """Tasks of which the viewer sees a version, by name, each with the newest one."""
        with self._database.read() as session:
            return page_of(
                session, listed_tasks(viewer, query), TASK_ORDER, query, partial(task_views, session)
            )

    def task(self, name: str, viewer: Viewer) -> TaskView:
        """One task with the numbers of all its versions that the viewer sees.

        Raises:
            NotFoundError: No such task.
        """
        found = listed_tasks(viewer, TaskQuery()).where(TaskRow.name == name)
        with self._database.read() as session:
            rows = session.execute(found).all()
            if not rows:
                raise _unknown(name)
            seen = listed_task_versions(name, viewer, TaskVersionQuery()).with_only_columns(
                TaskVersionRow.number
            )
            numbers = tuple(session.scalars(seen.order_by(TaskVersionRow.number)))
            return task_views(session, rows)[0].model_copy(update={"versions": numbers})

    def versions(self, name: str, viewer: Viewer, query: TaskVersionQuery) -> Page[TaskVersionView]:
        """Versions that the viewer sees of a task, newest first.

        Raises:
            NotFoundError: No such task.
        """
        with self._database.read() as session:
            if session.scalar(select(TaskRow.name).where(TaskRow.name == name, seen_tasks(viewer))) is None:
                raise _unknown(name)
            return page_of(
                session,
                listed_task_versions(name, viewer, query),
                TASK_VERSION_ORDER,
                query,
                lambda rows: (task_version_view(row[0]) for row in rows),
            )

    def version(self, name: str, number: int, viewer: Viewer) -> TaskVersionView:
        """One version.

        Raises:
            NotFoundError: No such task or version.
        """
        with self._database.read() as session:
            return task_version_view(_seen_version(session, name, number, viewer))

    def file(self, name: str, number: int, viewer: Viewer) -> StoredFile:
        """Where a version's archive comes from.

        Raises:
            NotFoundError: No such task or version.
        """
        with self._database.read() as session:
            row = _seen_version(session, name, number, viewer)
            return StoredFile(row.digest, row.size, self._stores.of(_region_of(session, name)))


def _check_name(head: Head) -> None:
    if head.name in bundle_names() and head.digest != digest_folder(BUNDLES / head.name):
        raise ContractError(
            f"{head.name} is a task of the package, and this bundle differs from it.",
            where="task.toml: name",
            remedy="Give a changed task a name of its own.",
            code="name_of_package",
        )


def _owner_for(session: Session, name: str, by: Principal) -> OrganisationRow:
    """Whose a version of this name would be; see `hub.catalogue.publishing.owner_for`.

    Raises:
        ConflictError: The name is taken by a task that one does not see.
        ForbiddenError: It is another organisation's.
    """
    row = session.get(TaskRow, name)
    if row is None:
        return session.get_one(OrganisationRow, by.organisation)
    if session.scalar(select(TaskRow.name).where(TaskRow.name == name, seen_tasks(by))) is None:
        raise ConflictError(
            f"the name {name} is taken.",
            where="task.toml: name",
            remedy="Publish it under another name.",
            code="name_taken",
        )
    must_change(by, row.organisation, f"the task {name}")
    return session.get_one(OrganisationRow, row.organisation)


def _version_of(session: Session, digest: str) -> TaskVersionRow | None:
    return session.scalar(select(TaskVersionRow).where(TaskVersionRow.digest == digest))


def _region_of(session: Session, name: str) -> str:
    statement = select(OrganisationRow.region).join(TaskRow, TaskRow.organisation == OrganisationRow.name)
    return session.scalars(statement.where(TaskRow.name == name)).one()


def _seen_version(session: Session, name: str, number: int, viewer: Viewer) -> TaskVersionRow:
    wanted = TaskVersionRow.task == name, TaskVersionRow.number == number
    row = session.scalar(select(TaskVersionRow).where(*wanted, seen_task_versions(viewer)))
    if row is None:
        if session.scalar(select(TaskRow.name).where(TaskRow.name == name, seen_tasks(viewer))) is None:
            raise _unknown(name)
        raise NotFoundError(
            f"{name} has no version {number}.", where="number", remedy="See the task's list of versions."
        )
    return row


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no task {name[:64]!r}.", where="name", remedy="See the list of tasks.")
