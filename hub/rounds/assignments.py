"""What robots are to do now: read for all who ask at once, and written down that they are there.

A robot's nonce is used up in the same transaction. What is to be done is the same for all who may work on a
skill and have brought nothing yet, and is put into words once. Who waits for work is
`hub.rounds.held_robots`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from hub.access.authenticator import Signed
from hub.access.nonces import Nonces
from hub.access.principal import Principal
from hub.catalogue.skill_views import version_view
from hub.clock import Clock
from hub.organisations.eligibility import contributors_among
from hub.robots.presence import Presence, Presences
from hub.rounds.journal import order_of, running_round
from hub.storage.database import Database
from hub.storage.group_commit import Together
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.errors import UnauthorizedError
from skills.messages.rounds import Assignment

__all__ = ["Answer", "Assignments"]

SKILLS = select(SkillRow).where(SkillRow.name.in_(bindparam("skills", expanding=True)))
BROUGHT = select(DeltaRow.robot_id).where(
    DeltaRow.round_id == bindparam("round"), DeltaRow.robot_id.in_(bindparam("robots", expanding=True))
)
BASE = select(VersionRow).where(VersionRow.digest == bindparam("digest"))


@dataclass(frozen=True)
class Answer:
    """What a robot is to do now, None where there is nothing that it may do; and the round that is open.

    `is_asked` tells whether it may work on the skill at all.
    """

    work: Assignment | None = None
    json: bytes = b""
    open_round: str = ""
    is_asked: bool = True


@dataclass(frozen=True)
class _Question:
    """A robot asks for work on a skill; with a nonce that has still to be used up, or with none."""

    robot_id: str
    skill: str
    nonce: str = ""
    trains: bool = True


class Assignments:
    """Asking also tells the hub that the robot is there: a round without a target waits for it."""

    def __init__(self, database: Database, nonces: Nonces, clock: Clock, active_seconds: float) -> None:
        self._database = database
        self._nonces = nonces
        self._clock = clock
        self._presences = Presences(clock, active_seconds)
        self._together = Together(self._answer)

    def assignment(self, robot: Principal, skill: str) -> Assignment | None:
        """What this robot is to do now for a skill; None when there is nothing that it may do."""
        return _of(self._together.do(_Question(robot.name, skill))).work

    async def ask(self, signed: Signed, skill: str, *, trains: bool = True) -> Answer:
        """The same for a request whose nonce is used up with it; nothing to do for one that does not train.

        Raises:
            UnauthorizedError: The request was made before, or the robot has left meanwhile.
        """
        return _of(await self._together.ask(_Question(signed.principal.name, skill, signed.nonce, trains)))

    async def ask_again(self, robot: Principal, skill: str) -> Answer:
        """The same, later, for a request that was let in."""
        return _of(await self._together.ask(_Question(robot.name, skill)))

    def open_round(self, skill: str) -> str:
        """The round that wants deltas for a skill now, whoever may bring some; empty where there is none."""
        with self._database.read() as session:
            return _open_round(running_round(session, skill))

    def _answer(self, questions: Sequence[_Question]) -> list[Answer | UnauthorizedError]:
        if not any(each.nonce for each in questions):
            with self._database.read() as session:
                answers = self._look(session, questions)
                if not self._presences.unnoted(session, _presences(questions, answers)):
                    return [answers.get(each, Answer()) for each in questions]
        with self._database.write() as session:
            uses = [(each.robot_id, each.nonce) for each in questions if each.nonce]
            refusals = dict(zip(uses, self._nonces.use_up(session, uses), strict=True)) if uses else {}
            fresh = [each for each in questions if refusals.get((each.robot_id, each.nonce)) is None]
            answers = self._look(session, fresh)
            news = self._presences.unnoted(session, _presences(fresh, answers))
            closed = self._presences.note(session, news)
        # What closed between the two looks is not given to a robot.
        given = {each: _unless(closed, answer) for each, answer in answers.items()}
        return [_first(refusals, each) or given.get(each, Answer()) for each in questions]

    def _look(self, session: Session, questions: Iterable[_Question]) -> dict[_Question, Answer]:
        """Answers on skills that there are."""
        by_skill: dict[str, list[_Question]] = {}
        for each in questions:
            by_skill.setdefault(each.skill, []).append(each)
        found: dict[_Question, Answer] = {}
        for skill in session.scalars(SKILLS, {"skills": sorted(by_skill)}).all():
            found |= _look_for(session, skill, by_skill[skill.name], self._clock())
        return found


def _look_for(
    session: Session, skill: SkillRow, asking: Sequence[_Question], now: datetime
) -> dict[_Question, Answer]:
    robots = [each.robot_id for each in asking if each.trains]
    may = contributors_among(session, skill, robots)
    newest = running_round(session, skill.name)
    idle = Answer(open_round=_open_round(newest))
    others = {each: replace(idle, is_asked=False) for each in asking if each.robot_id not in may}
    if newest is None or not idle.open_round or now >= newest[1].deadline:
        return others | {each: idle for each in asking if each.robot_id in may}
    done = set(session.scalars(BROUGHT, {"round": newest[1].round_id, "robots": robots}))
    busy = _work(session, *newest) if may - done else idle
    return others | {each: idle if each.robot_id in done else busy for each in asking if each.robot_id in may}


def _work(session: Session, campaign: CampaignRow, row: RoundRow) -> Answer:
    order = order_of(campaign)
    view = version_view(session, session.scalars(BASE, {"digest": row.base}).one())
    work = Assignment(
        campaign_id=row.campaign_id,
        round_id=row.round_id,
        number=row.number,
        rounds=order.rounds_in_all,
        base=view,
        deadline=row.deadline,
        training=order.training_of(row.number),
        learning_rate=order.rate_of(row.number),
        max_staleness=order.merge.max_staleness,
        afresh=row.optimiser_before is None and bool(view.manifest.carries),
    )
    return Answer(work, work.model_dump_json(by_alias=True).encode(), row.round_id)


def _open_round(newest: tuple[CampaignRow, RoundRow] | None) -> str:
    return newest[1].round_id if newest and newest[1].state == "open" else ""


def _presences(questions: Iterable[_Question], answers: dict[_Question, Answer]) -> list[Presence]:
    """Of those who may work on what they ask for."""
    return [
        Presence(each.robot_id, each.skill, answers[each].open_round if answers[each].work else "")
        for each in questions
        if each in answers and answers[each].is_asked
    ]


def _unless(closed: set[str], answer: Answer) -> Answer:
    return Answer() if answer.work and answer.open_round in closed else answer


def _first(
    refusals: dict[tuple[str, str], UnauthorizedError | None], question: _Question
) -> UnauthorizedError | None:
    return refusals.get((question.robot_id, question.nonce))


def _of(answer: Answer | UnauthorizedError) -> Answer:
    if isinstance(answer, UnauthorizedError):
        raise answer
    return answer
