"""The first page in a real browser: from an empty hub to a running campaign, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.access.principal import THE_HUB
from hub.storage.record import record
from hub.storage.tables.robots import RobotRow
from skills.messages.lists import CampaignQuery
from skills.messages.organisations import OrganisationSettings, Quotas
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.console.house import OLGA, house_in

expect.set_options(timeout=TIMEOUT_MS)
MOST_CLICKS = 6
COUNT = (
    "document.addEventListener('click', "
    "() => { sessionStorage.clicks = +(sessionStorage.clicks || 0) + 1 }, true)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


def clicks(page: Page) -> int:
    return int(page.evaluate("sessionStorage.clicks || 0"))


def test_a_new_operator_gets_from_nothing_to_a_running_campaign_in_few_clicks(
    browser: Browser, tmp_path: Path
) -> None:
    chromium()
    with house_in(tmp_path) as house, looking_at(browser, f"{house.url}/") as page:
        page.context.add_init_script(COUNT)
        page.reload()
        house.sign_in(page)
        page.get_by_label("Task").select_option("weld-seam")
        with page.expect_navigation():  # it comes back to this page; a click meanwhile would be lost
            page.get_by_role("button", name="Begin").click()
        page.get_by_role("link", name="Make tokens").click()
        page.get_by_role("button", name="Make tokens").click()
        expect(page.locator("[data-told] code")).to_contain_text("zunft robot join")
        page.get_by_role("link", name="Zunft").click()
        page.get_by_role("button", name="Start for weld-seam").click()
        page.wait_for_url("**/campaigns/c-*")
        expect(page.get_by_role("heading", name="Campaign for weld-seam")).to_be_visible()
        assert clicks(page) <= MOST_CLICKS
        (campaign,) = house.services.rounds.campaigns.campaigns(THE_HUB, CampaignQuery()).items
        assert (campaign.state, campaign.order.rounds) == ("running", 12)
        page.goto(f"{house.url}/")
        expect(page.get_by_role("article")).to_contain_text("weld-seam")
        expect(page.get_by_role("list", name="First steps")).to_be_hidden()


def test_what_needs_a_person_is_named_until_it_is_put_right(browser: Browser, tmp_path: Path) -> None:
    chromium()
    with house_in(tmp_path) as house:
        hub = house.services
        publish_file(hub, tiny_skill().to_bytes(), OLGA)
        robot = house.robot("cell-1")
        quotas = OrganisationSettings(visibility="guild", quotas=Quotas(robots=1))
        hub.organisations.registry.change("guild", quotas, by=THE_HUB)
        with hub.storage.database.write() as session:
            session.get_one(RobotRow, robot).lost_at = house.clock()
            session.get_one(RobotRow, robot).last_seen_at = house.clock()
            why = "It is worse on ur5e."
            record(session, "round.rejected", house.clock(), skill="reach", number=3, reason=why)
        with looking_at(browser, f"{house.url}/") as page:
            house.sign_in(page)
            for words in (
                "The newest candidate of reach was rejected.",
                "It is worse on ur5e.",
                "1 of your robots are missed.",
                "robots: 1 of 1",
            ):
                expect(page.locator(".needs").get_by_text(words)).to_be_visible()
            with hub.storage.database.write() as session:
                record(session, "version.published", house.clock(), skill="reach", version=2)
            expect(page.locator(".needs").get_by_text("was rejected")).to_have_count(0)
            page.get_by_role("link", name="1 of your robots are missed.").click()
            expect(page.get_by_role("link", name="cell-1")).to_be_visible()


def test_a_researcher_is_told_what_happens_and_not_what_is_not_theirs(
    browser: Browser, tmp_path: Path
) -> None:
    chromium()
    with house_in(tmp_path) as house:
        publish_file(house.services, tiny_skill().to_bytes(), OLGA)
        house.robot("cell-1")
        with looking_at(browser, f"{house.url}/", width=390) as page:
            house.sign_in(page, "researcher")
            expect(page.get_by_text("v1 of reach became candidate")).to_be_visible()
            assert page.get_by_text("A robot joined").count() == 0
            assert page.get_by_role("list", name="First steps").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
