"""Admission of deltas: who sent it, for what, finite, bounded and in time; then kept for good.

The blob is in the store before the one transaction that admits it, and the robot gets its answer
after both: what was acknowledged survives any crash. A refused delta leaves no trace.
"""

from __future__ import annotations

import math
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.auth import Principal
from hub.clock import Clock
from hub.database import Database
from hub.events import record
from hub.journal import find_round, order_of
from hub.models import CampaignRow, DeltaRow, RobotRow, RoundRow, VersionRow
from hub.store import ObjectStore
from skills.container import digest_of
from skills.delta import Delta, norm
from skills.errors import ArtefactError, ConflictError, ForbiddenError, ZunftError
from skills.manifest import Manifest, Parameters
from skills.messages import CampaignRequest, DeltaReceipt
from skills.signing import VerifyKey, delta_statement

__all__ = ["Admission"]

NORM_ALLOWANCE = 1.01
"""A robot clips before it encodes: a codec's rounding may lengthen the delta by so much."""


class Admission:
    """The hub's border for deltas."""

    def __init__(self, database: Database, store: ObjectStore, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def admit(self, round_id: str, data: bytes, signature: str, robot: Principal) -> DeltaReceipt:
        """Take a delta in, once; the same delta again is a duplicate and changes nothing.

        Raises:
            NotFoundError: No such round.
            ArtefactError, CodecError: Not a sound delta of this round's base, see `skills.delta`.
            SignatureError: Not signed by this robot's key.
            ForbiddenError: It is another robot's.
            ConflictError: Too late, or a second and different delta of this robot.
            StoreError: Nothing was kept; send it again.
        """
        digest = digest_of(data)
        with self._database.read() as session:
            if _is_known(session, digest, round_id, robot):
                return DeltaReceipt(round_id=round_id, digest=digest, status="duplicate")
            row = find_round(session, round_id)
            order = order_of(session.get_one(CampaignRow, row.campaign_id))
            key = VerifyKey(session.get_one(RobotRow, robot.name).public_key)
            shapes = _shapes_of(session, row.base)
            _check_welcome(session, row, robot, self._clock())
        key.verify(signature, delta_statement(data))
        delta = Delta.from_bytes(data, shapes)
        length = _check_content(delta, row, order, robot)
        self._store.put(digest, data)
        admitted = DeltaRow(
            digest=digest,
            round_id=round_id,
            robot_id=robot.name,
            samples=delta.header.samples,
            size=len(data),
            norm=length,
            codec=delta.header.codec,
            metrics=delta.header.metrics,
            signature=signature,
            received_at=self._clock(),
        )
        return self._enter(admitted, robot)

    def _enter(self, delta: DeltaRow, robot: Principal) -> DeltaReceipt:
        digest, round_id = delta.digest, delta.round_id
        try:
            with self._database.write() as session:
                row = find_round(session, round_id, lock=True)
                if _is_known(session, digest, round_id, robot):
                    return DeltaReceipt(round_id=round_id, digest=digest, status="duplicate")
                _check_welcome(session, row, robot, self._clock())
                session.add(delta)
                session.flush()
                record(
                    session,
                    "delta.admitted",
                    delta.received_at,
                    round_id=round_id,
                    robot_id=robot.name,
                    digest=digest,
                    samples=delta.samples,
                )
        except ZunftError:
            # The round closed, or another delta came, between the two looks: nothing of this one stays.
            self._store.delete(digest)
            raise
        return DeltaReceipt(round_id=round_id, digest=digest, status="admitted")


def _is_known(session: Session, digest: str, round_id: str, robot: Principal) -> bool:
    known = session.get(DeltaRow, digest)
    return known is not None and (known.round_id, known.robot_id) == (round_id, robot.name)


def _shapes_of(session: Session, digest: str) -> Parameters:
    row = session.scalars(select(VersionRow).where(VersionRow.digest == digest)).one()
    return Manifest.model_validate(row.manifest).network.shapes()


def _check_welcome(session: Session, row: RoundRow, robot: Principal, now: datetime) -> None:
    if row.state != "open" or now >= row.deadline:
        raise ConflictError(
            f"round {row.round_id} no longer takes deltas: {_why_closed(row)}.",
            where="round_id",
            remedy="Drop this delta and ask for a new assignment.",
            code="round_closed",
        )
    other = select(DeltaRow.digest).where(DeltaRow.round_id == row.round_id, DeltaRow.robot_id == robot.name)
    if session.scalar(other) is not None:
        raise ConflictError(
            "this robot's delta for this round is in already, and it is another one.",
            where="round_id",
            remedy="Wait for the next round; a delta cannot be exchanged.",
            code="second_delta",
        )


def _why_closed(row: RoundRow) -> str:
    return "its deadline has passed" if row.state == "open" else f"it is {row.state}"


def _check_content(delta: Delta, row: RoundRow, order: CampaignRequest, robot: Principal) -> float:
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
    length = norm(delta.tensors)
    if length > order.training.clip_norm * NORM_ALLOWANCE:
        raise ArtefactError(
            f"the delta's norm {length:.4g} is over the plan's {order.training.clip_norm:g}.",
            where="delta.tensors",
            remedy="Clip the delta to the assignment's clip_norm before encoding it.",
            code="norm_too_large",
        )
    return length
