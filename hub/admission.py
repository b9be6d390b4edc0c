"""Admission of deltas: who sent it, for what, finite, bounded and in time; then kept for good.

Where a late one counts is `hub.staleness`'s rule; what organisations may use, `hub.quotas`'; how its bytes
came in, `hub.api.bodies`'s and `hub.uploads`'s.

The blob is in the store before the one transaction that admits it, and the robot gets its answer
after both: what was acknowledged survives any crash. A refused delta leaves no trace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.auth import Principal
from hub.clock import Clock
from hub.contributors import may_contribute
from hub.database import Database
from hub.discards import Discards, is_discarded
from hub.events import record
from hub.journal import find_round, newest_round, order_of, state_of
from hub.models import CampaignRow, DeltaRow, OrganisationRow, RobotRow, RoundRow, SkillRow, VersionRow
from hub.quotas import check_room, check_uploads, hold, keep
from hub.regions import Stores, region_of
from hub.spool import Spool, SpoolFile
from hub.staleness import place
from skills.delta import EncodedDelta
from skills.errors import ArtefactError, ConflictError, ForbiddenError, ZunftError
from skills.manifest import Manifest, Parameters
from skills.messages import CampaignRequest, DeltaReceipt, RoundState
from skills.signing import VerifyKey, delta_statement

__all__ = ["Admission", "BetweenRoundsError"]

NORM_ALLOWANCE = 1.01
"""A robot clips before it encodes: a codec's rounding may lengthen the delta by so much."""


class BetweenRoundsError(ZunftError):
    """A late delta is welcome, but no round is open at this moment."""

    code = "between_rounds"
    status = 503


@dataclass(frozen=True)
class _Welcome:
    """What a delta that may come is held to, and in whose region's store it will lie.

    `is_discarded`: there it lies already, and is to be deleted.
    """

    row: RoundRow
    order: CampaignRequest
    shapes: Parameters
    region: str
    is_discarded: bool


@dataclass(frozen=True)
class _Known:
    """A delta that is in already."""

    receipt: DeltaReceipt
    region: str


class Admission:
    """The hub's border for deltas."""

    def __init__(
        self, database: Database, stores: Stores, discards: Discards, spool: Spool, clock: Clock
    ) -> None:
        self._database = database
        self._stores = stores
        self._discards = discards
        self._spool = spool
        self._clock = clock

    def expect(
        self, round_id: str, digest: str, size: int, signature: str, robot: Principal
    ) -> DeltaReceipt | None:
        """Before any byte of a delta came: its receipt, if it is in already; None if it may come.

        Raises:
            NotFoundError, SignatureError, ConflictError, BetweenRoundsError: As `admit`.
            TooLargeError, TooManyRequestsError: As `admit`.
        """
        found = self._look(round_id, digest, size, signature, robot)
        return found.receipt if isinstance(found, _Known) else None

    def region(self, round_id: str, robot: Principal) -> str:
        """In whose store the deltas of a round lie.

        Raises:
            NotFoundError: No such round.
        """
        with self._database.read() as session:
            return _region_of(session, find_round(session, round_id, robot))

    def admit(self, round_id: str, file: SpoolFile, signature: str, robot: Principal) -> DeltaReceipt:
        """Take a delta in, once; the same delta again is a duplicate and changes nothing.

        One that comes late counts in the round that is open now, where the campaign allows so many rounds.

        Raises:
            NotFoundError: No such round.
            TooLargeError, TooManyRequestsError: It is over a quota.
            ArtefactError, CodecError: Not a sound delta of this round's base, see `skills.delta`.
            SignatureError: Not signed by this robot's key.
            ForbiddenError: It is another robot's.
            ConflictError: Too late, or a second and different delta of this robot.
            BetweenRoundsError: No round is open; send it again soon.
            StoreError: Nothing was kept; send it again.
        """
        found = self._look(round_id, file.digest, file.size, signature, robot)
        if isinstance(found, _Known):
            self._keep(file, found.region)  # it is there, unless a hub died at the wrong moment
            return found.receipt
        with file.path.open("rb") as source:
            delta = self._spool.delta(source, found.shapes)
        length = _check_content(delta, found.row, found.order, robot)
        admitted = DeltaRow(
            digest=file.digest,
            robot_id=robot.name,
            samples=delta.header.samples,
            size=file.size,
            norm=length,
            codec=delta.header.codec,
            metrics=delta.header.metrics,
            signature=signature,
            received_at=self._clock(),
        )
        if found.is_discarded:
            self._discards.rescue(found.region, file.digest)
        self._keep(file, found.region)
        try:
            receipt = self._enter(admitted, round_id, robot)
        except ZunftError:
            self._discards.add(found.region, file.digest)
            raise
        self._keep(file, found.region)  # it was lost, or another's hand has removed it, meanwhile
        return receipt

    def _keep(self, file: SpoolFile, region: str) -> None:
        self._stores.of(region).put_file(file.digest, file.path)

    def _look(
        self, round_id: str, digest: str, size: int, signature: str, robot: Principal
    ) -> _Known | _Welcome:
        with self._database.read() as session:
            row = find_round(session, round_id, robot)
            known = _receipt_of(session, digest, row, robot)
            if known is not None:
                return _Known(known, _region_of(session, row))
            campaign = session.get_one(CampaignRow, row.campaign_id)
            order = order_of(campaign)
            key = VerifyKey(session.get_one(RobotRow, robot.name).public_key)
            shapes = _shapes_of(session, row.base)
            self._find_place(session, row, robot)
            region = self._check_quotas(session, campaign, robot, size)
            condemned = is_discarded(session, region, digest)
        key.verify(signature, delta_statement(digest))
        return _Welcome(row, order, shapes, region, condemned)

    def _check_quotas(self, session: Session, campaign: CampaignRow, robot: Principal, size: int) -> str:
        """Before anything is kept; `_enter` looks again. Returns the region in which the delta will lie."""
        skill = session.get_one(SkillRow, campaign.skill)
        _check_region(session, skill, robot)
        owner = session.get_one(OrganisationRow, skill.organisation)
        check_uploads(session, session.get_one(OrganisationRow, robot.organisation), self._clock())
        check_room(owner, size)
        return owner.region

    def _enter(self, delta: DeltaRow, round_id: str, robot: Principal) -> DeltaReceipt:
        digest = delta.digest
        with self._database.write() as session:
            row = find_round(session, round_id, robot, lock=True)
            _check_enrolled(session, robot)
            known = _receipt_of(session, digest, row, robot)
            if known is not None:
                return known
            counting = self._find_place(session, row, robot, lock=True)
            campaign = session.get_one(CampaignRow, row.campaign_id)
            skill = session.get_one(SkillRow, campaign.skill)
            held = hold(session, robot.organisation, skill.organisation)
            _check_region(session, skill, robot)
            check_uploads(session, held[robot.organisation], delta.received_at)
            keep(held[skill.organisation], delta.size)
            delta.round_id, delta.staleness = counting.round_id, counting.number - row.number
            session.add(delta)
            session.flush()
            record(
                session,
                "delta.admitted",
                delta.received_at,
                skill=skill.name,
                organisation=robot.organisation,
                round_id=delta.round_id,
                robot_id=robot.name,
                digest=digest,
                samples=delta.samples,
                staleness=delta.staleness,
            )
            return _receipt(delta, "admitted")

    def _find_place(
        self, session: Session, row: RoundRow, robot: Principal, *, lock: bool = False
    ) -> RoundRow:
        """The round in which a delta made for `row` counts now."""
        campaign = session.get_one(CampaignRow, row.campaign_id)
        newest = newest_round(session, row.campaign_id) or row
        if lock and newest is not row:
            newest = find_round(session, newest.round_id, robot, lock=True)
        now, order = self._clock(), order_of(campaign)
        staleness = newest.number - row.number
        allowed = order.merge.max_staleness
        found = place(
            state=_state_at(row, now),
            newest=_state_at(newest, now),
            staleness=staleness,
            allowed=allowed,
            rounds_left=order.rounds - newest.number,
            running=campaign.state == "running",
        )
        if found == "closed":
            raise ConflictError(
                f"round {row.round_id} no longer takes deltas: {_why_closed(row, staleness, allowed)}.",
                where="round_id",
                remedy="Drop this delta and ask for a new assignment.",
                code="round_closed",
            )
        if found == "later":
            raise BetweenRoundsError(
                f"no round of campaign {row.campaign_id} is open: the last one is {newest.state}.",
                where="round_id",
                remedy="Send it again in a moment: it counts in the next round.",
            )
        counting = row if found == "in time" else newest
        _check_first(session, row, counting, robot)
        return counting


def _check_enrolled(session: Session, robot: Principal) -> None:
    """Hold the robot's row until the delta is in: a withdrawal comes wholly before or wholly after."""
    row = session.get_one(RobotRow, robot.name, with_for_update={"read": True}, populate_existing=True)
    if row.closed_at is not None:
        raise ForbiddenError("this robot was withdrawn.", remedy="Drop this delta.", code="robot_withdrawn")


def _check_region(session: Session, skill: SkillRow, robot: Principal) -> None:
    if not may_contribute(session, robot, skill):
        raise ConflictError(
            "this robot's deltas may not lie in the store of this skill's organisation.",
            where="round_id",
            remedy="Drop this delta; this robot works on skills of its own region.",
            code="wrong_region",
        )


def _region_of(session: Session, row: RoundRow) -> str:
    return region_of(session, session.get_one(CampaignRow, row.campaign_id).skill)


def _receipt(delta: DeltaRow, status: Literal["admitted", "duplicate"]) -> DeltaReceipt:
    return DeltaReceipt(
        round_id=delta.round_id, digest=delta.digest, status=status, staleness=delta.staleness
    )


def _receipt_of(session: Session, digest: str, row: RoundRow, robot: Principal) -> DeltaReceipt | None:
    """The receipt of this robot's very delta for this round, if it is here already."""
    known = session.get(DeltaRow, digest)
    if known is None or known.robot_id != robot.name or known.digest not in _made_for(session, row, robot):
        return None
    return _receipt(known, "duplicate")


def _made_for(session: Session, row: RoundRow, robot: Principal) -> list[str]:
    """Digests of the robot's deltas that were made for a round, wherever they count."""
    statement = (
        select(DeltaRow.digest)
        .join(RoundRow, RoundRow.round_id == DeltaRow.round_id)
        .where(DeltaRow.robot_id == robot.name, RoundRow.campaign_id == row.campaign_id)
        .where(RoundRow.number - DeltaRow.staleness == row.number)
    )
    return list(session.scalars(statement))


def _check_first(session: Session, row: RoundRow, counting: RoundRow, robot: Principal) -> None:
    """Hold a robot to one delta made for each round and one counting in each, and to one network."""
    there = select(DeltaRow.digest).where(
        DeltaRow.round_id == counting.round_id, DeltaRow.robot_id == robot.name
    )
    if _made_for(session, row, robot) or session.scalar(there) is not None:
        raise ConflictError(
            "this robot's delta for this round is in already, and it is another one.",
            where="round_id",
            remedy="Wait for the next round; a delta cannot be exchanged.",
            code="second_delta",
        )
    if counting.base != row.base and _shapes_of(session, counting.base) != _shapes_of(session, row.base):
        raise ConflictError(
            f"round {counting.round_id} improves another network than round {row.round_id} did.",
            where="delta.base",
            remedy="Drop this delta and ask for a new assignment.",
            code="unknown_base",
        )


def _shapes_of(session: Session, digest: str) -> Parameters:
    row = session.scalars(select(VersionRow).where(VersionRow.digest == digest)).one()
    return Manifest.model_validate(row.manifest).network.shapes()


def _state_at(row: RoundRow, now: datetime) -> RoundState:
    """The round's state; beyond its deadline it is as good as closing."""
    return "closing" if row.state == "open" and now >= row.deadline else state_of(row)


def _why_closed(row: RoundRow, staleness: int, allowed: int) -> str:
    why = "its deadline has passed" if row.state == "open" else f"it is {row.state}"
    return f"{why}, and {staleness} rounds late is more than {allowed}" if staleness > allowed > 0 else why


def _check_content(delta: EncodedDelta, row: RoundRow, order: CampaignRequest, robot: Principal) -> float:
    """Hold a sound delta to its round; returns its norm."""
    header = delta.header
    if header.robot_id != robot.name:
        raise ForbiddenError(
            f"the delta is robot {header.robot_id}'s, the request {robot.name}'s.",
            where="delta.robot_id",
            remedy="Send only what this robot learned itself.",
        )
    if header.round_id != row.round_id:
        raise ConflictError(
            f"the delta was made for round {header.round_id}, not {row.round_id}.",
            where="delta.round_id",
            remedy="Send it to its own round.",
            code="wrong_round",
        )
    if header.base != row.base:
        raise ConflictError(
            f"the delta's base is {header.base}, the round's {row.base}.",
            where="delta.base",
            remedy="Train from the base that the assignment names.",
            code="unknown_base",
        )
    for name, figure in header.metrics.items():
        if not math.isfinite(figure):
            raise ArtefactError("this metric is no finite number.", where=f"delta.metrics.{name}")
    length = delta.norm()
    if length > order.training.clip_norm * NORM_ALLOWANCE:
        raise ArtefactError(
            f"the delta's norm {length:.4g} is over the plan's {order.training.clip_norm:g}.",
            where="delta.tensors",
            remedy="Clip the delta to the assignment's clip_norm before encoding it.",
            code="norm_too_large",
        )
    return length
