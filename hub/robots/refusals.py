"""What robots would not take, for their operators: kept with the robot, and an event where it is news.

A robot's word about itself, bounded and checked; nothing in the hub follows from it.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from hub.access.principal import Principal
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.record import record, take_turn
from hub.storage.tables.robots import RobotRow
from skills.errors import ContractError
from skills.messages.robots import Refusal

__all__ = ["Refusals"]


class Refusals:
    """Hears them; each call is its own transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def hear(self, text: str, by: Principal) -> None:
        """Remember what a robot says that it refused; the same again is no news.

        Raises:
            ContractError: It is no `Refusal`.
        """
        try:
            said = Refusal.model_validate_json(text)
        except ValidationError as error:
            raise ContractError(
                f"this is no refusal ({error.error_count()} deviations).",
                where="refused",
                remedy="Send skill, version, code and reason as JSON.",
            ) from error
        news = said.model_dump(mode="json")
        with self._database.write() as session:
            take_turn(session)
            row = session.get_one(RobotRow, by.name)
            if row.refusal == news:
                return
            row.refusal = news
            told: dict[str, Any] = {"robot_id": by.name, "about": said.skill, "version": said.version}
            told |= {"code": said.code, "reason": said.reason}
            record(session, "version.refused", self._clock(), organisation=by.organisation, **told)
