"""Admission of deltas: who sent it, for what, finite, bounded and in time; then kept for good.

Where a late one counts is `hub.rounds.staleness`'s rule; what organisations may use,
`hub.organisations.quotas`'; how its bytes came in, `hub.api.bodies`'s and `hub.deltas.uploads`'s; what is
asked of the database, `hub.deltas.offers`'s.

The blob is in the store before the one transaction that admits it, and the robot gets its answer
after both: what was acknowledged survives any crash. A refused delta leaves no trace. Deltas that come at
once share their transaction, in which the nonces of their requests are used up, too.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from hub.access.authenticator import Signed
from hub.access.nonces import Nonces
from hub.access.principal import Principal
from hub.clock import Clock
from hub.deltas.offers import BetweenRoundsError, Known, Offer, Offers, Welcome
from hub.storage.database import Database
from hub.storage.discards import Discards
from hub.storage.group_commit import Together
from hub.storage.regions import Stores
from hub.storage.spool import Spool, SpoolFile
from skills.delta import EncodedDelta
from skills.errors import ArtefactError, ConflictError, ForbiddenError, ZunftError
from skills.messages.rounds import DeltaReceipt
from skills.parts import LONGEST_CHANGE
from skills.signing import delta_statement

__all__ = ["Admission", "BetweenRoundsError"]

NORM_ALLOWANCE = 1.01
"""A robot clips before it encodes: a codec's rounding may lengthen the delta by so much."""

Lift = Callable[..., Awaitable[Any]]
"""Does file work in a thread: `await lift(work, *arguments)`."""


class Admission:
    """The hub's border for deltas."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        discards: Discards,
        spool: Spool,
        nonces: Nonces,
        clock: Clock,
    ) -> None:
        self._database = database
        self._stores = stores
        self._discards = discards
        self._spool = spool
        self._nonces = nonces
        self._clock = clock
        self._offers = Offers(clock)
        self._looks: Together[Offer, Known | Welcome | ZunftError] = Together(self._look)
        self._entries: Together[Offer, DeltaReceipt | ZunftError] = Together(self._enter)

    def expect(
        self, round_id: str, digest: str, size: int, signature: str, robot: Principal
    ) -> DeltaReceipt | None:
        """Before any byte of a delta came: its receipt, if it is in already; None if it may come.

        Raises:
            NotFoundError, SignatureError, ConflictError, BetweenRoundsError: As `admit`.
            TooLargeError, TooManyRequestsError: As `admit`.
        """
        found = _found(self._looks.do(Offer(round_id, digest, size, robot)))
        if isinstance(found, Known):
            return found.receipt
        found.key.verify(signature, delta_statement(digest))
        return None

    def region(self, round_id: str, robot: Principal) -> str:
        """In whose store the deltas of a round lie.

        Raises:
            NotFoundError: No such round.
        """
        with self._database.read() as session:
            return self._offers.region(session, round_id, robot)

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
        offer = Offer(round_id, file.digest, file.size, robot)
        found = _found(self._looks.do(offer))
        made = self._examine(offer, found, file, signature)
        if isinstance(found, Known):
            return found.receipt
        try:
            receipt = _entered(self._entries.do(made))
        except ZunftError:
            self._discards.add(found.region, file.digest)
            raise
        self._keep(file, found.region)  # it was lost, or another's hand has removed it, meanwhile
        return receipt

    async def take(
        self, round_id: str, file: SpoolFile, signature: str, signed: Signed, lift: Lift
    ) -> DeltaReceipt:
        """Like `admit`, for a request whose nonce is used up with it, whatever becomes of the delta.

        Raises:
            UnauthorizedError: The request was made before, or the robot has left meanwhile.
        """
        offer = Offer(round_id, file.digest, file.size, signed.principal)
        try:
            found = _found(await self._looks.ask(offer))
            made = await lift(self._examine, offer, found, file, signature)
        except ZunftError:
            await self._nonces.use_async(signed.principal.name, signed.nonce)
            raise
        if isinstance(found, Known):
            await self._nonces.use_async(signed.principal.name, signed.nonce)
            return found.receipt
        try:
            receipt = _entered(await self._entries.ask(replace(made, nonce=signed.nonce)))
        except ZunftError:
            await lift(self._discards.add, found.region, file.digest)
            raise
        await lift(self._keep, file, found.region)  # as in `admit`
        return receipt

    def _examine(self, offer: Offer, found: Known | Welcome, file: SpoolFile, signature: str) -> Offer:
        """Look at the file itself, and keep it; returns the offer with what is written down of it."""
        if isinstance(found, Known):
            self._keep(file, found.region)  # it is there, unless a hub died at the wrong moment
            return offer
        found.key.verify(signature, delta_statement(offer.digest))
        delta = self._spool.incoming(file, found.facts.shapes)
        made = {
            "digest": offer.digest,
            "robot_id": offer.robot.name,
            "samples": delta.header.samples,
            "size": offer.size,
            "norm": _check_content(delta, found, offer.robot),
            "codec": delta.header.codec,
            "metrics": delta.header.metrics,
            "signature": signature,
            "received_at": self._clock(),
            "robots": delta.header.robots,
        }
        if found.is_discarded:
            self._discards.rescue(found.region, offer.digest)
        self._keep(file, found.region)
        return replace(offer, made=made)

    def _keep(self, file: SpoolFile, region: str) -> None:
        self._stores.of(region).put_file(file.digest, file.path)

    def _look(self, offers: Sequence[Offer]) -> list[Known | Welcome | ZunftError]:
        with self._database.read() as session:
            return self._offers.judge(session, offers)

    def _enter(self, offers: Sequence[Offer]) -> list[DeltaReceipt | ZunftError]:
        with self._database.write() as session:
            return self._offers.enter(session, offers, self._nonces)


def _found(outcome: Known | Welcome | ZunftError) -> Known | Welcome:
    if isinstance(outcome, ZunftError):
        raise outcome
    return outcome


def _entered(outcome: DeltaReceipt | ZunftError) -> DeltaReceipt:
    if isinstance(outcome, ZunftError):
        raise outcome
    return outcome


def _check_content(delta: EncodedDelta, found: Welcome, robot: Principal) -> float:
    """Hold a sound delta to its round; returns the norm of its network's part."""
    header, facts = delta.header, found.facts
    if header.robot_id != robot.name:
        raise ForbiddenError(
            f"the delta is robot {header.robot_id}'s, the request {robot.name}'s.",
            where="delta.robot_id",
            remedy="Send only what this robot learned itself.",
        )
    if header.robots > found.robots:
        raise ForbiddenError(
            f"the delta is to count for {header.robots} robots, and {robot.name} may for {found.robots}.",
            where="delta.robots",
            remedy="Ask an operator for a hall's token: zunft token create --hall-robots.",
            code="too_many_robots",
        )
    if header.round_id != facts.round_id:
        raise ConflictError(
            f"the delta was made for round {header.round_id}, not {facts.round_id}.",
            where="delta.round_id",
            remedy="Send it to its own round.",
            code="wrong_round",
        )
    if header.base != facts.base:
        raise ConflictError(
            f"the delta's base is {header.base}, the round's {facts.base}.",
            where="delta.base",
            remedy="Train from the base that the assignment names.",
            code="unknown_base",
        )
    for name, figure in header.metrics.items():
        if not math.isfinite(figure):
            raise ArtefactError("this metric is no finite number.", where=f"delta.metrics.{name}")
    norms = delta.norms(facts.matrices)
    length = norms.pop("network")
    if length > facts.training.clip_norm * NORM_ALLOWANCE:
        raise ArtefactError(
            f"the delta's norm {length:.4g} is over the plan's {facts.training.clip_norm:g}.",
            where="delta.tensors",
            remedy="Clip the delta to the assignment's clip_norm before encoding it.",
            code="norm_too_large",
        )
    for part, norm in norms.items():
        if norm > LONGEST_CHANGE * NORM_ALLOWANCE:
            raise ArtefactError(
                f"the delta's {part} has norm {norm:.4g}, and no honest one is over {LONGEST_CHANGE:g}.",
                where=f"delta.tensors.training.{part}",
                remedy="Clip each gradient to norm 1 before it counts in a variate or a moment.",
                code="norm_too_large",
            )
    return length
