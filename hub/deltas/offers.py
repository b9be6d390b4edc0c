"""Deltas that robots offer, against the database: many at once, in a number of statements that does not grow.

What never changes of a round is read once. `judge` looks before anything is kept, `enter` once more with
everything locked, and writes. What is in a delta, and where it lies, is `hub.deltas.admission`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row
from sqlalchemy.orm import Session

from hub.access.nonces import Nonces
from hub.access.principal import Principal
from hub.access.visibility import may_see
from hub.clock import Clock
from hub.deltas import statements
from hub.organisations.eligibility import contributors_among
from hub.organisations.quotas import check_room, check_uploads, hold, keep, uploads_of
from hub.rounds.journal import NEWEST_ROUNDS, order_of, state_of, unknown_round
from hub.rounds.staleness import place
from hub.storage.facts import KeptFacts
from hub.storage.record import record_many
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.rounds import CampaignRow, RoundRow
from hub.storage.tables.skills import SkillRow
from skills.delta import matrices_of_delta, shapes_of_delta
from skills.document import Parameters
from skills.errors import ConflictError, ForbiddenError, ZunftError
from skills.manifest import Manifest
from skills.messages.campaigns import CampaignRequest
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import DeltaReceipt, RoundState
from skills.signing import VerifyKey

__all__ = ["BetweenRoundsError", "Known", "Offer", "Offers", "RoundFacts", "Welcome"]

WITHDRAWN = "robot_withdrawn"
TOLD = ("round_id", "robot_id", "digest", "samples", "staleness")
"""Of a delta, in the event of its admission."""
ROUNDS = 1000
"""So many rounds are kept in memory."""


class BetweenRoundsError(ZunftError):
    """A late delta is welcome, but no round is open at this moment."""

    code = "between_rounds"
    status = 503


@dataclass(frozen=True)
class Offer:
    """A robot offers a delta for a round.

    Attributes:
        made: What is to be written of it, by column, once it was looked at; round and staleness come then.
        nonce: Of the request, where it has still to be used up.
    """

    round_id: str
    digest: str
    size: int
    robot: Principal
    made: Mapping[str, Any] | None = field(default=None, compare=False)
    nonce: str = ""


@dataclass(frozen=True)
class RoundFacts:
    """What a round was opened with, which never changes.

    Attributes:
        shapes: Of the tensors that its deltas have.
        matrices: Of which they have factors, with shapes of their own.
    """

    round_id: str
    campaign_id: str
    number: int
    base: str
    order: CampaignRequest
    shapes: Parameters
    matrices: Parameters

    @property
    def training(self) -> TrainingPlan:
        """What its robots do."""
        return self.order.training_of(self.number)


@dataclass(frozen=True)
class Welcome:
    """What a delta that may come is held to, in whose region's store it will lie, and where it counts.

    `is_discarded`: there it lies already, and is to be deleted. At most so many `robots` may be behind it.
    """

    facts: RoundFacts
    region: str
    is_discarded: bool
    key: VerifyKey
    counting: RoundRow
    skill: SkillRow
    robots: int


@dataclass(frozen=True)
class Known:
    """A delta that is in already."""

    receipt: DeltaReceipt
    region: str


@dataclass(frozen=True)
class _Brought:
    """A delta that is in: made for the round with the number, counting in the round."""

    digest: str
    round_id: str
    campaign_id: str
    made_for: int
    staleness: int


@dataclass
class _Scene:
    """All that the offers of one go are held to, as it is now."""

    now: datetime
    rounds: Mapping[str, RoundRow]
    newest: Mapping[str, RoundRow]
    campaigns: Mapping[str, tuple[CampaignRow, SkillRow]]
    organisations: Mapping[str, OrganisationRow]
    robots: Mapping[str, Row[str, str, datetime | None, int | None]]
    contributors: frozenset[tuple[str, str]]
    brought: dict[str, list[_Brought]]
    uploads: Counter[str]
    discarded: frozenset[str]


class Offers:
    """What the database says to offers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._facts = KeptFacts[str, RoundFacts](ROUNDS)

    def judge(self, session: Session, offers: Sequence[Offer]) -> list[Known | Welcome | ZunftError]:
        """For each, whether it is in, may come, or why not."""
        facts = self._facts_of(session, {each.round_id for each in offers})
        scene = self._scene(session, offers, facts, lock=False)
        return [self._judge(session, scene, facts, each) for each in offers]

    def enter(
        self, session: Session, offers: Sequence[Offer], nonces: Nonces
    ) -> list[DeltaReceipt | ZunftError]:
        """Write down those that may come, in the caller's transaction, and use up all nonces."""
        facts = self._facts_of(session, {each.round_id for each in offers})
        scene = self._scene(session, offers, facts, lock=True)
        uses = [(each.robot.name, each.nonce) for each in offers if each.nonce]
        refusals = iter(nonces.use_up(session, uses) if uses else [])
        outcomes: list[DeltaReceipt | ZunftError] = []
        entered: list[tuple[Mapping[str, Any], SkillRow, str]] = []
        for each in offers:
            found = self._judge(session, scene, facts, each)
            refusal = next(refusals) if each.nonce else None
            if refusal is not None and refusal.code != WITHDRAWN:
                found = refusal
            if isinstance(found, Welcome) and each.made is not None:
                mine, counting = found.facts, found.counting
                staleness = counting.number - mine.number
                keep(scene.organisations[found.skill.organisation], each.size)
                scene.uploads[each.robot.organisation] += 1
                made = {**each.made, "round_id": counting.round_id, "staleness": staleness}
                brought = _Brought(each.digest, counting.round_id, mine.campaign_id, mine.number, staleness)
                scene.brought.setdefault(each.robot.name, []).append(brought)
                entered.append((made, found.skill, each.robot.organisation))
                outcomes.append(_receipt(counting.round_id, each.digest, staleness, "admitted"))
            elif isinstance(found, Known):
                outcomes.append(found.receipt)
            elif isinstance(found, ZunftError):
                outcomes.append(found)
        _write(session, entered, scene.now)
        return outcomes

    def region(self, session: Session, round_id: str, robot: Principal) -> str:
        """In whose store the deltas of a round lie.

        Raises:
            NotFoundError: No such round, or none that the robot sees.
        """
        facts = self._facts_of(session, {round_id})
        offer = Offer(round_id, "", 0, robot)
        scene = self._scene(session, [offer], facts, lock=False)
        _, skill = _seen(scene, facts, offer)
        return scene.organisations[skill.organisation].region

    def _facts_of(self, session: Session, round_ids: set[str]) -> dict[str, RoundFacts]:
        found = {each: self._facts.get(each) for each in round_ids}
        new = [each for each, facts in found.items() if facts is None]
        if new:
            for row, campaign in session.execute(statements.OPENED, {"rounds": new}).all():
                order, manifest = order_of(campaign), _manifest(session, row.base)
                training = order.training_of(row.number)
                facts = RoundFacts(
                    round_id=row.round_id,
                    campaign_id=row.campaign_id,
                    number=row.number,
                    base=row.base,
                    order=order,
                    shapes=shapes_of_delta(manifest, training),
                    matrices=matrices_of_delta(manifest, training),
                )
                found[row.round_id] = self._facts.keep(row.round_id, facts)
        return {each: facts for each, facts in found.items() if facts is not None}

    def _scene(
        self, session: Session, offers: Sequence[Offer], facts: Mapping[str, RoundFacts], *, lock: bool
    ) -> _Scene:
        """Locked in the order in which all do: rounds, robots, organisations."""
        asked = {
            "rounds": sorted(facts),
            "campaigns": sorted({each.campaign_id for each in facts.values()}),
            "robots": sorted({each.robot.name for each in offers}),
        }
        rounds = session.scalars(statements.LOCKED_ROUNDS if lock else statements.ROUND_ROWS, asked).all()
        newest_rows = session.scalars(statements.LOCKED_NEWEST if lock else NEWEST_ROUNDS, asked).all()
        pairs = session.execute(statements.CAMPAIGNS, asked).all()
        robots = session.execute(statements.LOCKED_ROBOTS if lock else statements.ROBOTS, asked).all()
        owners = {each.robot.organisation for each in offers} | {skill.organisation for _, skill in pairs}
        latest = {row.campaign_id: row for row in newest_rows}
        organisations = hold(session, *owners) if lock else _organisations(session, owners)
        now = self._clock()
        return _Scene(
            now=now,
            rounds={row.round_id: row for row in rounds},
            newest=latest,
            campaigns={row.campaign_id: (row, skill) for row, skill in pairs},
            organisations=organisations,
            robots={row.robot_id: row for row in robots},
            contributors=_contributors(session, {skill.name: skill for _, skill in pairs}, asked["robots"]),
            brought=_brought_before(session, facts.values(), latest, asked),
            uploads=uploads_of(session, organisations.values(), now),
            discarded=frozenset() if lock else _discarded(session, {each.digest for each in offers}),
        )

    def _judge(
        self, session: Session, scene: _Scene, facts: Mapping[str, RoundFacts], offer: Offer
    ) -> Known | Welcome | ZunftError:
        try:
            campaign, skill = _seen(scene, facts, offer)
            mine, robot = facts[offer.round_id], scene.robots.get(offer.robot.name)
            if robot is None or robot.closed_at is not None:
                raise ForbiddenError("this robot was withdrawn.", remedy="Drop this delta.", code=WITHDRAWN)
            region = scene.organisations[skill.organisation].region
            known = _known(scene, mine, offer)
            if known is not None:
                return Known(_receipt(known.round_id, known.digest, known.staleness, "duplicate"), region)
            counting = _place(scene, mine, campaign)
            _check_first(scene, mine, counting, offer)
            if counting.base != mine.base:
                _check_network(session, mine, counting)
            if (skill.name, offer.robot.name) not in scene.contributors:
                raise _wrong_region()
            theirs = scene.organisations[offer.robot.organisation]
            check_uploads(session, theirs, scene.now, scene.uploads[theirs.name])
            check_room(scene.organisations[skill.organisation], offer.size)
            is_discarded, key = offer.digest in scene.discarded, VerifyKey(robot.public_key)
            return Welcome(mine, region, is_discarded, key, counting, skill, robot.hall_robots or 1)
        except ZunftError as error:
            return error


def _seen(scene: _Scene, facts: Mapping[str, RoundFacts], offer: Offer) -> tuple[CampaignRow, SkillRow]:
    """The campaign of a round that the robot sees, and its skill."""
    if offer.round_id in facts and offer.round_id in scene.rounds:
        campaign, skill = scene.campaigns[facts[offer.round_id].campaign_id]
        if may_see(offer.robot, skill.organisation, skill.visibility):
            return campaign, skill
    raise unknown_round(offer.round_id)


def _known(scene: _Scene, facts: RoundFacts, offer: Offer) -> _Brought | None:
    """This robot's very delta for this round, if it is here already."""
    theirs = scene.brought.get(offer.robot.name, [])
    return next((each for each in theirs if each.digest == offer.digest and _is_for(each, facts)), None)


def _is_for(brought: _Brought, facts: RoundFacts) -> bool:
    return (brought.campaign_id, brought.made_for) == (facts.campaign_id, facts.number)


def _place(scene: _Scene, facts: RoundFacts, campaign: CampaignRow) -> RoundRow:
    """The round in which a delta made for this one counts now; a late one stays in its phase."""
    row, last = scene.rounds[facts.round_id], facts.order.phase_of(facts.number).last
    newest = scene.newest.get(facts.campaign_id, row)
    staleness = newest.number - row.number
    allowed = facts.order.merge.max_staleness if newest.number <= last else 0
    found = place(
        state=_state_at(row, scene.now),
        newest=_state_at(newest, scene.now),
        staleness=staleness,
        allowed=allowed,
        rounds_left=last - newest.number,
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
    return row if found == "in time" else newest


def _check_first(scene: _Scene, facts: RoundFacts, counting: RoundRow, offer: Offer) -> None:
    """Hold a robot to one delta made for each round and one counting in each."""
    theirs = scene.brought.get(offer.robot.name, [])
    if any(_is_for(each, facts) or each.round_id == counting.round_id for each in theirs):
        raise ConflictError(
            "this robot's delta for this round is in already, and it is another one.",
            where="round_id",
            remedy="Wait for the next round; a delta cannot be exchanged.",
            code="second_delta",
        )


def _check_network(session: Session, facts: RoundFacts, counting: RoundRow) -> None:
    if shapes_of_delta(_manifest(session, counting.base), facts.training) != facts.shapes:
        raise ConflictError(
            f"round {counting.round_id} improves another network than round {facts.round_id} did.",
            where="delta.base",
            remedy="Drop this delta and ask for a new assignment.",
            code="unknown_base",
        )


def _wrong_region() -> ConflictError:
    return ConflictError(
        "this robot's deltas may not lie in the store of this skill's organisation.",
        where="round_id",
        remedy="Drop this delta; this robot works on skills of its own region.",
        code="wrong_region",
    )


def _organisations(session: Session, names: Iterable[str]) -> dict[str, OrganisationRow]:
    rows = session.scalars(statements.OWNERS, {"names": sorted(names)})
    return {row.name: row for row in rows}


def _discarded(session: Session, digests: set[str]) -> frozenset[str]:
    return frozenset(session.scalars(statements.DISCARDED, {"digests": sorted(digests)}))


def _contributors(
    session: Session, skills: Mapping[str, SkillRow], robots: Collection[str]
) -> frozenset[tuple[str, str]]:
    """Skills, and which of these robots may work on them."""
    found: set[tuple[str, str]] = set()
    for name, skill in skills.items():
        found |= {(name, robot_id) for robot_id in contributors_among(session, skill, robots)}
    return frozenset(found)


def _brought_before(
    session: Session,
    facts: Iterable[RoundFacts],
    newest: Mapping[str, RoundRow],
    asked: Mapping[str, Sequence[str]],
) -> dict[str, list[_Brought]]:
    """By robot: what it made for these rounds, wherever that counts, and what counts in the newest ones.

    A delta made for a round counts at most `max_staleness` rounds later.
    """
    numbers = {row.number for row in newest.values()}
    for each in facts:
        numbers.update(range(each.number, each.number + each.order.merge.max_staleness + 1))
    found: dict[str, list[_Brought]] = {}
    rows = session.execute(statements.BROUGHT, {**asked, "numbers": sorted(numbers)})
    for robot_id, digest, round_id, staleness, campaign_id, number in rows:
        brought = _Brought(digest, round_id, campaign_id, number - staleness, staleness)
        found.setdefault(robot_id, []).append(brought)
    return found


def _receipt(
    round_id: str, digest: str, staleness: int, status: Literal["admitted", "duplicate"]
) -> DeltaReceipt:
    return DeltaReceipt(round_id=round_id, digest=digest, status=status, staleness=staleness)


def _write(
    session: Session, entered: Sequence[tuple[Mapping[str, Any], SkillRow, str]], now: datetime
) -> None:
    """Deltas by column, with their skill and the organisation of their robot."""
    if not entered:
        return
    session.execute(statements.NEW, [made for made, _, _ in entered])
    events: list[dict[str, Any]] = [
        {
            "skill": skill.name,
            "organisation": organisation,
            **{name: made[name] for name in TOLD},
        }
        for made, skill, organisation in entered
    ]
    record_many(session, "delta.admitted", now, events)


def _manifest(session: Session, base: str) -> Manifest:
    row = session.scalars(statements.BASE, {"digest": base}).one()
    return Manifest.model_validate(row.manifest)


def _state_at(row: RoundRow, now: datetime) -> RoundState:
    """The round's state; beyond its deadline it is as good as closing."""
    return "closing" if row.state == "open" and now >= row.deadline else state_of(row)


def _why_closed(row: RoundRow, staleness: int, allowed: int) -> str:
    why = "its deadline has passed" if row.state == "open" else f"it is {row.state}"
    return f"{why}, and {staleness} rounds late is more than {allowed}" if staleness > allowed > 0 else why
