"""Published tasks as people see them, many at a time: the number of statements does not grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, select
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from hub.access.principal import Viewer
from hub.access.visibility import seen_task_versions
from hub.storage.paging import Line, Order, Statement, containing
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from hub.workers.job import Checked
from skills.messages.lists import TaskQuery, TaskVersionQuery
from skills.messages.tasks import TaskVersionView, TaskView

__all__ = [
    "TASK_ORDER",
    "TASK_VERSION_ORDER",
    "listed_task_versions",
    "listed_tasks",
    "task_version_view",
    "task_views",
]

TASK_ORDER = Order("tasks", (TaskRow.name,))
TASK_VERSION_ORDER = Order("task versions", (TaskVersionRow.number,), descending=True)


def listed_tasks(viewer: Viewer, query: TaskQuery) -> Statement:
    """Tasks that somebody asked for, with what the viewer sees of each.

    That is the digest of the newest version, and the number of the newest listed one.
    """
    its = TaskVersionRow.task == TaskRow.name, seen_task_versions(viewer)
    newest = _newest(TaskVersionRow.digest, *its)
    latest = _newest(TaskVersionRow.number, *its, TaskVersionRow.state == "listed")
    found = select(TaskRow, newest, latest).where(newest.is_not(None))
    if query.text:
        found = found.where(containing(query.text, TaskRow.name))
    if query.organisation:
        found = found.where(TaskRow.organisation == query.organisation)
    return found.where(TaskRow.visibility == query.visibility) if query.visibility else found


def _newest(column: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """This of the newest version of a task that is like this."""
    found = select(column).where(*conditions).order_by(TaskVersionRow.number.desc()).limit(1)
    return found.correlate(TaskRow).scalar_subquery()


def listed_task_versions(name: str, viewer: Viewer, query: TaskVersionQuery) -> Statement:
    """Versions of a task that the viewer sees and asked for."""
    found = select(TaskVersionRow).where(TaskVersionRow.task == name, seen_task_versions(viewer))
    return found.where(TaskVersionRow.state == query.state) if query.state else found


def task_views(session: Session, rows: Sequence[Line]) -> list[TaskView]:
    """Tasks from rows of `listed_tasks`; of their versions they have the newest alone."""
    wanted = select(TaskVersionRow).where(TaskVersionRow.digest.in_([row[1] for row in rows]))
    long = defer(TaskVersionRow.readme), defer(TaskVersionRow.checked)
    newest = {version.digest: version for version in session.scalars(wanted.options(*long))}
    return [_task_view(row[0], newest[row[1]], row[2]) for row in rows]


def _task_view(row: TaskRow, newest: TaskVersionRow, latest: int | None) -> TaskView:
    return TaskView(
        name=row.name,
        organisation=row.organisation,
        visibility=row.visibility,
        title=newest.title,
        summary=newest.summary,
        licence=newest.licence,
        state=newest.state,
        latest=latest,
        versions=(newest.number,),
        updated_at=newest.checked_at or newest.created_at,
    )


def task_version_view(row: TaskVersionRow) -> TaskVersionView:
    """One version, with what the checker found."""
    checked = Checked.model_validate(row.checked) if row.checked else None
    return TaskVersionView(
        task=row.task,
        version=row.number,
        digest=row.digest,
        bundle=row.bundle,
        size=row.size,
        title=row.title,
        summary=row.summary,
        licence=row.licence,
        readme=row.readme,
        state=row.state,
        findings=checked.findings if checked else (),
        facts=checked.facts if checked else None,
        created_at=row.created_at,
        checked_at=row.checked_at,
        signature=row.signature,
    )
