"""Recorded episodes in a real browser: played, scrubbed, and of two versions side by side in few clicks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.conftest import publish_file
from tests.hub.console.house import OLGA, House, house_in
from tests.hub.console.test_start import COUNT, clicks
from tests.hub.workers.test_gate import weld_skill

expect.set_options(timeout=TIMEOUT_MS)
MOST_CLICKS = 4


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With two versions of which one was recorded."""
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        first = weld_skill(0)
        publish_file(found.services, first.to_bytes(), OLGA)
        second = type(first)(
            first.manifest.model_copy(update={"version": 2, "origin": "upload"}), first.tensors
        )
        publish_file(found.services, second.to_bytes(), OLGA)
        found.services.catalogue.films.make("weld-seam", "1", "ur5e", by=OLGA)
        yield found


def ready(page: Page) -> None:
    page.wait_for_selector("[data-ready]", timeout=TIMEOUT_MS)


def test_the_worst_episodes_of_two_versions_stand_side_by_side_in_few_clicks(
    house: House, browser: Browser
) -> None:
    house.services.catalogue.films.make("weld-seam", "2", "ur5e", by=OLGA)
    with looking_at(browser, f"{house.url}/") as page:
        house.sign_in(page)
        page.wait_for_url(f"{house.url}/")
        page.context.add_init_script(COUNT)
        page.reload()
        page.get_by_role("link", name="Skills", exact=True).click()
        page.get_by_role("link", name="weld-seam").first.click()
        page.get_by_role("link", name="Compare two versions").click()
        page.get_by_role("link", name="Their worst episodes, side by side").click()
        ready(page)
        expect(page.locator("figure canvas")).to_have_count(2)
        assert page.get_by_label("Which job").input_value() == "worst"
        expect(page.locator("figure [data-said]").first).to_contain_text("fails")
        assert clicks(page) <= MOST_CLICKS


def test_an_episode_is_played_scrubbed_and_read_beside_a_controller_s(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/weld-seam/replay?version=1&arm=ur5e") as page:
        house.sign_in(page)
        ready(page)
        expect(page.locator("figure canvas")).to_have_count(2)
        assert page.locator(".traces svg").count() > 4
        assert page.locator(".traces .broken").count() > 0
        page.get_by_role("button", name="Play", exact=True).click()
        expect(page.locator("[data-clock]")).not_to_have_text("0.0 s")
        page.get_by_role("button", name="Pause").click()
        page.get_by_label("Time").fill("1.5")
        expect(page.locator("[data-clock]")).to_have_text("1.5 s")
        page.get_by_label("Which job").select_option("best")
        expect(page.locator("[data-clock]")).to_have_text("0.0 s")
        painted = "c => { const g = c.getContext('webgl2'); return g !== null && c.width > 100 }"
        assert page.locator("figure canvas").first.evaluate(painted)
        assert page.locator(".refusal").first.inner_text() == ""


def test_what_was_not_recorded_is_recorded_by_who_may(house: House, browser: Browser) -> None:
    address = f"{house.url}/skills/weld-seam/replay?version=1&arm=panda"
    with looking_at(browser, address, width=390) as page:
        house.sign_in(page, "researcher")
        expect(page.get_by_role("heading", name="Record it")).to_be_visible()
        assert page.get_by_role("button", name="Record v1").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with looking_at(browser, address, width=390) as page:
        house.sign_in(page)
        page.get_by_role("button", name="Record v1").click()
        ready(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
