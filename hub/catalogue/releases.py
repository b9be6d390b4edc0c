"""Releases and rollbacks: a channel moves at once to what was measured; the rest is measured first, as a job.

What waits is in the rows: a hub that was killed at any line goes on from there, or another process does once
the lease is over. The gate that compares candidates of a campaign is the engine's business, see
`hub.rounds.round_steps`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, select, update
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.attestations.keeping import Attestations, Kept, has_gate
from hub.catalogue.catalogue import find_skill, own_skill, resolve
from hub.catalogue.channels import ask_release, is_fit, stable_of, wait_for_key
from hub.catalogue.moves import make_candidate, make_stable
from hub.catalogue.objections import must_have_reason, objection
from hub.catalogue.skill_views import version_view
from hub.clock import Clock
from hub.queue.leased_queue import Held, LeasedQueue
from hub.queue.queue_worker import QueueWorker
from hub.storage.database import Database
from hub.storage.record import HUB, UPPER_HALL, record, take_turn
from hub.storage.regions import region_of
from hub.storage.tables.halls import SharedRow
from hub.storage.tables.skills import ChannelRow, ReleaseRow, SkillRow, VersionRow
from hub.tasks.sources import task_source
from hub.tuf.contents import mark
from hub.tuf.own_keys import draft_of, key_of
from hub.workers.job import GateJob, Jobs, Least
from skills.errors import ConflictError, NotFoundError, RequestError, ZunftError
from skills.manifest import Manifest
from skills.messages.halls import SharePlan
from skills.messages.plans import GatePlan
from skills.messages.skills import ChannelName, GateReport, ReleaseView, VersionView
from skills.signing import VerifyKey

__all__ = ["Releaser", "Releases"]

NEWEST = 20
"""Releases of a skill that are shown."""
REASON_LENGTH = 2000
INTERNAL = "an internal error, see the hub's log."


@dataclass(frozen=True)
class Releases:
    """Takes orders and shows what became of them; each call is its own transaction."""

    database: Database
    attestations: Attestations
    clock: Clock

    def move(
        self,
        name: str,
        channel: ChannelName,
        number: int,
        *,
        by: Principal,
        words: str = "",
        lowest: int | None = None,
        key: str = "",
        signed: str = "",
    ) -> ReleaseView:
        """Have a channel point at a version: at once, or when the gate has measured it and signed that.

        Args:
            name: The skill.
            channel: Which of its channels.
            number: The version.
            by: Who asks.
            words: Why, for the attestation.
            lowest: No version below this is safe any more, once the channel points there.
            key: The organisation's own under which it is to be released.
            signed: What that signed.

        Raises:
            ArtefactError, SignatureError: What was signed is no such release, or by no key that may.
            NotFoundError: No such skill or version.
            ForbiddenError: It is another organisation's.
            ConflictError: It was withdrawn; or something speaks against it, and nobody says why all the same.
        """
        now = self.clock()
        with self.database.write() as session:
            own_skill(session, name, by)
            version = resolve(session, name, str(number), by)
            if version.withdrawn_at is not None:
                raise ConflictError(
                    f"v{number} of {name} was withdrawn: it contains a robot that was.",
                    where="version",
                    remedy="Choose another version.",
                    code="withdrawn",
                )
            if channel == "stable":
                must_have_reason(version_view(session, version), _stable(session, name), words)
            if channel != "stable" and (key or signed):
                raise RequestError("only the stable channel is released with a key.", where="channel")
            key = VerifyKey(key).canonical().text if key else ""
            row = ask_release(session, version, channel, now, by=by.actor, words=words, key=key)
            if channel != "stable" or (is_fit(version) and has_gate(session, version)):
                _finish(session, self.attestations, row, version, "", now, signed=signed)
            if lowest is not None and row.state == "released" and not signed:
                _raise_lowest(session, version, channel, lowest)
            return _view(session, row, now)

    def release(self, name: str, release_id: str, viewer: Viewer) -> ReleaseView:
        """One of them.

        Raises:
            NotFoundError: No such skill or release.
        """
        with self.database.read() as session:
            find_skill(session, name, viewer)
            row = session.get(ReleaseRow, release_id)
            if row is None or row.skill != name:
                raise NotFoundError(f"{name} has no release {release_id[:64]!r}.", where="release_id")
            return _view(session, row, self.clock())

    def releases(self, name: str, viewer: Viewer) -> list[ReleaseView]:
        """The newest first.

        Raises:
            NotFoundError: No such skill.
        """
        with self.database.read() as session:
            find_skill(session, name, viewer)
            theirs = select(ReleaseRow).where(ReleaseRow.skill == name)
            newest = theirs.order_by(ReleaseRow.asked_at.desc(), ReleaseRow.number.desc()).limit(NEWEST)
            return [_view(session, row, self.clock()) for row in session.scalars(newest)]


class Releaser(QueueWorker[ReleaseRow]):
    """Measures the version that has waited longest, and moves its channel.

    Args:
        database: Where the rows are.
        jobs: Who measures.
        attestations: Where the gate's word for it is kept.
        clock: The time.
        seconds: How long a lease lasts unless it is renewed.
        stopping: Whether this process is going down.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        attestations: Attestations,
        clock: Clock,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._attestations = attestations
        self._clock = clock
        self._looked_back = False
        super().__init__(LeasedQueue(database, ReleaseRow, clock, seconds, due=_waiting, stopping=stopping))

    def _prepare(self) -> None:
        """At first: what an older hub made stable without the gate's signed word."""
        if not self._looked_back:
            with self._database.write() as session:
                _ask_again(session, self._clock())
            self._looked_back = True

    def _do(self, held: Held[ReleaseRow]) -> None:
        with self._database.read() as session:
            job = _job(session, held.row)
        found = self._jobs.run(job, held.given_up)
        self._enter(held, found.report, self._attestations.gate(job, found), "")

    def _fail(self, held: Held[ReleaseRow], error: Exception) -> None:
        known = error.message if isinstance(error, ZunftError) else INTERNAL
        self._enter(held, None, None, f"It cannot be measured: {known}")

    def _enter(
        self, held: Held[ReleaseRow], report: GateReport | None, kept: Kept | None, reason: str
    ) -> None:
        now = self._clock()
        with held.commit() as session:
            take_turn(session)  # before the version is locked: whoever has the turn may want it, too
            row = held.row
            version = session.get_one(VersionRow, (row.skill, row.number))
            if report is not None and kept is not None:
                reason = report.reason
                kept.enter(session, version, now)
                row.gate = version.gate = report.model_dump(mode="json")
                version.score = report.candidate.model_dump(mode="json")
            if version.withdrawn_at is not None:
                reason = "It was withdrawn meanwhile."
            _finish(session, self._attestations, row, version, reason, now)


def _ask_again(session: Session, now: datetime) -> None:
    stable = and_(VersionRow.skill == ChannelRow.skill, VersionRow.number == ChannelRow.number)
    rows = select(VersionRow).join(ChannelRow, stable).where(ChannelRow.name == "stable")
    for version in session.scalars(rows.order_by(VersionRow.skill)).all():
        if not has_gate(session, version):
            ask_release(session, version, "stable", now, by=HUB)


def _waiting(_: Session) -> Select[ReleaseRow]:
    waiting = select(ReleaseRow).where(ReleaseRow.state == "queued")
    return waiting.order_by(ReleaseRow.asked_at, ReleaseRow.number)


def _job(session: Session, row: ReleaseRow) -> GateJob:
    version = session.get_one(VersionRow, (row.skill, row.number))
    stable, shared = None, None
    if row.asked_by == UPPER_HALL:  # nobody here made it: it is held to what robots have, as a candidate is
        stable, shared = stable_of(session, row.skill), session.get(SharedRow, row.skill)
    return GateJob(
        candidate=version.digest,
        current=stable.digest if stable else None,
        plan=SharePlan.model_validate(shared.plan).gate if shared else GatePlan(),
        failed_on=tuple(version.gate.get("failed_on", ())) if version.gate else (),
        least=Least(success=session.get_one(SkillRow, row.skill).minimum),
        region=region_of(session, row.skill),
        task=task_source(session, row.skill, Manifest.model_validate(version.manifest)),
    )


def _finish(
    session: Session,
    attestations: Attestations,
    row: ReleaseRow,
    version: VersionRow,
    reason: str,
    now: datetime,
    *,
    signed: str = "",
) -> None:
    """Move the channel, if it may point there; where that takes the organisation's key, wait for it."""
    may_move = version.withdrawn_at is None and (row.channel != "stable" or is_fit(version))
    if may_move and row.if_none and stable_of(session, row.skill) is not None:
        may_move, reason = False, "Another version became stable meanwhile; an operator may release this one."
    if may_move and row.asked_by == UPPER_HALL:
        may_move = bool(version.gate and version.gate["passed"])
    elif may_move and row.channel == "stable" and not row.words and row.asked_by != HUB:
        against = objection(version_view(session, version), _stable(session, row.skill))
        may_move, reason = not against, f"{against} Release it with a reason." if against else reason
    if may_move and not signed and _takes_key(session, row):
        wait_for_key(session, version, now, by=row.asked_by, words=row.words or "")
        return
    row.state, row.finished_at = "released" if may_move else "refused", now
    row.reason = reason[:REASON_LENGTH]
    if may_move and row.channel == "stable":
        words = row.words or ""
        make_stable(session, attestations, version, now, reason=words, by=row.asked_by, signed=signed)
        _drop_others(session, row)
    elif may_move:
        make_candidate(session, row.skill, row.number, now, by=row.asked_by)
    else:
        record(session, "release.refused", now, skill=row.skill, version=row.number, reason=row.reason)


def _takes_key(session: Session, row: ReleaseRow) -> bool:
    """Whether the channel moves by an organisation's own key alone; one that is there already stays."""
    if row.channel != "stable" or row.key:
        return bool(row.key)
    stable = stable_of(session, row.skill)
    return bool(key_of(session, row.skill)) and (stable is None or stable.number != row.number)


def _drop_others(session: Session, row: ReleaseRow) -> None:
    """What waits for the key of an organisation that has released another version waits no more."""
    others = ReleaseRow.skill == row.skill, ReleaseRow.state == "unsigned", ReleaseRow.number != row.number
    said = {
        "state": "refused",
        "reason": f"v{row.number} was released instead.",
        "finished_at": row.finished_at,
    }
    session.execute(update(ReleaseRow).where(*others).values(said))


def _stable(session: Session, skill: str) -> VersionView | None:
    row = stable_of(session, skill)
    return version_view(session, row) if row is not None else None


def _raise_lowest(session: Session, version: VersionRow, channel: ChannelName, lowest: int) -> None:
    """Say which version of a channel is the lowest safe one.

    Raises:
        ConflictError: The channel does not point there, or points below that.
    """
    row = session.get(ChannelRow, (version.skill, channel))
    if row is None or row.number != version.number or lowest > row.number:
        raise ConflictError(
            f"{channel} of {version.skill} has to point at v{version.number} first, and not below v{lowest}.",
            where="lowest",
            remedy="Release the version, and say the lowest when it has been released.",
        )
    row.lowest = max(row.lowest, lowest)
    mark(session, session.get_one(SkillRow, version.skill).organisation)


def _view(session: Session, row: ReleaseRow, now: datetime) -> ReleaseView:
    draft = None
    if row.state == "unsigned":
        version = session.get_one(VersionRow, (row.skill, row.number))
        failed_on = version.gate.get("failed_on", ()) if version.gate else ()
        draft = draft_of(session, version, now, tuple(failed_on))
    return ReleaseView.model_validate(
        {
            "release_id": row.release_id,
            "skill": row.skill,
            "version": row.number,
            "channel": row.channel,
            "state": "measuring" if row.state == "queued" and row.lease_holder else row.state,
            "reason": row.reason,
            "gate": row.gate,
            "asked_at": row.asked_at,
            "finished_at": row.finished_at,
            "draft": draft,
        }
    )
