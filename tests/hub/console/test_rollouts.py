"""Roll-outs in a real browser: begun, held, and taken back in few clicks; and what robots say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import Browser, expect

from hub.access.principal import THE_HUB, Principal
from hub.storage.tables.robots import InterestRow
from hub.storage.tables.rollouts import ReportRow
from hub.storage.tables.skills import ChannelRow, VersionRow
from skills.messages.lists import RolloutQuery
from skills.messages.reports import Report
from skills.messages.robots import Refusal
from skills.messages.rollouts import UNENDED, RolloutOrder, RolloutRequest, RolloutView
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.console.house import OLGA, House, house_in
from tests.hub.console.test_start import COUNT, clicks
from tests.hub.rollouts.halls import tally

expect.set_options(timeout=TIMEOUT_MS)
MOST_CLICKS = 4
HOSTILE = '<img src=x onerror="document.title=1">'
ROBOTS = 30
ABORT = RolloutOrder(order="abort", reason="enough")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """v1 is stable, v2 was measured; robots ask for both, and the first says that it uses v2."""
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        publish_file(found.services, tiny_skill(seed=1).to_bytes(), OLGA)
        with found.services.storage.database.write() as session:
            session.add(ChannelRow(skill="reach", name="stable", number=1, counter=1, lowest=1))
        publish_file(found.services, tiny_skill(version=2, seed=2).to_bytes(), OLGA)
        ids = [found.robot(f"cell-{n:02}", "panda" if n % 3 else "ur5e") for n in range(ROBOTS)]
        claims(found, ids)
        said = Refusal(skill="reach", version=2, code="worse", reason=f"0.4 here. {HOSTILE}")
        found.services.robots.refusals.hear(said.model_dump_json(), Principal(ids[0], "robot", "guild"))
        yield found


def claims(house: House, ids: Sequence[str]) -> None:
    with house.services.storage.database.write() as session:
        for number in (1, 2):
            row = session.get_one(VersionRow, ("reach", number))
            view = {"score": 0.9, "low": 0.85, "high": 0.95, "episodes": 300}
            row.score = view
            row.gate = {"passed": True, "reason": "So it is.", "candidate": view, "seconds": 1}
        for place, robot in enumerate(ids):
            session.add(InterestRow(robot_id=robot, skill="reach", asked_at=house.clock()))
            version = 1 if place else 2
            said = Report(
                skill="reach",
                version=version,
                since=house.clock(),
                tallies=(tally(version, "1110" if place else "10"),),
            )
            session.add(
                ReportRow(
                    robot_id=robot,
                    skill="reach",
                    version=version,
                    said=said.model_dump(mode="json"),
                    heard_at=house.clock(),
                )
            )


@pytest.fixture(autouse=True)
def none_under_way(house: House) -> Iterator[None]:
    """Whatever becomes of a test, the next one may begin a roll-out."""
    yield
    orders = house.services.rollouts.orders
    for each in orders.rollouts(THE_HUB, RolloutQuery()).items:
        if each.state in UNENDED:
            orders.order(each.rollout_id, ABORT, by=OLGA)


def began(house: House, **more: object) -> str:
    """A roll-out that robots have something of."""
    request = RolloutRequest.model_validate({"skill": "reach", "version": 2, **more})
    return house.services.rollouts.orders.start(request, by=OLGA).rollout_id


def standing(house: House, rollout_id: str) -> RolloutView:
    return house.services.rollouts.orders.rollout(rollout_id, THE_HUB)


def only(house: House) -> RolloutView:
    """The one that is under way."""
    (found,) = house.services.rollouts.orders.rollouts(THE_HUB, RolloutQuery(limit=1)).items
    return found


def test_a_canary_and_its_rollback_take_few_clicks(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/") as page:
        house.sign_in(page)
        page.wait_for_url(f"{house.url}/")
        page.context.add_init_script(COUNT)
        page.reload()
        page.get_by_role("link", name="Roll-outs").click()
        page.get_by_role("link", name="Roll out").click()
        page.get_by_label("Jobs at least").first.fill("7")
        page.get_by_label("Then ask a person").nth(1).check()
        page.evaluate("sessionStorage.clicks = sessionStorage.clicks - 1")  # that was no part of the way
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url("**/rollouts/o-*")
        expect(page.get_by_role("article")).to_have_count(3)
        page.get_by_label("Why, for the record").fill("Seams on cell 7 are too wide.")
        page.get_by_role("button", name="Roll back").click()
        expect(page.get_by_text("Seams on cell 7 are too wide.").first).to_be_visible()
        expect(page.get_by_role("button", name="Roll back")).to_be_hidden()
        assert clicks(page) <= MOST_CLICKS
    found = standing(house, only(house).rollout_id)
    assert (found.state, found.reason) == ("aborted", "Seams on cell 7 are too wide.")
    assert [ring.plan.least_jobs for ring in found.rings] == [7, 50, 50]
    assert [ring.plan.approval for ring in found.rings] == [False, True, False]


def test_a_rollout_is_paused_and_goes_on(house: House, browser: Browser) -> None:
    rollout = began(house)
    with looking_at(browser, f"{house.url}/rollouts/{rollout}") as page:
        house.sign_in(page)
        page.wait_for_url(f"{house.url}/rollouts/{rollout}")
        page.get_by_role("link", name="Zunft").click()
        under_way = page.get_by_role("table", name="Roll-outs under way")
        expect(under_way.get_by_role("row").nth(1)).to_contain_text("1 of 3")
        under_way.get_by_role("link", name="reach v2").click()
        badge = page.locator(".titled > .badge").first
        content, dialog = page.locator("#content"), page.get_by_role("dialog")
        for button, said in (("Pause", "paused"), ("Resume", "running")):
            content.get_by_role("button", name=button).click()
            dialog.get_by_role("button", name=button).click()
            expect(badge).to_have_text(said)
            page.get_by_role("link", name="Zunft").click()
            expect(under_way).to_be_visible()
            needed = page.locator(".needs").get_by_role("link", name="The roll-out of reach is paused.")
            expect(needed).to_have_count(int(said == "paused"))
            under_way.get_by_role("link", name="reach v2").click()
        content.get_by_label("Why").fill("enough")
        content.get_by_role("button", name="Roll back").click()
        expect(badge).to_have_text("rolled back")
        events = [each.event for each in standing(house, rollout).steps]
        assert events[-3:] == ["paused", "resumed", "aborted"]


def test_rings_show_the_robots_in_them_and_what_these_say(house: House, browser: Browser) -> None:
    rollout = began(house, rings=[{"embodiments": ["ur5e"]}, {}])
    assert [ring.robots for ring in standing(house, rollout).rings] == [10, 20]
    with looking_at(browser, f"{house.url}/rollouts/{rollout}") as page:
        house.sign_in(page)
        ring = page.get_by_role("article").first
        expect(ring).to_contain_text("All ur5e robots: 10 robots")
        expect(ring.get_by_role("row").nth(1)).to_contain_text("1 of 10")
        page.get_by_role("link", name="ring 2").click()
        robots = page.get_by_role("table", name="Robots that ask for the skill").get_by_role("row")
        expect(robots).to_have_count(1 + 20)
        expect(robots.nth(1)).to_contain_text("3 done, 1 failed (75.0 %)")
        page.get_by_role("link", name="ring 1").click()
        expect(robots).to_have_count(1 + 10)
        expect(robots.nth(1)).to_contain_text(HOSTILE)
        assert page.locator("img").count() == 0


def test_the_version_in_use_is_said_of_a_robot_and_of_a_skill(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        house.sign_in(page)
        used = page.get_by_role("table", name="Versions in use").get_by_role("row")
        expect(used.nth(1)).to_contain_text("v21111")  # one robot, which should use another; one job of two
        expect(used.nth(2)).to_contain_text("75.0 %")
        used.nth(1).get_by_role("link").click()
        robots = page.get_by_role("table", name="Robots that ask for the skill").get_by_role("row")
        expect(robots).to_have_count(1 + 1)
        expect(robots.nth(1)).to_contain_text("should use v1")
        page.locator("select[name=drifts]").select_option("true")
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_role("link", name="cell-00").click()
        uses = page.get_by_role("table", name="Skills that it asks for").get_by_role("row").nth(1)
        for words in ("v2", "should use v1", "1 done, 1 failed (50.0 %)"):
            expect(uses).to_contain_text(words)
        page.goto(f"{house.url}/robots")
        row = page.get_by_role("row").nth(1)
        for words in ("reach v2", "should use v1", "1 done, 1 failed (50.0 %)"):
            expect(row).to_contain_text(words)


def test_who_may_not_act_finds_no_button_and_strangers_sign_in(house: House, browser: Browser) -> None:
    rollout = began(house)
    with looking_at(browser, f"{house.url}/rollouts/{rollout}", width=390) as page:
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        house.sign_in(page, "researcher")
        expect(page.get_by_role("article")).to_have_count(3)
        for name in ("Pause", "Roll back"):
            assert page.get_by_role("button", name=name).count() == 0
        assert page.get_by_text("cell-0").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.goto(f"{house.url}/skills/reach/rollout?version=2")
        expect(page.get_by_text("Operators of its organisation do this.")).to_be_visible()
        page.goto(f"{house.url}/skills/reach/robots")
        expect(page.get_by_role("heading", name="Not available")).to_be_visible()
        page.goto(f"{house.url}/skills/reach")
        expect(page.get_by_role("heading", name="Versions", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="Adoption")).to_be_hidden()
        page.goto(f"{house.url}/rollouts")
        expect(page.get_by_text("1 version on the way to robots")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
