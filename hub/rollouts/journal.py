"""The journal of roll-outs: how one begins, and the only place that changes its state.

Inside the caller's transaction: state, journal, signed pointers, events and the stable channel change
together, or not at all. So a hub that was killed at any line left a roll-out before a step or behind it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import seen_skills
from hub.attestations.keeping import Attestations
from hub.catalogue.catalogue import resolve
from hub.catalogue.channels import stable_of
from hub.catalogue.moves import make_stable
from hub.rollouts.facts import state_of
from hub.rollouts.membership import fixed_rings
from hub.rollouts.states import WIDENING, RolloutEvent, next_state
from hub.storage.record import note, record, take_turn
from hub.storage.tables.rollouts import RolloutRow, RolloutStepRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.tuf.contents import mark, next_counter
from hub.tuf.own_keys import key_of
from skills.errors import ConflictError, NotFoundError
from skills.messages.rollouts import ENDED, UNENDED, RolloutRequest

__all__ = ["begin", "enter", "find_rollout", "under_way"]

REASON_LENGTH = 2000


def under_way(session: Session, skill: str) -> RolloutRow | None:
    """The roll-out of a skill that has not ended."""
    rows = select(RolloutRow).where(RolloutRow.skill == skill, RolloutRow.state.in_(UNENDED))
    return session.scalar(rows.limit(1))


def find_rollout(session: Session, rollout_id: str, viewer: Viewer, *, lock: bool = False) -> RolloutRow:
    """A roll-out of a skill that the viewer sees.

    Raises:
        NotFoundError: There is none, or none that the viewer sees: in the same words.
    """
    theirs = select(RolloutRow).where(RolloutRow.skill.in_(seen_skills(viewer)))
    found = theirs.where(RolloutRow.rollout_id == rollout_id)
    locked = found.with_for_update(of=RolloutRow).execution_options(populate_existing=True)
    row = session.scalar(locked if lock else found)
    if row is None:
        raise NotFoundError(f"there is no roll-out {rollout_id[:64]!r}.", where="rollout_id")
    return row


def begin(session: Session, request: RolloutRequest, now: datetime, *, by: Principal) -> RolloutRow:
    """Enter a roll-out; no robot has anything of it before the gate has measured the version.

    Raises:
        NotFoundError: No such version, or nothing is stable yet, or a robot is named that is none.
        ConflictError: Another one of the skill is under way, or it leads nowhere.
    """
    take_turn(session)  # so that of two that begin at once one sees the other
    version = resolve(session, request.skill, str(request.version), by)
    stable = _left_for(session, version)
    rollout_id = f"o-{secrets.token_hex(6)}"
    rings = fixed_rings(session, rollout_id, request.skill, request.rings, by)
    counter = next_counter(session.get_one(ChannelRow, (request.skill, "stable")).counter, now)
    row = RolloutRow(
        rollout_id=rollout_id,
        skill=request.skill,
        old=stable.number,
        new=version.number,
        state="measuring",
        ring=0,
        reason=request.reason,
        plan={"rings": [each.model_dump(mode="json") for each in request.rings]},
        fixed={
            "rings": [each.model_dump(mode="json") for each in rings],
            "counters": [counter] * len(rings),
            "opened": [None] * len(rings),
        },
        started_by=by.actor,
        created_at=now,
    )
    session.add(row)
    session.flush()
    _tell(session, row, "started", now, request.reason)
    note(session, "rollout.started", now, by=by.actor, subject=rollout_id, skill=row.skill, version=row.new)
    return row


def _left_for(session: Session, version: VersionRow) -> VersionRow:
    """The stable version, which robots leave for this one, if they may."""
    stable = stable_of(session, version.skill)
    if stable is None:
        raise NotFoundError(
            f"{version.skill} has no stable version to begin from.",
            where="skill",
            remedy=f"Release the first one to everybody: zunft skill release {version.skill}.",
        )
    if key_of(session, version.skill):
        raise ConflictError(
            f"{version.skill} is released with its organisation's own key, and the hub's signs rings.",
            where="skill",
            remedy=f"Release it to all: zunft skill release {version.skill} {version.number} --key FILE.",
            code="released_with_a_key",
        )
    if version.withdrawn_at is not None or version.number == stable.number:
        raise ConflictError(
            f"v{version.number} of {version.skill} is {'stable' if version is stable else 'withdrawn'}.",
            where="version",
            remedy="Choose another version.",
        )
    other = under_way(session, version.skill)
    if other is not None:
        raise ConflictError(
            f"roll-out {other.rollout_id} of {version.skill} is under way.",
            where="skill",
            remedy="Wait for it, or abort it first.",
        )
    return stable


def enter(
    session: Session,
    attestations: Attestations,
    row: RolloutRow,
    event: RolloutEvent,
    now: datetime,
    *,
    by: str,
    reason: str = "",
    known: Mapping[str, float] | None = None,
) -> None:
    """Take a roll-out where an event leads, with all that follows from it.

    Args:
        session: A transaction that has locked the row.
        attestations: Where it is attested that the stable version changes.
        row: The roll-out.
        event: What happened.
        now: The time.
        by: Who did it, as in the audit log.
        reason: Why.
        known: What robots said by then.

    Raises:
        ConflictError: The event does not belong to the state, or another version became stable since.
    """
    take_turn(session)
    before = row.state
    row.state = next_state(state_of(row), event)
    row.reason = reason[:REASON_LENGTH] or row.reason
    if event in WIDENING:
        row.ring += 1
    if event == "measured" or event in WIDENING:
        _open(row, now)
    if row.state in ENDED:
        row.ended_at = now
        _end(session, attestations, row, now, by=by, was_done=before == "done")
    mark(session, session.get_one(SkillRow, row.skill).organisation)
    its = select(func.max(RolloutStepRow.number)).where(RolloutStepRow.rollout_id == row.rollout_id)
    session.add(
        RolloutStepRow(
            rollout_id=row.rollout_id,
            number=(session.scalar(its) or 0) + 1,
            at=now,
            event=event,
            state=row.state,
            ring=row.ring,
            reason=reason[:REASON_LENGTH],
            known=dict(known or {}),
        )
    )
    session.flush()
    _tell(session, row, event, now, reason)


def _open(row: RolloutRow, now: datetime) -> None:
    """Have the present ring's pointer name the new version."""
    counters, opened = [*row.fixed["counters"]], [*row.fixed["opened"]]
    counters[row.ring] = next_counter(max(counters), now)
    opened[row.ring] = now.isoformat()
    row.fixed = {**row.fixed, "counters": counters, "opened": opened}


def _end(
    session: Session,
    attestations: Attestations,
    row: RolloutRow,
    now: datetime,
    *,
    by: str,
    was_done: bool,
) -> None:
    """All robots follow the stable channel again: a move that is newer than any that a ring has seen."""
    channel = session.get_one(ChannelRow, (row.skill, "stable"), populate_existing=True)
    if was_done and channel.number != row.new:
        raise ConflictError(
            f"v{channel.number} is stable by now, not v{row.new}.",
            where="order",
            remedy="Release the version that you want: zunft skill release.",
        )
    channel.counter = next_counter(max(channel.counter, *row.fixed["counters"]), now)
    target = row.new if row.state == "done" else row.old if was_done else channel.number
    if target != channel.number:
        version = session.get_one(VersionRow, (row.skill, target))
        make_stable(session, attestations, version, now, reason=row.reason, by=by)


def _tell(session: Session, row: RolloutRow, event: str, now: datetime, reason: str) -> None:
    record(
        session,
        f"rollout.{_word(event, row.state)}",
        now,
        skill=row.skill,
        rollout_id=row.rollout_id,
        old=row.old,
        new=row.new,
        ring=row.ring + 1,
        reason=reason[:REASON_LENGTH],
    )


def _word(event: str, state: str) -> str:
    """What happened, as an event's kind says it: where it led, unless it leads to where it began."""
    if event in {"started", "resumed"}:
        return event
    return "widened" if state == "open" else state
