"""Leaderboards as people look at them: what one may not see is not there, and no gap says that it is.

Scores come from `hub.leaderboards.scorer`. A version that was withdrawn is on no board, nor is a score of
another plan or of a task that has changed since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.auth import Viewer
from hub.catalogue import find_skill
from hub.database import Database
from hub.jobs.job import Scored
from hub.leaderboards.rows import ScoreRow
from hub.models import ChannelRow, SkillRow, VersionRow
from hub.regions import Stores, region_of
from hub.tasks.sources import board_task
from hub.visibility import seen
from skills.errors import NotFoundError
from skills.leaderboards import REPLAY_LIMIT, BoardEntry, BoardPlan, Leaderboard, Unscored

__all__ = ["Leaderboards"]


@dataclass(frozen=True)
class _Line:
    """A version that is or was stable; `counts`: it has a score by this plan, of the task as it is now."""

    row: ScoreRow
    organisation: str
    is_stable: bool
    counts: bool


@dataclass(frozen=True)
class Leaderboards:
    """Each call is a look at one moment."""

    database: Database
    stores: Stores
    plan: BoardPlan

    def board(self, task: str, viewer: Viewer, *, hub: str, skill: str = "") -> Leaderboard:
        """The board of a task.

        Args:
            task: Its name.
            viewer: Who looks.
            hub: Address of this hub, for the commands that repeat scores.
            skill: Show all scored versions of this skill instead of one of each.

        Raises:
            NotFoundError: No such task, or none that one sees anything of; no such skill.
        """
        with self.database.read() as session:
            digest = _digest(session, task, viewer)
            lines = self._lines(session, task, digest, viewer)
            if digest is None and not lines:
                raise NotFoundError(
                    f"there is no task {task[:64]!r}.", where="name", remedy="Use the name that skills have."
                )
            if skill:
                find_skill(session, skill, viewer)
                lines = [line for line in lines if line.row.skill == skill]
        shown = [line for line in lines if line.counts] if skill else _one_of_each(lines)
        entries = [_entry(line, hub) for line in shown]
        return Leaderboard(
            task=task,
            task_digest=digest,
            plan=self.plan,
            seeds=self.plan.draws(),
            entries=tuple(sorted(entries, key=_rank)),
            unscored=tuple(_unscored(line) for line in lines if line.is_stable and not line.counts),
        )

    def replay(self, task: str, skill: str, viewer: Viewer, *, version: int | None = None) -> bytes:
        """The replay beside a skill's score on the board, or beside that of one version.

        Raises:
            NotFoundError: No such skill, or it has no replay.
            StoreError: Not now.
        """
        with self.database.read() as session:
            digest = _digest(session, task, viewer)
            find_skill(session, skill, viewer)
            lines = [line for line in self._lines(session, task, digest, viewer) if line.row.skill == skill]
            store = self.stores.of(region_of(session, skill))
        shown = _one_of_each(lines) if version is None else [ln for ln in lines if ln.row.number == version]
        replays = [line.row.replay for line in shown if line.counts and line.row.replay]
        if not replays:
            raise NotFoundError(
                f"there is no replay of {skill} for {task[:64]!r}.",
                where="skill",
                remedy="See the leaderboard for what was scored.",
                code="no_replay",
            )
        return store.get(replays[0], REPLAY_LIMIT)

    def _lines(self, session: Session, task: str, digest: str | None, viewer: Viewer) -> list[_Line]:
        stable = select(ChannelRow.skill, ChannelRow.number).where(ChannelRow.name == "stable")
        channels = {row[0]: row[1] for row in session.execute(stable)}
        rows = session.execute(
            select(ScoreRow, SkillRow.organisation)
            .join(SkillRow, SkillRow.name == ScoreRow.skill)
            .join(VersionRow, VersionRow.digest == ScoreRow.digest)
            .where(ScoreRow.task == task, VersionRow.withdrawn_at.is_(None), seen(viewer))
        )
        return [
            _Line(row, owner, channels.get(row.skill) == row.number, self._counts(row, digest))
            for row, owner in rows
        ]

    def _counts(self, row: ScoreRow, digest: str | None) -> bool:
        is_current = row.plan == self.plan.model_dump_json() and row.task_digest == digest
        return row.report is not None and digest is not None and is_current


def _digest(session: Session, task: str, viewer: Viewer) -> str | None:
    """Of the bundle by which scores count; None where the viewer sees no such task."""
    found = board_task(session, task, viewer)
    return found[0] if found else None


def _one_of_each(lines: Iterable[_Line]) -> list[_Line]:
    """Of each skill the stable version, or else the newest with a score."""
    best: dict[str, _Line] = {}
    for line in sorted(lines, key=lambda line: (line.is_stable, line.row.number)):
        if line.counts:
            best[line.row.skill] = line
    return list(best.values())


def _entry(line: _Line, hub: str) -> BoardEntry:
    row, scored = line.row, Scored.model_validate(line.row.report)
    return BoardEntry(
        skill=row.skill,
        version=row.number,
        organisation=line.organisation,
        digest=row.digest,
        score=scored.score,
        by_embodiment=scored.by_embodiment,
        scored_at=row.scored_at or row.wanted_at,
        seconds=scored.seconds,
        replay_size=scored.replay_size,
        made_with=scored.made_with,
        command=f"zunft task score {row.skill}@{row.number} --hub {hub}",
    )


def _unscored(line: _Line) -> Unscored:
    row = line.row
    state: Literal["waiting", "failed"] = "failed" if row.state == "failed" else "waiting"
    return Unscored(
        skill=row.skill,
        version=row.number,
        organisation=line.organisation,
        state=state,
        reason=row.reason if state == "failed" else "",
    )


def _rank(entry: BoardEntry) -> tuple[float, float, str, int]:
    return -entry.score.score, -(entry.score.mean_return or 0.0), entry.skill, -entry.version
