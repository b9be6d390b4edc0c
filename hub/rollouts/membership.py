"""Which robots a roll-out is about, and its rings as they are signed: fixed for as long as it lasts.

Shares are of the robots that ask for the skill then; robots that join later are in no ring. Inside the
caller's transaction. Which robot is in which ring is `skills.rings`' rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal
from hub.access.visibility import seen_robots
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rollouts import RobotTagRow, RolloutRow
from skills.errors import NotFoundError
from skills.messages.rollouts import RingPlan
from skills.rings import MARK, Member, RingNote, mark_of, ring_of

__all__ = ["asking", "fixed_rings", "member_of", "notes_of", "place_of", "wanted_by"]


def asking(skill: str) -> Select[RobotRow]:
    """Robots that ask for a skill."""
    asked = exists().where(InterestRow.robot_id == RobotRow.robot_id, InterestRow.skill == skill)
    return select(RobotRow).where(RobotRow.closed_at.is_(None), asked)


def member_of(row: RobotRow) -> Member:
    """A robot as the rule knows it."""
    return Member(robot_id=row.robot_id, organisation=row.organisation, embodiment=row.embodiment)


def fixed_rings(
    session: Session, rollout: str, skill: str, plans: Sequence[RingPlan], by: Principal
) -> list[RingNote]:
    """The rings as they are signed.

    Args:
        session: Where to read.
        rollout: Id of the roll-out.
        skill: What it is about.
        plans: The rings as they were ordered.
        by: Who orders; only robots that one sees are found by id or tag.

    Raises:
        NotFoundError: A robot is named that is none.
    """
    members = [member_of(row) for row in session.scalars(asking(skill))]
    return [_with_share(_selecting(session, rollout, plan, by), rollout, plan, members) for plan in plans]


def _selecting(session: Session, rollout: str, plan: RingPlan, by: Principal) -> RingNote:
    """All of a ring but its share."""
    named: set[str] | None = None
    if plan.robots:
        found = select(RobotRow.robot_id).where(RobotRow.robot_id.in_(plan.robots), seen_robots(by))
        named = set(session.scalars(found))
        if missing := sorted(set(plan.robots) - named):
            raise NotFoundError(f"there is no robot {missing[0][:64]!r}.", where="rings.robots")
    if plan.tags:
        tagged = select(RobotTagRow.robot_id).join(RobotRow, RobotRow.robot_id == RobotTagRow.robot_id)
        theirs = set(session.scalars(tagged.where(RobotTagRow.tag.in_(plan.tags), seen_robots(by))))
        named = theirs if named is None else named & theirs
    return RingNote(
        embodiments=plan.embodiments,
        organisations=tuple(sorted(mark_of(rollout, each) for each in plan.organisations)),
        robots=None if named is None else tuple(sorted(mark_of(rollout, each) for each in named)),
    )


def _with_share(note: RingNote, rollout: str, plan: RingPlan, members: Iterable[Member]) -> RingNote:
    """With the mark below which there are as many robots as the share allows, and one at least."""
    if plan.share == 1:
        return note
    marks = sorted(mark_of(rollout, each.robot_id) for each in members if note.has(rollout, each))
    many = max(1, int(plan.share * len(marks)))
    if many < len(marks):
        return note.model_copy(update={"below": marks[many]})
    if marks:
        return note
    return note.model_copy(update={"below": f"{int(plan.share * 16**MARK):0{MARK}x}"})


def notes_of(row: RolloutRow) -> list[RingNote]:
    """A roll-out's rings."""
    return [RingNote.model_validate(each) for each in row.fixed["rings"]]


def place_of(row: RolloutRow, notes: Sequence[RingNote], robot: RobotRow) -> int | None:
    """A robot's ring; None where it is in none, or joined later."""
    return None if robot.enrolled_at > row.created_at else ring_of(notes, row.rollout_id, member_of(robot))


def wanted_by(row: RolloutRow, notes: Sequence[RingNote], robot: RobotRow) -> int:
    """The version that a roll-out under way wants a robot to use."""
    place = place_of(row, notes, robot)
    return row.new if place is not None and row.fixed["opened"][place] else row.old
