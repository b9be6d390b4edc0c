"""The catalogue: skills, their versions and lineage, and the channels that point at versions.

No web framework here. Measuring a version is `hub.gate`; making new ones from deltas, `hub.engine`.
A version's file is in the object store before its row is in the database.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.audit import HUB, note
from hub.clock import Clock
from hub.database import Database
from hub.events import record, take_turn
from hub.models import ChannelRow, SkillRow, VersionRow
from hub.store import ObjectStore
from skills.errors import ArtefactError, ConflictError, ContractError, NotFoundError, ZunftError
from skills.manifest import Manifest
from skills.messages import Channel, GateReport, ScoreView, SkillView, VersionView
from skills.signing import SigningKey, skill_statement
from skills.skill import Skill

__all__ = ["Catalogue", "add_version", "next_number", "point_channel", "resolve", "version_view"]


class Catalogue:
    """Publishing and reading; each call is its own transaction."""

    def __init__(self, database: Database, store: ObjectStore, key: SigningKey, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._key = key
        self._clock = clock

    def publish(self, data: bytes, *, by: str = HUB) -> tuple[VersionView, bool]:
        """Take an uploaded skill file into the catalogue; the same file again changes nothing.

        The first version of a skill becomes stable, so that robots have something to start from; a
        later one becomes the candidate until it is measured.

        Returns:
            The version, and whether it is new.

        Raises:
            ArtefactError: Not a valid skill, or its lineage or origin is not believable.
            ContractError: It does not fit the skill's earlier versions.
            ConflictError: Its version is not the next one.
        """
        skill = Skill.from_bytes(data)
        _check_origin(skill.manifest)
        with self._database.read() as session:
            known = session.scalar(select(VersionRow).where(VersionRow.digest == skill.digest))
            if known is not None:
                return version_view(session, known), False
            _check_succession(session, skill.manifest)
        self._store.put(skill.digest, data)
        try:
            return self._enter(skill, by)
        except ZunftError:
            # Another upload was faster: nothing of this one stays.
            self._store.delete(skill.digest)
            raise

    def _enter(self, skill: Skill, by: str) -> tuple[VersionView, bool]:
        now = self._clock()
        with self._database.write() as session:
            take_turn(session)  # before the look at numbers: other processes publish, too
            known = session.scalar(select(VersionRow).where(VersionRow.digest == skill.digest))
            if known is not None:
                return version_view(session, known), False
            _check_succession(session, skill.manifest)
            file = (skill.digest, len(skill.to_bytes()))
            row = add_version(session, skill.manifest, *file, self.sign(skill.digest), now, by=by)
            if row.number == 1:
                point_channel(session, skill.manifest.name, "stable", 1, now, by=by)
            return version_view(session, row), True

    def sign(self, digest: str) -> str:
        """The hub's signature on a version that it answers for."""
        return self._key.sign(skill_statement(digest))

    def skills(self) -> tuple[SkillView, ...]:
        """All skills by name."""
        with self._database.read() as session:
            rows = session.scalars(select(SkillRow).order_by(SkillRow.name))
            return tuple(_skill_view(session, row) for row in rows)

    def skill(self, name: str) -> SkillView:
        """One skill.

        Raises:
            NotFoundError: No such skill.
        """
        with self._database.read() as session:
            return _skill_view(session, _skill_row(session, name))

    def versions(self, name: str) -> tuple[VersionView, ...]:
        """All versions of a skill, oldest first.

        Raises:
            NotFoundError: No such skill.
        """
        with self._database.read() as session:
            _skill_row(session, name)
            rows = session.scalars(
                select(VersionRow).where(VersionRow.skill == name).order_by(VersionRow.number)
            )
            return tuple(version_view(session, row) for row in rows)

    def version(self, name: str, ref: str) -> VersionView:
        """One version, by number or channel.

        Raises:
            NotFoundError: No such skill, version or channel.
        """
        with self._database.read() as session:
            return version_view(session, resolve(session, name, ref))

    def file(self, version: VersionView) -> bytes:
        """The version's file, verified against its digest."""
        return self._store.get(version.digest, limit=version.size)

    def move_channel(self, name: str, channel: Channel, number: int, *, by: str = HUB) -> VersionView:
        """Point a channel at a version: a release or a rollback.

        Raises:
            NotFoundError: No such skill or version.
            ConflictError: Nothing unmeasured becomes stable, except a first version.
        """
        with self._database.write() as session:
            row = resolve(session, name, str(number))
            if channel == "stable" and row.score is None and row.number > 1:
                raise ConflictError(
                    f"v{number} of {name} was never measured.",
                    where="version",
                    remedy="Choose a version with a score.",
                    code="unmeasured",
                )
            point_channel(session, name, channel, number, self._clock(), by=by)
            return version_view(session, row)

    def record_score(self, digest: str, score: ScoreView) -> None:
        """Keep the first measurement of a version."""
        with self._database.write() as session:
            row = session.scalar(select(VersionRow).where(VersionRow.digest == digest))
            if row is not None and row.score is None:
                row.score = score.model_dump(mode="json")


def resolve(session: Session, name: str, ref: str) -> VersionRow:
    """The version that a number or channel stands for.

    Raises:
        NotFoundError: No such skill, version or channel.
    """
    _skill_row(session, name)
    number = int(ref) if ref.isascii() and ref.isdigit() and len(ref) < 12 else None
    if number is None:
        channel = session.get(ChannelRow, (name, ref))
        number = channel.number if channel else None
    row = session.get(VersionRow, (name, number)) if number is not None else None
    if row is None:
        raise NotFoundError(
            f"{name} has no version or channel {ref[:64]!r}.",
            where="ref",
            remedy="Use a number, `stable` or `candidate`; see the skill's list of versions.",
        )
    return row


def next_number(session: Session, name: str) -> int:
    """The number that the next version of a skill gets."""
    newest = session.scalar(select(func.max(VersionRow.number)).where(VersionRow.skill == name))
    return (newest or 0) + 1


def add_version(
    session: Session,
    manifest: Manifest,
    digest: str,
    size: int,
    signature: str,
    now: datetime,
    *,
    by: str = HUB,
) -> VersionRow:
    """Enter a version whose file is in the store already, and make it the candidate."""
    session.merge(SkillRow(name=manifest.name, task=manifest.task, summary=manifest.summary, updated_at=now))
    session.flush()
    row = VersionRow(
        skill=manifest.name,
        number=manifest.version,
        digest=digest,
        size=size,
        signature=signature,
        manifest=manifest.model_dump(mode="json"),
        created_at=now,
    )
    session.add(row)
    session.flush()
    added: dict[str, str | int] = {"version": manifest.version, "digest": digest}
    record(session, "version.added", now, skill=manifest.name, **added)
    note(session, "skill.published", now, by=by, subject=manifest.name, **added)
    point_channel(session, manifest.name, "candidate", manifest.version, now, by=by)
    return row


def point_channel(
    session: Session, name: str, channel: Channel, number: int, now: datetime, *, by: str = HUB
) -> None:
    """Move a channel and tell listeners; a channel that is there already stays."""
    take_turn(session)  # before any row is locked: whoever has the turn may want it, too
    row = session.get(ChannelRow, (name, channel))
    if row is not None and row.number == number:
        return
    session.merge(ChannelRow(skill=name, name=channel, number=number))
    session.get_one(SkillRow, name).updated_at = now
    session.flush()
    record(session, "channel.moved", now, skill=name, channel=channel, version=number)
    note(session, "channel.moved", now, by=by, subject=name, channel=channel, version=number)


def _check_origin(manifest: Manifest) -> None:
    if manifest.origin == "merge":
        raise ArtefactError(
            "only a hub's own merge has the origin `merge`.",
            where="manifest.origin",
            remedy="Write `initial` or `upload`.",
        )


def _check_succession(session: Session, manifest: Manifest) -> None:
    number = next_number(session, manifest.name)
    if manifest.version != number:
        raise ConflictError(
            f"the next version of {manifest.name} is {number}, not {manifest.version}.",
            where="manifest.version",
            remedy=f"Write version {number} into the manifest.",
            code="wrong_version",
        )
    for parent in manifest.parents:
        if session.scalar(select(VersionRow).where(VersionRow.digest == parent)) is None:
            raise ArtefactError(
                f"its parent {parent} is not in this catalogue.",
                where="manifest.parents",
                remedy="Publish the parent first, or leave it out.",
                code="unknown_base",
            )
    if number > 1:
        earlier = resolve(session, manifest.name, str(number - 1))
        _check_same_task(manifest, Manifest.model_validate(earlier.manifest))


def _check_same_task(manifest: Manifest, earlier: Manifest) -> None:
    if manifest.task != earlier.task:
        raise ContractError(
            f"its task is {manifest.task}, that of earlier versions {earlier.task}.",
            where="manifest.task",
            remedy="Publish it under a name of its own.",
        )
    differences = earlier.contract.differences(manifest.contract)
    if differences:
        raise ContractError(
            f"its contract differs from earlier versions: {'; '.join(differences)}.",
            where="manifest.contract",
            remedy="Publish it under a name of its own.",
        )


def _skill_row(session: Session, name: str) -> SkillRow:
    row = session.get(SkillRow, name)
    if row is None:
        raise NotFoundError(
            f"there is no skill {name[:64]!r}.", where="name", remedy="See the list of skills."
        )
    return row


def _skill_view(session: Session, row: SkillRow) -> SkillView:
    channels = {
        channel.name: version_view(session, session.get_one(VersionRow, (row.name, channel.number)))
        for channel in session.scalars(select(ChannelRow).where(ChannelRow.skill == row.name))
    }
    return SkillView(
        name=row.name,
        task=row.task,
        summary=row.summary,
        versions=next_number(session, row.name) - 1,
        stable=channels.get("stable"),
        candidate=channels.get("candidate"),
        updated_at=row.updated_at,
    )


def version_view(session: Session, row: VersionRow) -> VersionView:
    """The version as everybody sees it."""
    manifest = Manifest.model_validate(row.manifest)
    channels = select(ChannelRow.name).where(ChannelRow.skill == row.skill, ChannelRow.number == row.number)
    return VersionView(
        skill=row.skill,
        version=row.number,
        digest=row.digest,
        size=row.size,
        origin=manifest.origin,
        task=manifest.task,
        parents=manifest.parents,
        round_id=manifest.round_id,
        contributors=manifest.contributors,
        samples=manifest.samples,
        created_at=row.created_at,
        channels=tuple(sorted(session.scalars(channels))),
        score=ScoreView.model_validate(row.score) if row.score else None,
        gate=GateReport.model_validate(row.gate) if row.gate else None,
        signature=row.signature,
        manifest=manifest,
    )
