"""The fleet in a real browser: who is where, how robots are let in, and how one is forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from hub.access.principal import Principal
from hub.storage.tables.robots import RobotRow
from skills.messages.lists import RobotQuery
from skills.messages.robots import EnrolmentRequest, Refusal
from skills.signing import SigningKey
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.console.house import OLGA, House, house_in
from zunft.cli import app

expect.set_options(timeout=TIMEOUT_MS)
HOSTILE = '<img src=x onerror="document.title=1">'
FLEET = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With a fleet of which one robot is online, one is lost, and one refuses a version."""
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        ids = [found.robot(f"cell-{n:02}", "panda" if n % 2 else "ur5e") for n in range(FLEET)]
        with found.services.storage.database.write() as session:
            for place, is_lost in ((0, False), (1, True)):
                row = session.get_one(RobotRow, ids[place])
                row.last_seen_at = found.clock()
                row.lost_at = found.clock() if is_lost else None
        said = Refusal(skill="reach", version=2, code="worse", reason=f"0.4 here. {HOSTILE}")
        found.services.robots.refusals.hear(said.model_dump_json(), Principal(ids[0], "robot", "guild"))
        yield found


def test_the_fleet_is_shown_a_page_at_a_time_and_filtered(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/robots") as page:
        house.sign_in(page)
        page.wait_for_url(f"{house.url}/robots")
        expect(page.get_by_text(f"{FLEET} robots: 1 online, 0 away, 1 lost")).to_be_visible()
        rows = page.get_by_role("table").get_by_role("row")
        expect(rows).to_have_count(1 + 25)
        page.get_by_role("link", name="Next page").click()
        expect(rows.nth(1)).to_contain_text("cell-25")
        page.get_by_role("link", name="Next page").click()
        expect(rows).to_have_count(1 + FLEET - 50)
        expect(page.get_by_role("link", name="Next page")).to_be_hidden()
        page.get_by_role("link", name="First page").click()
        page.get_by_role("link", name="lost 1").click()
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("cell-01")
        page.goto(f"{house.url}/robots")
        page.get_by_label("Arm").fill("panda")
        page.get_by_label("Name or id").fill("cell-1")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(rows).to_have_count(1 + 5)
        page.goto(f"{house.url}/robots?embodiment=NO")
        expect(page.get_by_text("This list has no such embodiment.")).to_be_visible()


def test_a_robot_s_page_says_what_it_refused_and_what_happened(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/robots?refusing=true") as page:
        house.sign_in(page)
        page.get_by_role("link", name="cell-00").click()
        expect(page.get_by_role("heading", name="cell-00")).to_be_visible()
        expect(page.get_by_text("reach v2, worse in its own twin")).to_be_visible()
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.locator("img").count() == 0
        expect(page.get_by_text("A robot joined (ur5e)")).to_be_visible()


def test_a_robot_is_let_in_from_here_and_its_token_is_in_no_page(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/robots") as page:
        house.sign_in(page)
        page.get_by_role("link", name="Let robots in").click()
        page.get_by_label("How many robots").fill("2")
        page.get_by_label("Their name").fill("welder")
        page.get_by_role("button", name="Make tokens").click()
        lines = page.locator("[data-told] code")
        expect(lines).to_have_count(2)
        line = lines.nth(1).inner_text()
        expect(page.get_by_role("button", name=f"Copy: {line}")).to_be_visible()
        assert CliRunner().invoke(app, [*line.split()[1:], "--help"]).exit_code == 0
        found = re.search(r"--token (\S+) --name (\S+) --embodiment (\S+)", line)
        assert found is not None
        token, name, arm = found.groups()
        assert (name, arm) == ("welder-2", "ur5e")
        key = SigningKey.generate().public.text
        asked = EnrolmentRequest(token=token, name=name, embodiment=arm, public_key=key)
        house.services.robots.enrolment.enrol(asked)
        page.reload()
        expect(page.get_by_role("heading", name="Let robots in")).to_be_visible()
        assert token not in page.content()


def test_a_robot_is_forgotten_by_typing_its_name(house: House, browser: Browser) -> None:
    robot = house.robot("to-forget")
    with looking_at(browser, f"{house.url}/robots/{robot}") as page:
        house.sign_in(page)
        forget = page.locator("#content").get_by_role("button", name="Forget robot")
        forget.click()
        dialog = page.get_by_role("dialog")
        yes = dialog.get_by_role("button", name="Forget robot")
        expect(yes).to_be_disabled()
        dialog.get_by_label("Type to-forget").fill("to-forge")
        expect(yes).to_be_disabled()
        dialog.get_by_label("Type to-forget").fill("to-forget")
        yes.click()
        expect(page.get_by_text("done: 0 deltas deleted")).to_be_visible()
        expect(forget).to_be_hidden()
    named = house.services.robots.roster.robots(OLGA, RobotQuery(text=robot)).items
    assert named == ()


def test_researchers_are_told_that_robots_are_not_theirs_to_see(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/tasks") as page:
        house.sign_in(page, "researcher")
        expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
        assert page.get_by_role("link", name="Robots").count() == 0
        page.wait_for_url("**/tasks")
        for path in ("/robots", "/robots/join", "/robots/r-1"):
            answer = page.goto(house.url + path)
            assert answer is not None
            assert answer.status == 403


@pytest.mark.parametrize("path", ["/robots", "/robots/join"])
def test_the_pages_fit_a_phone(house: House, browser: Browser, path: str) -> None:
    with looking_at(browser, house.url + path, width=390) as page:
        house.sign_in(page)
        page.wait_for_url(house.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
