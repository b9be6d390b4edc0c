"""Lists a page at a time: nothing twice, nothing left out, nothing unseen, and no more work for more rows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, Self

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Engine

from benchmarks.lists import ADMIN, LISTS, OPERATOR, RESEARCHER
from benchmarks.lists_filling import TASK, Size, fill
from hub.access.principal import Principal
from hub.services import Services, open_services
from hub.settings import Settings
from hub.storage.paging import CursorError, Order, page_of
from hub.storage.tables.skills import SkillRow
from skills.messages.lists import (
    BoardQuery,
    CampaignQuery,
    EventQuery,
    ListQuery,
    Page,
    RoundQuery,
    SkillQuery,
)
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.hub.servers import postgres

SIZE = Size(skills=120, versions=40, rounds=30, robots=300, events=4000)
BIG = {"versions", "rounds", "deltas", "events", "audit", "scores", "robots"}
"""Tables that grow for as long as a hub runs."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        yield from _filled(Settings(data_dir=folder))
        return
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield from _filled(Settings(data_dir=folder, database_url=url))


def _filled(settings: Settings) -> Iterator[Services]:
    services = open_services(settings)
    digest = services.leaderboards.boards.board(TASK, ADMIN, BoardQuery(), hub="").task_digest
    fill(services.storage.database, SIZE, digest)
    yield services
    services.close()


class Watch:
    """Statements that a hub's database was asked, each with what was filled in."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def __enter__(self) -> Self:
        event.listen(Engine, "before_cursor_execute", self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._hear)

    def _hear(self, _c: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.lstrip().startswith("SELECT"):
            self.said.append((statement, values))


@pytest.mark.parametrize("name", LISTS)
def test_more_entries_take_no_more_statements(hub: Services, name: str) -> None:
    counts = []
    for limit in (2, 50):
        with Watch() as watch:
            LISTS[name](hub, OPERATOR, limit)
        counts.append(len(watch.said))
    assert counts[0] == counts[1] <= 12, name


@pytest.mark.parametrize("viewer", [ADMIN, OPERATOR, RESEARCHER], ids=lambda viewer: viewer.role)
@pytest.mark.parametrize("name", LISTS)
def test_the_first_page_reads_no_table_that_grows_from_end_to_end(
    hub: Services, name: str, viewer: Principal
) -> None:
    with Watch() as watch:
        LISTS[name](hub, viewer, 20)
    for statement, values in watch.said:
        assert not _scanned(hub, statement, values) & BIG, statement


def _scanned(hub: Services, statement: str, values: Any) -> set[str]:
    """Tables that the database would read whole, without an index."""
    with hub.storage.database.read() as session:
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            said = [line for *_, line in plan]
            if not any("TEMP B-TREE FOR ORDER BY" in line for line in said):  # by its number: no scan
                said = [line for line in said if line != "SCAN events"]
            scans = [line for line in said if re.match(r"SCAN (?!.*USING)", line)]
            return {re.split(r"[ _]\d*$", line.split()[1])[0] for line in scans}
        # So few rows are soonest read whole: whether an index could serve is what can be seen here.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalars()
    return set(_sequential(plan[0]["Plan"]))


def _sequential(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _sequential(child)


@pytest.mark.parametrize("name", LISTS)
def test_pages_hold_each_entry_once(hub: Services, name: str) -> None:
    if name == "leaderboard":
        pytest.skip("its page has more to it, see below")
    whole: Any = LISTS[name](hub, OPERATOR, 200)
    keys = [json.dumps(each.model_dump(mode="json")) for each in whole.items]
    assert len(keys) == len(set(keys)) > 0


def test_pages_go_on_where_the_last_one_ended_whatever_was_added(hall: Hall) -> None:
    for name in ("b", "d", "f"):
        ok(hall.publish(tiny_skill(name=f"skill-{name}")))
    first = hall.services.catalogue.skills.skills(ADMIN, SkillQuery(limit=2))
    assert [each.name for each in first.items] == ["skill-b", "skill-d"]
    for name in ("a", "c", "e"):
        ok(hall.publish(tiny_skill(name=f"skill-{name}", seed=1)))
    assert first.next is not None
    second = hall.services.catalogue.skills.skills(ADMIN, SkillQuery(limit=2, cursor=first.next))
    assert ([each.name for each in second.items], second.next) == (["skill-e", "skill-f"], None)


def test_both_directions_and_a_board_show_everything_once(hub: Services) -> None:
    for sort in ("name", "updated"):
        names = [
            each.name for each in _all(hub.catalogue.skills.skills, ADMIN, SkillQuery(limit=7, sort=sort))
        ]
        assert (len(names), len(set(names))) == (SIZE.skills, SIZE.skills)
    numbers = [
        each.number for each in _all(hub.rounds.campaigns.rounds, "c-10033", ADMIN, RoundQuery(limit=3))
    ]
    assert numbers == sorted(numbers, reverse=True) == list(range(SIZE.rounds // 3, 0, -1))
    query, shown = BoardQuery(limit=50), []
    while True:
        board = hub.leaderboards.boards.board(TASK, ADMIN, query, hub="")
        shown += [(entry.skill, entry.version) for entry in board.entries]
        if board.next is None:
            break
        query = query.model_copy(update={"cursor": board.next})
    assert shown == sorted(shown)
    assert {version for _, version in shown} == {SIZE.versions - 1}
    assert len(shown) == SIZE.skills


def _all(ask: Any, *args: Any) -> list[Any]:
    *args_, query = args
    found: list[Any] = []
    while True:
        page: Page[Any] = ask(*args_, query)
        found += page.items
        if page.next is None:
            return found
        query = query.model_copy(update={"cursor": page.next})


def test_a_cursor_shows_nothing_that_its_bearer_does_not_see(hub: Services) -> None:
    """An admin's cursor in a stranger's hand, and one that was made up."""
    admins = hub.catalogue.skills.skills(ADMIN, SkillQuery(limit=10)).next
    made_up = _cursor(["skills.name", "skill-1010"])
    whole = [each.name for each in _all(hub.catalogue.skills.skills, None, SkillQuery(limit=200))]
    for cursor in (admins, made_up):
        assert cursor == made_up
        page = hub.catalogue.skills.skills(None, SkillQuery(limit=5, cursor=cursor or ""))
        assert [each.name for each in page.items] == [name for name in whole if name > "skill-1010"][:5]
    hidden = hub.catalogue.skills.skills(ADMIN, SkillQuery(limit=1)).items[0].name
    assert hidden not in whole
    for skill, shown in ((hidden, False), (whole[0], True)):
        assert bool(hub.events.log.past(None, EventQuery(skill=skill)).items) == shown
        assert bool(hub.rounds.campaigns.campaigns(None, CampaignQuery(skill=skill)).items) == shown


def _cursor(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "!",
        _cursor("skills.name"),
        _cursor(["skills.name"]),
        _cursor(["skills.name", 7]),
        _cursor(["skills.name", "a", "b"]),
        _cursor(["skills.name", "a\x00b"]),
        _cursor(["skills.name", "\ud800"]),
        _cursor(["skills.updated", "2026-01-01T00:00:00+00:00", "a"]),
        _cursor([["skills.name"]] * 100),
    ],
)
def test_a_cursor_that_is_none_is_refused_with_a_remedy(hub: Services, cursor: str) -> None:
    with pytest.raises(CursorError, match="not one of this list") as refusal:
        hub.catalogue.skills.skills(ADMIN, SkillQuery.model_construct(cursor=cursor, limit=5, sort="name"))
    assert "begin without one" in refusal.value.remedy


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "soon"])
def test_a_moment_beyond_all_time_is_refused(hub: Services, moment: str) -> None:
    with pytest.raises(CursorError):
        hub.catalogue.skills.skills(
            ADMIN, SkillQuery(sort="updated", cursor=_cursor(["skills.updated", moment, "a"]))
        )


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 1.5, True, None, "1"])
def test_a_number_that_no_row_has_is_refused(hub: Services, number: object) -> None:
    with pytest.raises(CursorError):
        hub.events.log.past(ADMIN, EventQuery(cursor=_cursor(["events", number])))


def test_filters_show_what_was_asked_for(hub: Services) -> None:
    def names(**filters: Any) -> set[str]:
        return {
            each.name for each in _all(hub.catalogue.skills.skills, ADMIN, SkillQuery(limit=200, **filters))
        }

    everything = names()
    assert names(text="SKILL-1007") == {"skill-1007"}
    assert names(text="%") == names(text="_") == set()
    assert names(task=TASK) == names(channel="stable") == names(embodiment="ur5e") == everything
    assert names(task="reach") == names(embodiment="iiwa") == names(lowest_score=0.76) == set()
    assert names(lowest_score=0.75) == everything
    assert len(names(organisation="North")) == SIZE.skills // 2


def test_a_list_of_campaigns_has_the_last_round_of_each_alone_and_its_view_all(
    hub: Services,
) -> None:
    for campaign in hub.rounds.campaigns.campaigns(ADMIN, CampaignQuery(limit=5)).items:
        assert [each.number for each in campaign.rounds] == [SIZE.rounds // 3]
        alone = hub.rounds.campaigns.campaign(campaign.campaign_id, ADMIN)
        assert [each.number for each in alone.rounds] == list(range(1, SIZE.rounds // 3 + 1))
        assert alone.rounds[-1] == campaign.rounds[-1]
        assert alone.waiting_for == campaign.waiting_for


def test_pages_travel_over_http_and_a_misspelt_filter_is_an_error(hall: Hall) -> None:
    for name in ("one", "two", "three"):
        ok(hall.publish(tiny_skill(name=name)))
    first = ok(hall.client.get("/api/v1/skills", params={"limit": 2})).json()
    rest = ok(hall.client.get("/api/v1/skills", params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["name"] for page in (first, rest) for each in page["items"]] == ["one", "three", "two"]
    assert rest["next"] is None
    for query in ({"taks": "reach"}, {"limit": 0}, {"limit": 201}, {"cursor": "!"}):
        assert hall.client.get("/api/v1/skills", params=query).status_code == 422
    assert hall.error(hall.client.get("/api/v1/skills?cursor=AAAA"), 422)["code"] == "bad_cursor"


def _names(rows: Any) -> list[str]:
    return [row[0].name for row in rows]


def test_rows_that_share_their_first_key_are_told_apart_by_the_last(hall: Hall) -> None:
    """All were changed at the same moment: the clock stands."""
    for name in "abcde":
        ok(hall.publish(tiny_skill(name=f"skill-{name}")))
    order = Order("test", (SkillRow.updated_at, SkillRow.name), descending=True)
    query = ListQuery(limit=2)
    seen: list[str] = []
    with hall.services.storage.database.read() as session:
        while True:
            page = page_of(
                session, select(SkillRow), order, query, lambda rows: (row[0].name for row in rows)
            )
            seen += page.items
            if page.next is None:
                break
            query = ListQuery(limit=2, cursor=page.next)
    assert seen == [f"skill-{name}" for name in "edcba"]
