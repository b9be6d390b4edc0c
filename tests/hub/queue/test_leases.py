"""Leases: the rules under clocks that jump, and rows on both databases that several processes want."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from hub.clock import utc_now
from hub.queue.leased_queue import Held, LeasedQueue, lease_of
from hub.queue.leases import Lease, LeaseLostError, free, held, put_down, renewed, taken
from hub.storage.database import Database
from hub.storage.notify import Bell
from hub.storage.objects import StoreError
from hub.storage.tables.rounds import CampaignRow
from hub.storage.tables.skills import SkillRow
from hub.workers.job import never
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


def test_who_put_a_lease_down_can_neither_renew_it_nor_commit_under_it() -> None:
    mine = taken(Lease("", 0, LONG_AGO, LONG_AGO), "a", NOW, SECONDS)
    assert mine is not None
    down = put_down(mine, NOW)
    assert not held(down, mine)
    assert renewed(down, mine, NOW, SECONDS) is None


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
        session.execute(text("DELETE FROM campaigns"))
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
    yield found
    found.close()


def row_of(database: Database) -> Lease:
    with database.read() as session:
        return lease_of(session.get_one(CampaignRow, "c"))


def let_expire(database: Database) -> None:
    """As if its holder had been silent for long."""
    with database.write() as session:
        session.get_one(CampaignRow, "c").lease_expires_at = LONG_AGO


def holder(
    database: Database, seconds: float = SECONDS, stopping: Callable[[], bool] = never
) -> LeasedQueue[CampaignRow]:
    """One process with the campaigns of a hub."""

    def running(_: Session) -> Select[CampaignRow]:
        return select(CampaignRow).where(CampaignRow.state == "running").order_by(CampaignRow.campaign_id)

    return LeasedQueue(database, CampaignRow, utc_now, seconds, due=running, stopping=stopping)


def rename(held: Held[CampaignRow], reason: str) -> None:
    with held.commit() as session:
        session.get_one(CampaignRow, "c").reason = reason


def reason_of(database: Database) -> str:
    with database.read() as session:
        return session.get_one(CampaignRow, "c").reason


def test_one_process_at_a_time_and_then_the_next(database: Database) -> None:
    one, two = (holder(database) for _ in range(2))
    with one.take() as mine:
        assert mine is not None
        assert row_of(database).holder == one.name
        with two.take() as theirs:
            assert theirs is None
        with one.take() as again:  # nor another thread of the same process
            assert again is None
        rename(mine, "one was here")
        assert row_of(database).holder == ""
    with two.take() as theirs:
        assert theirs is not None
    assert row_of(database).holder == ""
    assert reason_of(database) == "one was here"


def test_who_was_succeeded_commits_nothing(database: Database) -> None:
    one, two = (holder(database) for _ in range(2))
    with one.take() as mine:
        assert mine is not None
        let_expire(database)
        with two.take() as theirs:
            assert theirs is not None
            with pytest.raises(LeaseLostError, match=two.name):
                rename(mine, "one")
            rename(theirs, "two")
        with pytest.raises(LeaseLostError):
            rename(mine, "one")
    assert reason_of(database) == "two"
    assert row_of(database).number == 2


def test_who_was_late_but_not_succeeded_still_commits(database: Database) -> None:
    with holder(database).take() as mine:
        assert mine is not None
        let_expire(database)
        rename(mine, "late")
    assert reason_of(database) == "late"


def test_a_lease_lives_as_long_as_its_holder_works(database: Database) -> None:
    seconds = 1.5
    one, two = (holder(database, seconds) for _ in range(2))
    with one.take() as mine:
        assert mine is not None
        ends = {row_of(database).expires_at}
        while len(ends) < 5:
            with two.take() as theirs:
                assert theirs is None
            ends.add(row_of(database).expires_at)
        assert max(ends) - min(ends) > timedelta(seconds=seconds)
        assert not mine.given_up()


def test_a_heart_that_beats_after_the_commit_leaves_the_lease_to_others(database: Database) -> None:
    """On a busy machine it waits for the very transaction that puts the lease down."""
    with holder(database, 0.03).take() as mine:
        assert mine is not None
        with mine.commit():
            pass
        down = row_of(database)
        eventually(mine.lost.is_set, "a beat of the heart")
    assert row_of(database) == down
    assert down.holder == ""
    assert free(down, down.expires_at, 0.03)


def test_a_holder_notices_that_it_was_succeeded_or_shall_stop(database: Database) -> None:
    stopping = threading.Event()
    one, two = (holder(database, 0.3, stopping.is_set) for _ in range(2))
    with one.take() as mine:
        assert mine is not None
        with database.write() as session:
            row = session.get_one(CampaignRow, "c")
            row.lease_number, row.lease_holder = row.lease_number + 1, two.name
        assert mine.lost.wait(PATIENCE)
        assert mine.given_up()
    assert row_of(database).holder == two.name  # put down is only what is one's own
    let_expire(database)
    with one.take() as mine:
        assert mine is not None
        assert not mine.given_up()
        stopping.set()
        assert mine.given_up()
    with one.take() as mine:
        assert mine is None


def test_a_step_that_has_to_wait_says_why_and_is_left_alone_for_a_while(database: Database) -> None:
    queue = holder(database)
    with queue.take() as mine:
        assert mine is not None
        mine.rest(5, "The store is asleep.")
    found = row_of(database)
    assert (found.holder, found.note) == ("", "The store is asleep.")
    with queue.take() as mine:
        assert mine is None
    let_expire(database)
    with queue.take() as mine:
        assert mine is not None
    assert row_of(database).note == ""


def test_of_many_who_want_it_one_gets_it(database: Database) -> None:
    got: list[str] = []
    release = threading.Event()
    tried = threading.Barrier(7)

    def want(queue: LeasedQueue[CampaignRow]) -> None:
        with queue.take() as mine:
            if mine is not None:
                got.append(queue.name)
            tried.wait(PATIENCE)
            release.wait(PATIENCE)

    threads = [threading.Thread(target=want, args=(holder(database),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    tried.wait(PATIENCE)
    assert got == [row_of(database).holder]
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert row_of(database).number == 1


def add(database: Database, campaign_id: str) -> None:
    with database.write() as session:
        session.add(
            CampaignRow(
                campaign_id=campaign_id,
                skill="reach",
                state="running",
                reason="",
                order={},
                created_at=NOW,
            )
        )


def end(held: Held[CampaignRow]) -> None:
    with held.commit():
        held.row.state = "finished"


def fail(held: Held[CampaignRow], error: Exception) -> None:
    with held.commit():
        held.row.state, held.row.reason = "failed", str(error)


def test_the_next_row_is_taken_while_others_are_held_and_each_is_done_once(database: Database) -> None:
    add(database, "d")
    one, two = (holder(database) for _ in range(2))
    with one.take() as mine, two.take() as theirs, one.take() as nothing:
        assert mine is not None
        assert theirs is not None
        assert (mine.row.campaign_id, theirs.row.campaign_id, nothing) == ("c", "d", None)
    done: list[str] = []

    def work(held: Held[CampaignRow]) -> None:
        done.append(held.row.campaign_id)
        end(held)

    while one.do(work, fail) or two.do(work, fail):
        pass
    assert done == ["c", "d"]


def test_what_cannot_be_done_now_rests_and_holds_up_nothing_behind_it(database: Database) -> None:
    add(database, "d")
    queue = holder(database)

    def work(held: Held[CampaignRow]) -> None:
        if held.row.campaign_id == "c":
            raise StoreError("the store is asleep.")
        end(held)

    while queue.do(work, fail):
        pass
    with database.read() as session:
        states = dict(session.execute(select(CampaignRow.campaign_id, CampaignRow.state)).all())
    assert states == {"c": "running", "d": "finished"}
    assert row_of(database).note == "the store is asleep."


def test_what_fails_is_entered_as_failed_and_a_row_that_goes_is_let_go(database: Database) -> None:
    queue = holder(database)

    def work(_: Held[CampaignRow]) -> None:
        raise ZeroDivisionError("by zero")

    assert queue.do(work, fail)
    assert reason_of(database) == "by zero"
    add(database, "d")

    def remove(held: Held[CampaignRow]) -> None:
        with database.write() as session:
            session.delete(session.get_one(CampaignRow, held.row.campaign_id))
        end(held)

    assert not queue.do(remove, fail)
    assert not queue.do(end, fail)


def test_a_transaction_in_the_middle_of_the_work_keeps_the_lease(database: Database) -> None:
    one, two = (holder(database) for _ in range(2))
    with one.take() as mine:
        assert mine is not None
        with mine.enter():
            mine.row.reason = "half-way"
        with two.take() as theirs:
            assert theirs is None
    assert reason_of(database) == "half-way"
