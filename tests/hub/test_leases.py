"""Leases: the rules under clocks that jump, and rows on both databases that several processes want."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import text

from hub.bell import Bell
from hub.clock import utc_now
from hub.database import Database
from hub.jobs.job import never
from hub.leaseholder import HeldLease, Leaseholder, LeaseLostError, lease_of, new_lease
from hub.leases import Lease, free, held, put_down, renewed, taken
from hub.models import CampaignRow, LeaseRow, SkillRow
from tests.eventually import eventually
from tests.hub.servers import postgres

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = 10.0
PATIENCE = 30.0
LONG_AGO = NOW - timedelta(days=1)
processes = st.sampled_from("abc")


class JumpingClocks(RuleBasedStateMachine):
    """Three processes, each with a clock of its own that anybody may set to anything."""

    def __init__(self) -> None:
        super().__init__()
        self.row = Lease("", 0, NOW, NOW)
        self.clocks = dict.fromkeys("abc", NOW)
        self.mine: dict[str, Lease] = {}
        self.committed: list[int] = []

    @rule(who=processes, seconds=st.integers(-1000, 1000))
    def jump(self, who: str, seconds: int) -> None:
        self.clocks[who] += timedelta(seconds=seconds)

    @rule(who=processes)
    def take(self, who: str) -> None:
        found = taken(self.row, who, self.clocks[who], SECONDS)
        if found is not None:
            assert found.number == self.row.number + 1
            self.row = self.mine[who] = found

    @rule(who=processes)
    def renew(self, who: str) -> None:
        if who in self.mine:
            found = renewed(self.row, self.mine[who], self.clocks[who], SECONDS)
            assert (found is None) == (self.row.number != self.mine[who].number)
            self.row = found or self.row

    @rule(who=processes)
    def commit(self, who: str) -> None:
        if who in self.mine and held(self.row, self.mine.pop(who)):
            self.committed.append(self.row.number)
            self.row = put_down(self.row, self.clocks[who])

    @invariant()
    def at_most_one_may_commit(self) -> None:
        assert sum(held(self.row, lease) for lease in self.mine.values()) <= 1

    @invariant()
    def each_lease_commits_at_most_once_and_in_its_order(self) -> None:
        assert self.committed == sorted(set(self.committed))


TestJumpingClocks = JumpingClocks.TestCase


def test_a_lease_is_anothers_only_once_it_is_over() -> None:
    mine = taken(Lease("", 4, LONG_AGO, LONG_AGO), "a", NOW, SECONDS)
    assert mine == Lease("a", 5, NOW, NOW + timedelta(seconds=SECONDS))
    assert mine is not None
    for after, expected in ((0, False), (9.9, False), (10, True), (1000, True)):
        now = NOW + timedelta(seconds=after)
        assert free(mine, now, SECONDS) == expected
        assert (taken(mine, "b", now, SECONDS) is not None) == expected
    longer = renewed(mine, mine, NOW + timedelta(seconds=9), SECONDS)
    assert longer is not None
    assert not free(longer, NOW + timedelta(seconds=18), SECONDS)


def test_a_lease_that_was_put_down_is_not_renewed() -> None:
    mine = taken(Lease("", 4, LONG_AGO, LONG_AGO), "a", NOW, SECONDS)
    assert mine is not None
    assert renewed(put_down(mine, NOW), mine, NOW, SECONDS) is None


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    mine = taken(Lease("", 0, NOW, NOW), "a", NOW, SECONDS)
    assert mine is not None
    assert free(mine, NOW - timedelta(hours=1), SECONDS)


def test_a_lease_that_was_put_down_is_free_after_its_pause() -> None:
    down = put_down(Lease("a", 1, NOW, NOW), NOW, pause=2, note="The store is asleep.")
    assert (down.holder, down.note) == ("", "The store is asleep.")
    assert not free(down, NOW + timedelta(seconds=1), SECONDS)
    again = taken(down, "b", NOW + timedelta(seconds=2), SECONDS)
    assert again is not None
    assert (again.number, again.note) == (2, "")


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """With one campaign, `c`."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}" if sqlite else request.getfixturevalue("postgres_url")
    found = Database(url, Bell())
    found.migrate()
    with found.write() as session:
        session.execute(text("DELETE FROM leases"))
        session.merge(
            SkillRow(
                name="reach",
                organisation="guild",
                visibility="guild",
                task="reach",
                summary="",
                updated_at=NOW,
            )
        )
        session.merge(
            CampaignRow(campaign_id="c", skill="reach", state="running", reason="", order={}, created_at=NOW)
        )
        session.flush()
        session.add(new_lease("c", LONG_AGO))
    yield found
    found.close()


def row_of(database: Database) -> Lease:
    with database.read() as session:
        return lease_of(session.get_one(LeaseRow, "c"))


def let_expire(database: Database) -> None:
    """As if its holder had been silent for long."""
    with database.write() as session:
        session.get_one(LeaseRow, "c").expires_at = LONG_AGO


def rename(held: HeldLease, reason: str) -> None:
    with held.commit() as session:
        session.get_one(CampaignRow, "c").reason = reason


def reason_of(database: Database) -> str:
    with database.read() as session:
        return session.get_one(CampaignRow, "c").reason


def test_one_process_at_a_time_and_then_the_next(database: Database) -> None:
    one, two = (Leaseholder(database, utc_now, SECONDS) for _ in range(2))
    with one.lease("c", never) as mine:
        assert mine is not None
        assert row_of(database).holder == one.name
        with two.lease("c", never) as theirs:
            assert theirs is None
        with one.lease("c", never) as again:  # nor another thread of the same process
            assert again is None
        rename(mine, "one was here")
        assert row_of(database).holder == ""
    with two.lease("c", never) as theirs:
        assert theirs is not None
    assert row_of(database).holder == ""
    assert reason_of(database) == "one was here"


def test_who_was_succeeded_commits_nothing(database: Database) -> None:
    one, two = (Leaseholder(database, utc_now, SECONDS) for _ in range(2))
    with one.lease("c", never) as mine:
        assert mine is not None
        let_expire(database)
        with two.lease("c", never) as theirs:
            assert theirs is not None
            with pytest.raises(LeaseLostError, match=two.name):
                rename(mine, "one")
            rename(theirs, "two")
        with pytest.raises(LeaseLostError):
            rename(mine, "one")
    assert reason_of(database) == "two"
    assert row_of(database).number == 2


def test_who_was_late_but_not_succeeded_still_commits(database: Database) -> None:
    with Leaseholder(database, utc_now, SECONDS).lease("c", never) as mine:
        assert mine is not None
        let_expire(database)
        rename(mine, "late")
    assert reason_of(database) == "late"


def test_a_lease_lives_as_long_as_its_holder_works(database: Database) -> None:
    seconds = 1.5
    one, two = (Leaseholder(database, utc_now, seconds) for _ in range(2))
    with one.lease("c", never) as mine:
        assert mine is not None
        ends = {row_of(database).expires_at}
        while len(ends) < 5:
            with two.lease("c", never) as theirs:
                assert theirs is None
            ends.add(row_of(database).expires_at)
        assert max(ends) - min(ends) > timedelta(seconds=seconds)
        assert not mine.given_up()


def test_a_heart_that_beats_after_the_commit_leaves_the_lease_to_others(database: Database) -> None:
    """On a busy machine it waits for the very transaction that puts the lease down."""
    holder = Leaseholder(database, lambda: NOW, 0.03)
    with holder.lease("c", never) as held:
        assert held is not None
        with held.commit():
            pass
        eventually(held.lost.is_set, "a beat of the heart")
    with database.read() as session:
        assert lease_of(session.get_one(LeaseRow, "c")).holder == ""
        if session.get_bind().dialect.name == "sqlite":  # by the hub's own clock, which stands still
            assert lease_of(session.get_one(LeaseRow, "c")).expires_at <= NOW


def test_a_holder_notices_that_it_was_succeeded_or_shall_stop(database: Database) -> None:
    one, two = (Leaseholder(database, utc_now, 0.3) for _ in range(2))
    with one.lease("c", never) as mine:
        assert mine is not None
        with database.write() as session:
            row = session.get_one(LeaseRow, "c")
            row.number, row.holder = row.number + 1, two.name
        assert mine.lost.wait(PATIENCE)
        assert mine.given_up()
    assert row_of(database).holder == two.name  # put down is only what is one's own
    let_expire(database)
    stopping = threading.Event()
    with one.lease("c", stopping.is_set) as mine:
        assert mine is not None
        assert not mine.given_up()
        stopping.set()
        assert mine.given_up()


def test_a_step_that_has_to_wait_says_why_and_is_left_alone_for_a_while(database: Database) -> None:
    holder = Leaseholder(database, utc_now, SECONDS)
    with holder.lease("c", never) as mine:
        assert mine is not None
        mine.rest(5, "The store is asleep.")
    found = row_of(database)
    assert (found.holder, found.note) == ("", "The store is asleep.")
    with holder.lease("c", never) as mine:
        assert mine is None
    let_expire(database)
    with holder.lease("c", never) as mine:
        assert mine is not None
    assert row_of(database).note == ""


def test_of_many_who_want_it_one_gets_it(database: Database) -> None:
    got: list[str] = []
    release = threading.Event()
    tried = threading.Barrier(7)

    def want(holder: Leaseholder) -> None:
        with holder.lease("c", never) as mine:
            if mine is not None:
                got.append(holder.name)
            tried.wait(PATIENCE)
            release.wait(PATIENCE)

    threads = [
        threading.Thread(target=want, args=(Leaseholder(database, utc_now, SECONDS),)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    tried.wait(PATIENCE)
    assert got == [row_of(database).holder]
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert row_of(database).number == 1
