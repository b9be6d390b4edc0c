"""A look at what robots say reads who has reported since the last one, and comes to what reading all does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from hub.rollouts import claims
from hub.rollouts.claims import OVERLAP, ClaimBook
from hub.rollouts.evidence import Claim, claim_of
from hub.rollouts.facts import claims_of
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import RolloutRow
from skills.messages.reports import Report
from tests.hub.conftest import Hall
from tests.hub.rollouts.halls import fare, fleet_of, start, turn, two_versions


class Looks:
    """Looks at a roll-out, and counts the reports that each had to parse."""

    def __init__(self, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hall, self.book, self.parsed, self.statements = hall, ClaimBook(), 0, 0
        two_versions(hall)
        self.robots = fleet_of(hall, 12)
        self.rollout = start(hall)
        turn(hall)
        real = claim_of

        def counted(arm: str, owner: str, report: Report, old: int, new: int) -> Claim:
            self.parsed += 1
            return real(arm, owner, report, old, new)

        monkeypatch.setattr(claims, "claim_of", counted)

    def look(self) -> tuple[int, int]:
        """Reports parsed and statements; what is found is what reading all finds."""
        database, now = self.hall.services.storage.database, self.hall.clock.now
        with database.read() as session:
            row = session.get_one(RolloutRow, self.rollout)
            counted: list[str] = []

            def count(*said: object) -> None:
                counted.append(str(said[2]))

            engine = session.get_bind()
            event.listen(engine, "before_cursor_execute", count)
            before = self.parsed
            found = self.book.by_ring(session, row, now)
            parsed = self.parsed - before
            event.remove(engine, "before_cursor_execute", count)
            expected = claims_of(session, row, now)
        assert [sorted(map(str, ring)) for ring in found] == [sorted(map(str, ring)) for ring in expected]
        return parsed, len(counted)

    def later(self) -> None:
        self.hall.clock.now += OVERLAP + timedelta(seconds=1)


@pytest.fixture
def looks(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(hall, monkeypatch)


def test_a_look_costs_what_is_new_and_not_what_there_is(looks: Looks) -> None:
    for robot in looks.robots[:10]:
        fare(robot, "11", "11")
    looks.later()
    assert looks.look()[0] == 10
    looks.later()
    quiet, statements = looks.look()
    assert quiet == 0
    for robot in looks.robots[8:]:  # two that are known, two that are not
        fare(robot, "111", "101")
    looks.hall.clock.now += timedelta(seconds=1)
    assert looks.look() == (4, statements + 1)
    looks.later()
    assert looks.look() == (0, statements)


def test_who_went_back_or_left_for_good_counts_no_longer(looks: Looks) -> None:
    for robot in looks.robots:
        fare(robot, "11", "11")
    looks.later()
    looks.look()
    looks.later()
    fare(looks.robots[0], "111", "11", version=1)
    with looks.hall.services.storage.database.write() as session:
        session.get_one(RobotRow, looks.robots[1].robot_id).closed_at = looks.hall.clock.now
    assert looks.look()[0] == 0


def test_what_comes_at_the_moment_of_a_look_is_seen_by_the_next(looks: Looks) -> None:
    fare(looks.robots[0], "11", "11")
    looks.look()
    fare(looks.robots[0], "11", "110")
    assert looks.look()[0] == 1
