"""What is signed of roll-outs: their rings, where each ring's pointer leads, which versions were stopped.

Read from rows of roll-outs inside the caller's transaction; `hub.tuf.contents` puts it beside the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from tuf.api.metadata import TargetFile

from hub.storage.tables.rollouts import RolloutRow
from hub.storage.tables.skills import ChannelRow, SkillRow
from hub.tuf.metadata import target
from skills.container import digest_of
from skills.rings import RingNote, RolloutNote, ring_name
from skills.targets import ROLLOUT, Pointer, channel_target

__all__ = ["ring_targets", "stopped_versions"]

IN_RINGS = ("open", "waiting", "paused")
"""States in which robots follow their rings."""
MOST_STOPPED = 32


def ring_targets(session: Session, its: ColumnElement[bool]) -> Iterator[TargetFile]:
    """Targets of the roll-outs under way of skills with this condition."""
    rows = (
        select(RolloutRow, ChannelRow)
        .join(SkillRow, SkillRow.name == RolloutRow.skill)
        .join(ChannelRow, (ChannelRow.skill == RolloutRow.skill) & (ChannelRow.name == "stable"))
        .where(its, RolloutRow.state.in_(IN_RINGS))
    )
    for row, stable in session.execute(rows).all():
        stopped = stopped_versions(session, [row.skill]).get(row.skill, ())
        rings = [RingNote.model_validate(each) for each in row.fixed["rings"]]
        note = RolloutNote(rollout=row.rollout_id, rings=tuple(rings))
        yield _target(channel_target(row.skill, ROLLOUT), note)
        for place, (counter, opened) in enumerate(
            zip(row.fixed["counters"], row.fixed["opened"], strict=True)
        ):
            version = row.new if opened else row.old
            pointer = Pointer(
                version=version,
                counter=counter,
                lowest=stable.lowest,
                kept={} if opened else stable.kept,
                stopped=tuple(each for each in stopped if each != version),
            )
            yield _target(channel_target(row.skill, ring_name(place)), pointer)


def stopped_versions(session: Session, skills: list[str]) -> Mapping[str, tuple[int, ...]]:
    """By skill, the versions whose last roll-out was rolled back, the newest so many."""
    rows = select(RolloutRow).where(RolloutRow.skill.in_(skills))
    last = {(row.skill, row.new): row.state for row in session.scalars(rows.order_by(RolloutRow.created_at))}
    found: dict[str, list[int]] = {}
    for (skill, version), state in last.items():
        if state in {"stopped", "aborted"}:
            found.setdefault(skill, []).append(version)
    return {skill: tuple(sorted(versions)[-MOST_STOPPED:]) for skill, versions in found.items()}


def _target(path: str, note: RolloutNote | Pointer) -> TargetFile:
    body = note.model_dump_json().encode()
    return target(path, digest_of(body), len(body), note.model_dump(mode="json"))
