"""Leaderboards as people look at them: what one may not see is not there, and no gap says that it is.

Scores come from `hub.leaderboards.scorer`; which of them are shown is `hub.leaderboards.lines`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from hub.access.principal import Viewer
from hub.catalogue.catalogue import find_skill
from hub.leaderboards.confirmations import confirmations_of
from hub.leaderboards.lines import BOARD_ORDER, Counting, best_lines, lines, unscored_lines
from hub.leaderboards.yardsticks import controllers_of
from hub.storage.database import Database
from hub.storage.paging import Line, page_of
from hub.storage.regions import Stores, region_of
from hub.storage.tables.scores import ScoreRow
from hub.tasks.sources import board_digest
from hub.workers.job import Scored
from skills.errors import NotFoundError
from skills.messages.leaderboards import (
    REPLAY_LIMIT,
    BoardEntry,
    BoardPlan,
    Confirmation,
    Leaderboard,
    Unscored,
)
from skills.messages.lists import BoardQuery

__all__ = ["Leaderboards"]


@dataclass(frozen=True)
class Leaderboards:
    """Each call is a look at one moment."""

    database: Database
    stores: Stores
    plan: BoardPlan

    def board(self, task: str, viewer: Viewer, query: BoardQuery, *, hub: str) -> Leaderboard:
        """The board of a task, a page of its entries.

        Args:
            task: Its name.
            viewer: Who looks.
            query: `skill` shows all scored versions of a skill instead of one of each.
            hub: Address of this hub, for the commands that repeat scores.

        Raises:
            NotFoundError: No such task, or none that one sees anything of; no such skill.
        """
        with self.database.read() as session:
            digest = board_digest(session, task, viewer)
            if digest is None and session.scalar(lines(task, viewer).limit(1)) is None:
                raise NotFoundError(
                    f"there is no task {task[:64]!r}.", where="name", remedy="Use the name that skills have."
                )
            if query.skill:
                find_skill(session, query.skill, viewer)
            counts = Counting(self.plan, digest)
            scored = lines(task, viewer, query.skill).where(counts(ScoreRow))
            entries = page_of(
                session,
                scored if query.skill else best_lines(task, viewer, counts),
                BOARD_ORDER,
                query,
                lambda rows: self._entries(session, rows, digest, hub),
            )
            waiting = session.execute(unscored_lines(task, viewer, counts, query.skill).limit(query.limit))
            return Leaderboard(
                task=task,
                task_digest=digest,
                plan=self.plan,
                seeds=self.plan.draws(),
                entries=entries.items,
                next=entries.next,
                unscored=tuple(_unscored(row, owner) for row, owner in waiting),
                controllers=controllers_of(session, task, digest, self.plan),
            )

    def _entries(
        self, session: Session, rows: Sequence[Line], task_digest: str | None, hub: str
    ) -> list[BoardEntry]:
        scores = {row[0].digest: Scored.model_validate(row[0].report) for row in rows}
        others = confirmations_of(session, scores, self.plan, task_digest)
        return [
            _entry(row[0], scores[row[0].digest], row[1], hub, others.get(row[0].digest, ())) for row in rows
        ]

    def replay(self, task: str, skill: str, viewer: Viewer, *, version: int | None = None) -> bytes:
        """The replay beside a skill's score on the board, or beside that of one version.

        Raises:
            NotFoundError: No such skill, or it has no replay.
            StoreError: Not now.
        """
        with self.database.read() as session:
            counts = Counting(self.plan, board_digest(session, task, viewer))
            find_skill(session, skill, viewer)
            if version is None:
                shown = best_lines(task, viewer, counts, skill)
            else:
                shown = lines(task, viewer, skill).where(ScoreRow.number == version, counts(ScoreRow))
            replay = session.scalar(shown.with_only_columns(ScoreRow.replay))
            store = self.stores.of(region_of(session, skill))
        if not replay:
            raise NotFoundError(
                f"there is no replay of {skill} for {task[:64]!r}.",
                where="skill",
                remedy="See the leaderboard for what was scored.",
                code="no_replay",
            )
        return store.get(replay, REPLAY_LIMIT)


def _entry(
    row: ScoreRow, scored: Scored, organisation: str, hub: str, others: tuple[Confirmation, ...]
) -> BoardEntry:
    return BoardEntry(
        skill=row.skill,
        version=row.number,
        organisation=organisation,
        digest=row.digest,
        score=scored.score,
        by_embodiment=scored.by_embodiment,
        scored_at=row.scored_at or row.wanted_at,
        seconds=scored.seconds,
        replay_size=scored.replay_size,
        made_with=scored.made_with,
        command=f"zunft task score {row.skill}@{row.number} --hub {hub}",
        confirmations=others,
    )


def _unscored(row: ScoreRow, organisation: str) -> Unscored:
    state: Literal["waiting", "failed"] = "failed" if row.state == "failed" else "waiting"
    return Unscored(
        skill=row.skill,
        version=row.number,
        organisation=organisation,
        state=state,
        reason=row.reason if state == "failed" else "",
    )
