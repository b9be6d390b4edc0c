"""Rows of a leaderboard: which scores count, and of each skill the one that is shown.

A version that was withdrawn is on no board, nor is a score of another plan or of a task that has changed.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from hub.access.principal import Viewer
from hub.access.visibility import seen
from hub.storage.paging import Order, Statement
from hub.storage.tables.scores import ScoreRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from skills.messages.leaderboards import BoardPlan

__all__ = ["BOARD_ORDER", "Counting", "best_lines", "lines", "unscored_lines"]

SUCCESS = ScoreRow.report["score", "score"].as_float()
RETURN = func.coalesce(ScoreRow.report["score", "mean_return"].as_float(), 0.0)
BOARD_ORDER = Order("leaderboard", (-SUCCESS, -RETURN, ScoreRow.skill, -ScoreRow.number))
"""Best first."""


class Counting:
    """Says of rows of scores whether they count: by this plan, at the task with this digest."""

    def __init__(self, plan: BoardPlan, task_digest: str | None) -> None:
        self._plan = plan.model_dump_json()
        self._task_digest = task_digest

    def __call__(self, row: type[ScoreRow]) -> ColumnElement[bool]:
        """A condition that is never NULL."""
        if self._task_digest is None:
            return false()
        is_current = and_(
            row.plan.is_not_distinct_from(self._plan), row.task_digest.is_not_distinct_from(self._task_digest)
        )
        return and_(row.report.is_not(None), is_current)


def lines(task: str, viewer: Viewer, skill: str = "") -> Statement:
    """Scores, counting or not, that the viewer sees, with the skill's owner."""
    found = (
        select(ScoreRow, SkillRow.organisation)
        .join(SkillRow, SkillRow.name == ScoreRow.skill)
        .join(VersionRow, VersionRow.digest == ScoreRow.digest)
        .where(SkillRow.task == task, VersionRow.withdrawn_at.is_(None), seen(viewer))
    )
    return found.where(SkillRow.name == skill) if skill else found


def best_lines(task: str, viewer: Viewer, counts: Counting, skill: str = "") -> Statement:
    """Of each skill the stable version, or else the newest with a score that counts."""
    its = aliased(ScoreRow)
    scored = (
        select(its.digest)
        .join(VersionRow, and_(VersionRow.digest == its.digest, VersionRow.withdrawn_at.is_(None)))
        .where(its.skill == SkillRow.name, counts(its))
    )
    stable = scored.where(its.number == _stable(SkillRow.name))
    newest = scored.order_by(its.number.desc()).limit(1)
    both = (each.correlate(SkillRow).scalar_subquery() for each in (stable, newest))
    return lines(task, viewer, skill).where(ScoreRow.digest == func.coalesce(*both))


def unscored_lines(task: str, viewer: Viewer, counts: Counting, skill: str = "") -> Statement:
    """Stable versions without a score that counts, by name."""
    is_stable = ScoreRow.number == _stable(SkillRow.name)
    return lines(task, viewer, skill).where(is_stable, ~counts(ScoreRow)).order_by(SkillRow.name)


def _stable(skill: InstrumentedAttribute[str]) -> ColumnElement[int]:
    number = select(ChannelRow.number).where(ChannelRow.skill == skill, ChannelRow.name == "stable")
    return number.correlate(SkillRow).scalar_subquery()
