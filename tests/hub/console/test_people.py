"""People, the audit log and missing pages in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from hub.access.principal import THE_HUB
from skills.messages.organisations import OrganisationRequest
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.console.house import House, house_in

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        found.services.organisations.registry.create(OrganisationRequest(name="South"), by=THE_HUB)
        found.token("operator", "South")
        yield found


def test_an_operator_invites_a_colleague_by_a_link_that_signs_in(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/people") as page:
        house.sign_in(page)
        page.locator("form[data-does=act]").get_by_label("Name").fill("rita")
        page.get_by_role("button", name="Invite", exact=True).click()
        invitation = page.locator("[data-told] code").inner_text()
        expect(page.get_by_role("row").filter(has_text="rita")).to_contain_text("researcher")
        assert page.get_by_role("row").filter(has_text="South").count() == 0
    with looking_at(browser, invitation) as page:
        expect(page.get_by_label("Your token")).not_to_have_value("")
        assert "#" not in page.url
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{house.url}/")
        expect(page.get_by_text("rita")).to_be_visible()
        assert page.get_by_role("link", name="People").count() == 0


def test_a_token_to_join_is_drawn_told_and_taken_back(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/robots/join") as page:
        house.sign_in(page)
        page.get_by_label("How many robots").fill("2")
        page.get_by_role("button", name="Make tokens").click()
        expect(page.locator("[data-told] code")).to_have_count(2)
        code = page.get_by_role("img", name="QR code of the line")
        expect(code).to_have_count(2)
        assert code.first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        page.get_by_role("link", name="Tokens that are still good").click()
        rows = page.get_by_role("table", name="Tokens, the first to end first").locator("tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("1 of 1")
        rows.first.get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(rows).to_have_count(1)


def test_the_audit_log_says_who_did_what_and_whether_it_holds(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/audit?action=user.created") as page:
        house.sign_in(page, "admin")
        expect(page.get_by_role("row").nth(1)).to_contain_text("user.created")
        page.get_by_label("To what").fill("rita")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url("**subject=rita*")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("link", name="Follow it from its first entry").click()
        expect(page.get_by_text("entries hold, up to")).to_be_visible()


def test_an_operator_is_told_that_the_log_is_for_admins(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/audit") as page:
        house.sign_in(page)
        expect(page.get_by_text("This needs the role admin")).to_be_visible()


def test_where_there_is_no_page_one_is_told_so(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/nowhere/at/all") as page:
        expect(page.get_by_role("heading", name="Nothing here under this name")).to_be_visible()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        answer = page.request.get(f"{house.url}/nowhere", headers={"Accept": "application/json"})
        assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/people", "/audit", "/nowhere"])
def test_the_pages_fit_a_phone(house: House, browser: Browser, path: str) -> None:
    with looking_at(browser, f"{house.url}/login?next={path}", width=390) as page:
        house.sign_in(page, "admin")
        page.wait_for_url(f"{house.url}{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
