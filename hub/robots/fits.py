"""Which robots can run a version: what each said of itself, held to the version's manifest; no file is read.

What is compared, and how it is said, is `skills.fits`'s; whose robots one sees, `hub.access.visibility`'s.
"""

from __future__ import annotations

import json

from sqlalchemy.orm import undefer

from hub.access.principal import Principal, Viewer
from hub.catalogue.catalogue import resolve
from hub.robots.roster import ROBOT_ORDER, Roster, listed_robots
from hub.storage.database import Database
from hub.storage.paging import page_of
from hub.storage.tables.robots import RobotRow
from skills.fits import Abilities, RobotFit, fit_of
from skills.manifest import Manifest
from skills.messages.lists import FitQuery, Page, RobotQuery

__all__ = ["Fits"]


class Fits:
    """What robots serve, and whether that is what a version needs."""

    def __init__(self, database: Database, roster: Roster) -> None:
        self._database = database
        self._roster = roster

    def tell(self, said: Abilities, by: Principal) -> None:
        """Remember what a robot says of itself, in place of what it said before."""
        with self._database.write() as session:
            # By way of JSON text, in which there is neither NaN nor infinity: no database takes these.
            session.get_one(RobotRow, by.name).abilities = json.loads(said.model_dump_json())

    def fits(self, name: str, ref: str, viewer: Viewer, query: FitQuery) -> Page[RobotFit]:
        """Robots that the viewer sees and that are not withdrawn, in the order in which they joined.

        Raises:
            NotFoundError: No such skill, version or channel.
        """
        with self._database.read() as session:
            manifest = Manifest.model_validate(resolve(session, name, ref, viewer).manifest)
            listed = listed_robots(viewer, RobotQuery(**query.model_dump()), self._roster.lately())
            found = listed.options(undefer(RobotRow.abilities))
            return page_of(
                session, found, ROBOT_ORDER, query, lambda rows: (_fit(manifest, row[0]) for row in rows)
            )


def _fit(manifest: Manifest, robot: RobotRow) -> RobotFit:
    said = None if robot.abilities is None else Abilities.model_validate(robot.abilities)
    found = fit_of(manifest, said, robot.embodiment)
    return RobotFit(
        robot_id=robot.robot_id,
        name=robot.name,
        organisation=robot.organisation,
        embodiment=robot.embodiment,
        fits=found.fits,
        differences=found.differences,
    )
