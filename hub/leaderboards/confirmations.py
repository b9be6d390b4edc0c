"""Scores that others measured and signed: taken in from users, and held to the hub's own score.

Who sees a skill and may publish may confirm its versions, each user each version once, the newest counts. A
statement is stored as it was signed, whatever it says; whether it agrees is looked at when the board is,
since the hub's score may be made anew. Envelopes are `skills.attestations`', the board is
`hub.leaderboards.boards`'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, sqrt

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB, Principal
from hub.attestations.keeping import Kept
from hub.attestations.views import attestation_view
from hub.catalogue.catalogue import resolve
from hub.clock import Clock
from hub.organisations.quotas import check_uploads, hold
from hub.storage.database import Database
from hub.storage.discards import Discards, discard
from hub.storage.record import note
from hub.storage.regions import Stores, region_of
from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.scores import ConfirmationRow
from hub.storage.tables.skills import VersionRow
from hub.tasks.sources import board_digest
from hub.workers.job import Scored
from skills.attestations import Attested, read_attestation
from skills.errors import ArtefactError, ConflictError, SignatureError, TooManyRequestsError, ZunftError
from skills.messages.attestations import AttestationView
from skills.messages.leaderboards import BoardPlan, Confirmation
from skills.messages.skills import ScoreView
from skills.predicates import Figures, Score

__all__ = ["Confirmations", "agrees", "confirmations_of"]

SHOWN = 16
"""The newest so many of a version."""
PAUSE = timedelta(hours=1)
"""After which a user may replace what they said of a version."""
LARGEST_CHANCE = 3.0
"""Standard deviations by which scores on other jobs may differ: one in some 370 does by chance."""


@dataclass(frozen=True)
class Confirmations:
    """Takes in what users measured; each call is its own transaction."""

    database: Database
    stores: Stores
    discards: Discards
    clock: Clock

    def take(self, name: str, ref: str, envelope: str, *, by: Principal) -> tuple[AttestationView, bool]:
        """Keep a user's signed score of a version; the same one again changes nothing.

        Returns:
            How it is listed, and whether it is new.

        Raises:
            NotFoundError: No such skill or version.
            ArtefactError: Not a score of this version by this user at the task as it is here, or not signed.
            ConflictError: The version was withdrawn.
            TooManyRequestsError: This user said something else of it a moment ago, or it is over the quota.
            StoreError: It could not be kept.
        """
        with self.database.read() as session:
            version = resolve(session, name, ref, by)
            attested = _checked(session, version, envelope, by)
            region = region_of(session, name)
        data = envelope.encode()
        kept = Kept(attested, len(data), region)
        self.discards.rescue(region, attested.digest)
        self.stores.of(region).put(attested.digest, data)
        try:
            with self.database.write() as session:
                return self._enter(session, kept, version, by)
        except ZunftError:
            self.discards.add(region, attested.digest)
            raise

    def _enter(
        self, session: Session, kept: Kept, version: VersionRow, by: Principal
    ) -> tuple[AttestationView, bool]:
        now, attested = self.clock(), kept.attested
        owner = hold(session, by.organisation)[by.organisation]
        version = session.get_one(VersionRow, (version.skill, version.number))
        _check_there(version)
        before = session.get(ConfirmationRow, (version.digest, by.actor), populate_existing=True)
        if before is not None and before.attestation == attested.digest:
            return attestation_view(session.get_one(AttestationRow, attested.digest)), False
        check_uploads(session, owner, now)
        if before is not None:
            _replace(session, before, kept.region, now)
        kept.enter(session, version, now)
        said = attested.predicate.model_dump(mode="json")
        session.add(
            ConfirmationRow(
                digest=version.digest,
                confirmed_by=by.actor,
                organisation=by.organisation,
                attestation=attested.digest,
                task_digest=said["task_digest"],
                confirmed_at=now,
                said=said,
            )
        )
        session.flush()
        note(session, "score.confirmed", now, by=by.actor, subject=version.skill, version=version.number)
        return attestation_view(session.get_one(AttestationRow, attested.digest)), True


def confirmations_of(
    session: Session, scores: Mapping[str, Scored], plan: BoardPlan, task_digest: str | None
) -> dict[str, tuple[Confirmation, ...]]:
    """By digest of the version: what others measured at this task, held to the hub's scores.

    Args:
        session: A transaction.
        scores: The hub's, by digest of the version.
        plan: By which they were made.
        task_digest: Of the task at which they were.
    """
    theirs = ConfirmationRow.digest.in_(scores), ConfirmationRow.task_digest == task_digest
    rows = select(ConfirmationRow, AttestationRow.signer).join(
        AttestationRow, AttestationRow.digest == ConfirmationRow.attestation
    )
    newest = rows.where(*theirs).order_by(ConfirmationRow.confirmed_at.desc(), ConfirmationRow.attestation)
    found: dict[str, list[Confirmation]] = {}
    for row, signer in session.execute(newest):
        if len(known := found.setdefault(row.digest, [])) < SHOWN:
            known.append(_confirmation(row, signer, scores[row.digest], plan))
    return {digest: tuple(each) for digest, each in found.items()}


def agrees(hub: Mapping[str, ScoreView], other: Mapping[str, Figures], *, same_jobs: bool) -> bool:
    """Whether two measurements of a version agree, on each embodiment.

    On the same jobs the numbers of successes are equal. On others they may differ as chance has it: by the
    variance-stabilised difference of two proportions, asin(sqrt(p)) with variance 1 / (4 n) (Anscombe 1948).
    """
    if hub.keys() != other.keys():
        return False
    if same_jobs:
        return all(_count(score) == _count(other[arm]) for arm, score in hub.items())
    return all(_distance(score, other[arm]) <= LARGEST_CHANCE for arm, score in hub.items())


def _count(score: ScoreView | Figures) -> tuple[int, int]:
    return round(score.score * score.episodes), score.episodes


def _distance(one: ScoreView, other: Figures) -> float:
    """In standard deviations."""
    spread = sqrt((1 / one.episodes + 1 / other.episodes) / 4)
    return abs(asin(sqrt(one.score)) - asin(sqrt(other.score))) / spread


def _confirmation(row: ConfirmationRow, signer: str, scored: Scored, plan: BoardPlan) -> Confirmation:
    said = Score.model_validate_json(json.dumps(row.said))
    return Confirmation(
        organisation=row.organisation,
        agrees=agrees(scored.by_embodiment, said.by_embodiment, same_jobs=said.plan == plan),
        score=ScoreView(**said.score.model_dump()),
        signer=signer,
        attestation=row.attestation,
        confirmed_at=row.confirmed_at,
    )


def _checked(session: Session, version: VersionRow, envelope: str, by: Principal) -> Attested:
    """The envelope, if it is a user's own score of this version at the task as it is here."""
    _check_there(version)
    attested = read_attestation(envelope.encode())
    said, task = attested.predicate, version.manifest["task"]
    if not isinstance(said, Score) or attested.subject != version.digest:
        raise _refusal(f"it is no score of v{version.number} of {version.skill}")
    if said.by != by.actor:
        raise _refusal(f"it was measured by {said.by[:64]!r}, and {by.actor} hands it in")
    if (said.task, said.task_digest) != (task, board_digest(session, task, THE_HUB)):
        raise _refusal(f"it was measured at another task than this hub's {task}")
    _check_figures(said.score, said.by_embodiment)
    try:
        attested.verify(attested.signer)
    except SignatureError as error:  # says nothing about who asks
        raise _refusal(error.message) from error
    return attested


def _check_figures(score: Figures, by_embodiment: Mapping[str, Figures]) -> None:
    total = [sum(counts) for counts in zip(*(_count(each) for each in by_embodiment.values()), strict=True)]
    every = (score, *by_embodiment.values())
    whole = all(abs(_count(each)[0] - each.score * each.episodes) < 1e-6 * each.episodes for each in every)
    if not whole or total != [*_count(score)]:
        raise _refusal("its figures do not fit together")


def _check_there(version: VersionRow) -> None:
    if version.withdrawn_at is not None:
        raise ConflictError(f"v{version.number} of {version.skill} was withdrawn.", code="withdrawn")


def _replace(session: Session, before: ConfirmationRow, region: str, now: datetime) -> None:
    """Take back what a user said before, if that is long enough ago."""
    again = before.confirmed_at + PAUSE
    if now < again:
        raise TooManyRequestsError(
            "you have said something else of this version within the hour.",
            remedy="Measure again, and send it later.",
            retry_after=(again - now).total_seconds(),
        )
    digest = before.attestation
    session.delete(before)
    session.flush()
    session.delete(session.get_one(AttestationRow, digest))
    discard(session, region, digest, now)
    session.flush()


def _refusal(what: str) -> ArtefactError:
    return ArtefactError(
        f"this attestation is not taken: {what}.",
        where="envelope",
        remedy="Measure with zunft task score NAME --attest.",
        code="bad_attestation",
    )
