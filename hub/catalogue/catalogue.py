"""The catalogue: skills, their owners, versions and lineage, and the channels that point at versions.

No web framework here. Measuring a version is `hub.workers.gate`; making new ones from deltas,
`hub.rounds.engine`; who may see and change what, `hub.access.visibility`. A version's file is in the object
store of its owner's region before its row is in the database.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import must_change, seen, seen_skills
from hub.attestations.keeping import Attestations, Kept
from hub.catalogue.channels import ask_release, base_of, is_fit, stable_of
from hub.catalogue.finding import note_words, search
from hub.catalogue.fitting import contract_key, find_robot, runs_on
from hub.catalogue.moves import make_candidate, make_stable
from hub.catalogue.publishing import add_skill, check_origin, check_succession, owner_for
from hub.catalogue.skill_views import (
    VERSION_ORDERS,
    listed_skills,
    listed_versions,
    one_skill,
    skill_order,
    skill_views,
    version_view,
    version_views,
)
from hub.clock import Clock
from hub.organisations.eligibility import dismiss_others
from hub.organisations.quotas import check_room, check_uploads, hold, keep
from hub.storage.database import Database
from hub.storage.discards import Discards
from hub.storage.paging import page_of
from hub.storage.record import note, record, take_turn
from hub.storage.regions import Stores, region_of
from hub.storage.spool import SpoolFile
from hub.storage.stored_file import StoredFile
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.tuf.contents import mark
from hub.tuf.own_keys import show_to
from skills.errors import ConflictError, NotFoundError, ZunftError
from skills.manifest import Manifest
from skills.messages.lists import Page, SkillQuery, VersionQuery
from skills.messages.skills import GateReport, SkillView, VersionView, Visibility
from skills.signing import skill_statement
from skills.skill import Skill
from skills.targets import manifest_digest

__all__ = ["Catalogue", "add_version", "find_skill", "own_skill", "resolve"]


class Catalogue:
    """Publishing and reading; each call is its own transaction."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        discards: Discards,
        attestations: Attestations,
        clock: Clock,
    ) -> None:
        self._database, self._stores, self._discards = database, stores, discards
        self._attestations, self._clock = attestations, clock

    def published(self, digest: str, by: Principal) -> VersionView | None:
        """The version that is this file, if there is one and one sees it."""
        with self._database.read() as session:
            known = _version_of(session, digest)
            if known is None or session.scalar(seen_skills(by).where(SkillRow.name == known.skill)) is None:
                return None
            return version_view(session, known)

    def publish(
        self, file: SpoolFile, *, by: Principal, visibility: Visibility | None = None
    ) -> tuple[VersionView, bool]:
        """Take an uploaded skill file into the catalogue; the same file again changes nothing.

        A new name belongs to the publisher's organisation. Each version is the candidate until it is
        measured; where nothing is stable yet, one that was trained waits for that at once.

        Args:
            file: The file.
            by: Who brings it.
            visibility: Who may see a new name; None: what its organisation has decided.

        Returns:
            The version, and whether it is new.

        Raises:
            ArtefactError: Not a valid skill, or its lineage or origin is not believable.
            ContractError: It does not fit the skill's earlier versions.
            ConflictError: Its version is not the next one, or one does not see whose the name is.
            ForbiddenError: The name is another organisation's.
            TooLargeError, TooManyRequestsError: It is over the organisation's quotas.
        """
        skill = Skill.load(file.path, digest=file.digest)
        check_origin(skill.manifest)
        with self._database.read() as session:
            owner = owner_for(session, skill.manifest.name, by)
            known = _version_of(session, file.digest)
            if known is not None:
                return version_view(session, known), False
            check_succession(session, skill.manifest, by)
            self._check_quotas(session, owner, file.size)
        try:
            with self._discards.keeping(owner.region, file):
                return self._enter(skill, by, visibility, owner.region)
        except ZunftError:
            with self._database.read() as session:
                owner_for(session, skill.manifest.name, by)  # somebody took it meanwhile: no other word of it
            raise

    def _enter(
        self, skill: Skill, by: Principal, visibility: Visibility | None, region: str
    ) -> tuple[VersionView, bool]:
        manifest, now = skill.manifest, self._clock()
        with self._database.write() as session:
            name = owner_for(session, manifest.name, by).name
            owner = hold(session, name)[name]
            known = _version_of(session, skill.digest)
            if known is not None:
                owner_for(session, manifest.name, by)  # once more: it may have come between the two looks
                return version_view(session, known), False
            check_succession(session, manifest, by)
            check_uploads(session, owner, now)
            if owner.region != region:
                raise ConflictError(
                    f"{owner.name} was pinned to another region meanwhile.",
                    remedy="Send it again.",
                    code="region_changed",
                )
            if manifest.version == 1:
                add_skill(session, manifest, owner, visibility, now)
            signature = self.sign(skill.digest)
            row = add_version(session, manifest, skill.digest, skill.size, signature, now, by=by)
            if manifest.origin != "initial" and stable_of(session, manifest.name) is None:
                ask_release(session, row, "stable", now, by=by.actor, if_none=True)
            return version_view(session, row), True

    def _check_quotas(self, session: Session, owner: OrganisationRow, size: int) -> None:
        """Before anything is kept; `_enter` looks again."""
        check_uploads(session, owner, self._clock())
        check_room(owner, size)

    def sign(self, digest: str) -> str:
        """The hub's signature on a version that it answers for."""
        return self._attestations.key.sign(skill_statement(digest))

    def skills(self, viewer: Viewer, query: SkillQuery) -> Page[SkillView]:
        """Skills that the viewer sees.

        Raises:
            NotFoundError: The viewer sees no such robot.
        """
        with self._database.read() as session:
            listed, arm = listed_skills(viewer, query), query.embodiment
            if query.robot:
                robot = find_robot(session, query.robot, viewer)
                listed, arm = listed.where(runs_on(robot)), arm or robot.embodiment
            order = skill_order(query.sort, arm)
            if query.text:
                listed, order = search(session, listed, order, viewer, query.text)
            return page_of(session, listed, order, query, partial(skill_views, session))

    def skill(self, name: str, viewer: Viewer) -> SkillView:
        """One skill.

        Raises:
            NotFoundError: No such skill.
        """
        with self._database.read() as session:
            return _skill_view(session, find_skill(session, name, viewer))

    def versions(self, name: str, viewer: Viewer, query: VersionQuery) -> Page[VersionView]:
        """Versions of a skill.

        Raises:
            NotFoundError: No such skill.
        """
        with self._database.read() as session:
            find_skill(session, name, viewer)
            return page_of(
                session,
                listed_versions(name, query),
                VERSION_ORDERS[query.sort],
                query,
                lambda rows: version_views(session, (row[0] for row in rows)),
            )

    def version(self, name: str, ref: str, viewer: Viewer) -> VersionView:
        """One version, by number or channel.

        Raises:
            NotFoundError: No such skill, version or channel.
        """
        with self._database.read() as session:
            return version_view(session, resolve(session, name, ref, viewer))

    def file(self, version: VersionView, viewer: Viewer) -> StoredFile:
        """Where the version's file comes from.

        Raises:
            NotFoundError: No such skill; or it was withdrawn, and the viewer is no admin.
        """
        if version.withdrawn and not (viewer is not None and viewer.role == "admin"):
            raise NotFoundError(
                f"v{version.version} of {version.skill} was withdrawn.",
                where="ref",
                remedy="Use the stable version.",
                code="withdrawn",
            )
        with self._database.read() as session:
            find_skill(session, version.skill, viewer)
            store = self._stores.of(region_of(session, version.skill))
            return StoredFile(version.digest, version.size, store)

    def show_to(self, name: str, visibility: Visibility, *, by: Principal) -> SkillView:
        """Say who may see a skill from now on. What others have of it they keep.

        Raises:
            NotFoundError: No such skill.
            ForbiddenError: It is another organisation's.
        """
        now = self._clock()
        with self._database.write() as session:
            row = own_skill(session, name, by)
            if row.visibility != visibility:
                take_turn(session)  # before the skill's row is locked
                row.visibility, row.updated_at = visibility, now
                session.flush()
                show_to(session, row)
                mark(session, row.organisation)
                dismiss_others(session, row)
                note(session, "skill.shown", now, by=by.actor, subject=name, visibility=visibility)
            return _skill_view(session, row)

    def set_minimum(self, name: str, minimum: float | None, *, by: Principal) -> SkillView:
        """Say what a version must reach to become stable; None: more than doing nothing.

        Raises:
            NotFoundError: No such skill.
            ForbiddenError: It is another organisation's.
        """
        now, words = self._clock(), "more than nothing" if minimum is None else f"{minimum:g}"
        with self._database.write() as session:
            row = own_skill(session, name, by)
            if row.minimum != minimum:
                take_turn(session)  # before the skill's row is locked
                row.minimum, row.updated_at = minimum, now
                note(session, "skill.minimum", now, by=by.actor, subject=name, minimum=words)
            return _skill_view(session, row)

    def record_report(self, digest: str, report: GateReport, kept: Kept) -> None:
        """Keep the first measurement of a version; where nothing is stable, it becomes that if it is fit."""
        now = self._clock()
        with self._database.write() as session:
            take_turn(session)  # before any row is locked
            row = _version_of(session, digest)
            if row is None or row.gate is not None:
                kept.drop(session, now)
                return
            kept.enter(session, row, now)
            row.gate = report.model_dump(mode="json")
            row.score = report.candidate.model_dump(mode="json")
            if stable_of(session, row.skill) is None and is_fit(row) and row.withdrawn_at is None:
                make_stable(session, self._attestations, row, now, reason=report.reason)


def find_skill(session: Session, name: str, viewer: Viewer) -> SkillRow:
    """A skill that the viewer sees.

    Raises:
        NotFoundError: There is none, or none that the viewer sees: in the same words.
    """
    row = session.scalar(select(SkillRow).where(SkillRow.name == name, seen(viewer)))
    if row is None:
        raise NotFoundError(
            f"there is no skill {name[:64]!r}.", where="name", remedy="See the list of skills."
        )
    return row


def own_skill(session: Session, name: str, by: Principal) -> SkillRow:
    """A skill that somebody may change, as far as the role allows what is to be done.

    Raises:
        NotFoundError: See `find_skill`.
        ForbiddenError: It is another organisation's.
    """
    row = find_skill(session, name, by)
    must_change(by, row.organisation, f"the skill {name}")
    return row


def resolve(session: Session, name: str, ref: str, viewer: Viewer) -> VersionRow:
    """The version that a number, a channel or `base` stands for, of a skill that the viewer sees.

    `base` is what a round of the skill would begin from, see `base_of`.

    Raises:
        NotFoundError: No such skill, version or channel.
    """
    find_skill(session, name, viewer)
    number = int(ref) if ref.isascii() and ref.isdigit() and len(ref) < 12 else None
    if number is None:
        channel = session.get(ChannelRow, (name, ref))
        number = channel.number if channel else None
    found = session.get(VersionRow, (name, number)) if number is not None else None
    row = base_of(session, name) if ref == "base" else found
    if row is None:
        raise NotFoundError(
            f"{name} has no version or channel {ref[:64]!r}.",
            where="ref",
            remedy="Use a number, `stable`, `candidate` or `base`; see the skill's list of versions.",
        )
    return row


def add_version(
    session: Session,
    manifest: Manifest,
    digest: str,
    size: int,
    signature: str,
    now: datetime,
    *,
    by: Principal,
) -> VersionRow:
    """Enter a version whose file is in the store already, count its bytes, and make it the candidate.

    Raises:
        TooLargeError: Its organisation has no room for it.
    """
    row = session.get_one(SkillRow, manifest.name)
    keep(hold(session, row.organisation)[row.organisation], size)
    take_turn(session)  # before the skill's row is locked: whoever has the turn may want it, too
    row.task, row.summary, row.updated_at = manifest.task, manifest.summary, now
    row.contract = contract_key(manifest.contract)
    note_words(session, row, manifest)
    version = VersionRow(
        skill=manifest.name,
        number=manifest.version,
        digest=digest,
        size=size,
        signature=signature,
        manifest=manifest.model_dump(mode="json"),
        manifest_digest=manifest_digest(manifest),
        published_by=by.actor,
        created_at=now,
    )
    session.add(version)
    session.flush()
    name, number = manifest.name, manifest.version
    record(session, "version.added", now, skill=name, version=number, digest=digest)
    note(session, "skill.published", now, by=by.actor, subject=name, version=number, digest=digest)
    make_candidate(session, name, number, now, by=by.actor)
    return version


def _version_of(session: Session, digest: str) -> VersionRow | None:
    return session.scalar(select(VersionRow).where(VersionRow.digest == digest))


def _skill_view(session: Session, row: SkillRow) -> SkillView:
    return skill_views(session, session.execute(one_skill(row.name)).all())[0]
