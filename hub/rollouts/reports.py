"""What robots report of themselves with their questions for work: bounded, checked, kept as claims.

The last one of each robot and skill; one that says nothing new writes nothing, and those that come at once
are written in one transaction. What follows from claims is for `hub.rollouts.evidence` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Insert, select, tuple_
from sqlalchemy.orm import Session

from hub.access.principal import Principal
from hub.access.visibility import may_see
from hub.clock import Clock
from hub.storage.database import DIALECTS, Database, dialect_of, insert_of
from hub.storage.group_commit import Together
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import ReportRow
from hub.storage.tables.skills import SkillRow
from skills.errors import ContractError
from skills.messages.reports import Report

__all__ = ["Reports"]

SENT = "a `Report` as JSON"


@dataclass(frozen=True)
class _Said:
    """What one robot says."""

    robot: Principal
    report: Report

    @property
    def key(self) -> tuple[str, str]:
        return self.robot.name, self.report.skill


def _kept(dialect: str) -> Insert:
    new = insert_of(dialect, ReportRow)
    keys = [ReportRow.robot_id, ReportRow.skill]
    set_ = {name: new.excluded[name] for name in ("version", "said", "heard_at")}
    return new.on_conflict_do_update(index_elements=keys, set_=set_)


KEPT = {dialect: _kept(dialect) for dialect in DIALECTS}


class Reports:
    """Hears them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._together = Together(self._hear)

    async def hear(self, text: str, skill: str, by: Principal) -> None:
        """Keep what a robot says of itself and a skill.

        Raises:
            ContractError: It is no `Report`, or about another skill than the robot asks for.
        """
        try:
            report = Report.model_validate_json(text)
        except ValidationError as error:
            raise ContractError(
                f"this is no report ({error.error_count()} deviations).",
                where="report",
                remedy=f"Send {SENT}, as docs/rollouts.md says.",
            ) from error
        if report.skill != skill:
            raise ContractError("the report is about another skill.", where="report", remedy=f"Send {SENT}.")
        await self._together.ask(_Said(by, report))

    def _hear(self, those: Sequence[_Said]) -> list[None]:
        last = {each.key: each for each in those}
        with self._database.read() as session:
            news = _news(session, last)
        if news:
            with self._database.write() as session:
                rows = select(RobotRow.robot_id).where(
                    RobotRow.robot_id.in_({key[0] for key in news}), RobotRow.closed_at.is_(None)
                )
                enrolled = set(session.scalars(rows))
                values = [
                    {
                        "robot_id": key[0],
                        "skill": key[1],
                        "version": each.report.version,
                        "said": each.report.model_dump(mode="json"),
                        "heard_at": self._clock(),
                    }
                    for key, each in sorted(news.items())  # in one order, as other processes do
                    if key[0] in enrolled
                ]
                if values:
                    session.execute(KEPT[dialect_of(session)], values)
        return [None] * len(those)


def _news(session: Session, said: dict[tuple[str, str], _Said]) -> dict[tuple[str, str], _Said]:
    """What is not known yet, of skills that there are and the robot sees."""
    skills = {
        row.name: row
        for row in session.scalars(select(SkillRow).where(SkillRow.name.in_({key[1] for key in said})))
    }
    rows = select(ReportRow).where(tuple_(ReportRow.robot_id, ReportRow.skill).in_(list(said)))
    known = {(row.robot_id, row.skill): row.said for row in session.scalars(rows)}
    return {
        key: each
        for key, each in said.items()
        if key[1] in skills
        and may_see(each.robot, skills[key[1]].organisation, skills[key[1]].visibility)
        and known.get(key) != each.report.model_dump(mode="json")
    }
