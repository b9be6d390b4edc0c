"""What the guild vouches for, read from rows of skills and tasks; and the mark that something has changed.

Inside the caller's transaction. `mark` is called by whoever changes a version, a channel, a task or who sees
them: so what robots are shown and what is signed change at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, tuple_
from sqlalchemy.orm import Session
from tuf.api.metadata import TargetFile

from hub.storage.record import take_turn
from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from hub.storage.tables.tuf import MetadataRoleRow, MetadataRow
from hub.tuf.metadata import TARGETS, role_of, target
from hub.tuf.rings import ring_targets, stopped_versions
from skills.container import digest_of
from skills.targets import (
    Pointer,
    TaskNote,
    VersionNote,
    channel_target,
    skill_pattern,
    skill_target,
    task_pattern,
    task_target,
)

__all__ = ["attestations_of", "enter_file", "mark", "next_counter", "patterns_of", "targets_of"]

NEWEST = 10_000
"""Versions of an organisation that it vouches for: robots read 5 MB of a role at most."""
MOST_ATTESTED = 2
KEPT = 4
"""Versions of a role's metadata that are kept for whoever is just reading them; of the root all."""


def mark(session: Session, organisation: str) -> None:
    """What an organisation has, or who sees it, changes in this transaction: it is signed anew afterwards."""
    take_turn(session)  # whoever signs holds it, too, and sees all changes or comes after them
    for shown in (True, False):
        role = role_of(organisation, shown=shown)
        row = session.get(MetadataRoleRow, role)
        if row is None:
            session.add(MetadataRoleRow(role=role, organisation=organisation, shown=shown))
        else:
            row.changed = True
    session.get_one(MetadataRoleRow, TARGETS).changed = True
    session.flush()


def enter_file(session: Session, row: MetadataRoleRow, version: int, body: bytes) -> None:
    """Add a role's next file, and forget those that nobody can be reading any more."""
    row.version = version
    session.add(MetadataRow(role=row.role, version=version, body=body.decode(), digest=digest_of(body)))
    session.flush()
    its = MetadataRow.role == row.role
    newest = select(MetadataRow.version).where(its).order_by(MetadataRow.version.desc()).limit(KEPT)
    session.execute(delete(MetadataRow).where(its, MetadataRow.version.not_in(newest.scalar_subquery())))


def next_counter(counter: int, now: datetime) -> int:
    """What comes after a counter: the time, so that it rises also over what an old backup has forgotten."""
    return max(counter + 1, int(now.timestamp()))


def patterns_of(session: Session) -> dict[str, list[str]]:
    """By role, the names that it may sign for."""
    found: dict[str, list[str]] = {}
    skills = select(SkillRow.name, SkillRow.organisation, SkillRow.visibility).order_by(SkillRow.name)
    for name, organisation, visibility in session.execute(skills):
        role = role_of(organisation, shown=visibility == "guild")
        found.setdefault(role, []).append(skill_pattern(name))
    tasks = select(TaskRow.name, TaskRow.organisation, TaskRow.visibility).order_by(TaskRow.name)
    for name, organisation, visibility in session.execute(tasks):
        role = role_of(organisation, shown=visibility == "guild")
        found.setdefault(role, []).append(task_pattern(name))
    return found


def targets_of(session: Session, organisation: str, *, shown: bool) -> Iterator[TargetFile]:
    """What an organisation vouches for: versions, where channels point, and tasks.

    Where the stable channel points of a skill that its own key releases is that key's to say (`own_keys`).
    """
    yield from _versions(session, organisation, shown=shown)
    channels = (
        select(ChannelRow)
        .join(SkillRow, SkillRow.name == ChannelRow.skill)
        .where(SkillRow.organisation == organisation, _is_shown(SkillRow, shown=shown))
    )
    own = select(MetadataRoleRow.skill).where(MetadataRoleRow.key != "")
    rows = session.scalars(
        channels.where(or_(ChannelRow.name != "stable", ChannelRow.skill.not_in(own)))
    ).all()
    stopped = stopped_versions(session, [row.skill for row in rows])
    for row in rows:
        bad = tuple(each for each in stopped.get(row.skill, ()) if each != row.number)
        pointer = Pointer(
            version=row.number, counter=row.counter, lowest=row.lowest, kept=row.kept, stopped=bad
        )
        body = pointer.model_dump_json().encode()
        path = channel_target(row.skill, row.name)
        yield target(path, digest_of(body), len(body), pointer.model_dump(mode="json"))
    yield from ring_targets(
        session, and_(SkillRow.organisation == organisation, _is_shown(SkillRow, shown=shown))
    )
    tasks = (
        select(
            TaskVersionRow.task,
            TaskVersionRow.number,
            TaskVersionRow.digest,
            TaskVersionRow.size,
            TaskVersionRow.bundle,
        )
        .join(TaskRow, TaskRow.name == TaskVersionRow.task)
        .where(
            TaskRow.organisation == organisation,
            _is_shown(TaskRow, shown=shown),
            TaskVersionRow.state == "listed",
        )
    )
    for name, number, digest, size, bundle in session.execute(tasks):
        note = TaskNote(bundle=bundle)
        yield target(task_target(name, number), digest, size, note.model_dump(mode="json"))


def attestations_of(session: Session, organisation: str) -> Mapping[str, tuple[str, ...]]:
    """Digests of the gate's signed words on an organisation's versions, by the version's own, the last ones.

    One that is entered while nothing else changes is named with the next change.
    """
    speaking = (
        select(VersionRow.digest, AttestationRow.digest)
        .join(
            AttestationRow,
            and_(AttestationRow.skill == VersionRow.skill, AttestationRow.number == VersionRow.number),
        )
        .join(SkillRow, SkillRow.name == VersionRow.skill)
        .where(SkillRow.organisation == organisation, AttestationRow.kind == "gate")
        .order_by(AttestationRow.made_at, AttestationRow.digest)
    )
    found: dict[str, list[str]] = {}
    for version, attestation in session.execute(speaking):
        found.setdefault(version, []).append(attestation)
    return {version: tuple(each[-MOST_ATTESTED:]) for version, each in found.items()}


def _versions(session: Session, organisation: str, *, shown: bool) -> Iterator[TargetFile]:
    rows = session.execute(_newest(organisation, shown=shown)).all()
    attested = attestations_of(session, organisation)
    for skill, number, digest, size, manifest in rows:
        note = VersionNote(manifest=manifest, attestations=attested.get(digest, ()))
        yield target(skill_target(skill, number), digest, size, note.model_dump(mode="json"))


def _newest(organisation: str, *, shown: bool) -> Select[str, int, str, int, str]:
    """The newest versions that were not withdrawn, and those that channels point at however old."""
    its = (
        SkillRow.organisation == organisation,
        _is_shown(SkillRow, shown=shown),
        VersionRow.withdrawn_at.is_(None),
    )
    newest = (
        select(VersionRow.digest)
        .join(SkillRow, SkillRow.name == VersionRow.skill)
        .where(*its)
        .order_by(VersionRow.created_at.desc())
        .limit(NEWEST)
    )
    pointed = tuple_(VersionRow.skill, VersionRow.number).in_(select(ChannelRow.skill, ChannelRow.number))
    columns = (
        VersionRow.skill,
        VersionRow.number,
        VersionRow.digest,
        VersionRow.size,
        VersionRow.manifest_digest,
    )
    found = select(*columns).join(SkillRow, SkillRow.name == VersionRow.skill)
    return found.where(*its, or_(VersionRow.digest.in_(newest), pointed))


def _is_shown(table: type[SkillRow | TaskRow], *, shown: bool) -> ColumnElement[bool]:
    return table.visibility == "guild" if shown else table.visibility != "guild"
