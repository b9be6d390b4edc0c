"""Finding a skill among very many, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.lists_filling import Size, fill
from hub.access.principal import Principal
from hub.storage.tables.skills import ChannelRow, VersionRow
from skills.fits import Abilities, Ability
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.console.house import OLGA, House, house_in
from tests.hub.console.test_start import COUNT, clicks

expect.set_options(timeout=TIMEOUT_MS)
MANY = Size(skills=1200, versions=5, rounds=3, robots=40, events=40)
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """1,200 skills, and two that are better or worse than those."""
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        fill(found.services.storage.database, MANY, "sha256:" + "0" * 64)
        edge = tiny_skill(name="press-edge", summary=f"Follow an edge with constant pressure {HOSTILE}")
        for skill, score in ((edge, 0.99), (tiny_skill(name="poor"), 0.01)):
            publish_file(found.services, skill.to_bytes(), OLGA)
            make_stable(found, skill.manifest.name, score)
        yield found


def make_stable(house: House, skill: str, score: float) -> None:
    """As if it had been measured so."""
    view = {"score": score, "low": max(score - 0.01, 0), "high": min(score + 0.01, 1), "episodes": 300}
    with house.services.storage.database.write() as session:
        version = session.get_one(VersionRow, (skill, 1))
        version.score = view
        version.gate = {
            "passed": True,
            "reason": "",
            "seconds": 1,
            "candidate": view,
            "by_embodiment": {"gofa-5": view},
        }
        if session.get(ChannelRow, (skill, "stable")) is None:
            session.add(ChannelRow(skill=skill, name="stable", number=1, counter=1, lowest=0))


def names(page: Page) -> list[str]:
    return page.locator("tbody .name").all_inner_texts()


def test_1200_skills_are_shown_a_page_at_a_time_the_best_first(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills") as page:
        house.sign_in(page, "admin")
        expect(page.locator("tbody tr")).to_have_count(25)
        first = names(page)
        assert first[0] == "press-edge"
        page.get_by_role("link", name="Next page").click()
        page.wait_for_url("**/skills?cursor=*")
        expect(page.locator("tbody tr")).to_have_count(25)
        assert not set(first) & set(names(page))


def test_a_skill_is_found_by_words_in_any_order(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills") as page:
        house.sign_in(page, "admin")
        page.get_by_label("What it should do").fill("Pressure edge")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator("tbody .name")).to_have_text(["press-edge"])
        expect(page.get_by_text("Searched by words")).to_be_visible()
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        assert page.locator("img").count() == 0
        page.get_by_role("link", name="Show all").click()
        expect(page.locator("tbody tr")).to_have_count(25)


def test_where_no_skill_has_all_words_the_nearest_comes_first(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills?text=follow+edges+by+pressing+them+evenly") as page:
        house.sign_in(page, "admin")
        expect(page.locator("tbody .name").first).to_have_text("press-edge")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("embodiment=gofa-5", ["press-edge", "poor"]),
        ("embodiment=gofa-5&lowest_score=0.5", ["press-edge"]),
        ("task=reach&channel=stable&sort=name", ["poor", "press-edge"]),
        ("organisation=guild&text=poor", ["poor"]),
    ],
)
def test_facets_narrow_the_list(house: House, browser: Browser, asked: str, found: list[str]) -> None:
    with looking_at(browser, f"{house.url}/skills?{asked}") as page:
        house.sign_in(page, "admin")
        expect(page.locator("tbody .name")).to_have_text(found)


def test_what_a_filter_cannot_be_is_said(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills?lowest_score=2") as page:
        house.sign_in(page, "admin")
        expect(page.get_by_text("This list has no such lowest_score.")).to_be_visible()


def test_a_skill_that_fits_a_robot_and_is_good_on_it_is_found_in_few_clicks(
    house: House, browser: Browser
) -> None:
    robot = house.robot("the cell", "gofa-5")
    contract = tiny_skill().manifest.contract
    said = Abilities(abilities=(Ability(task="reach", contract=contract),))
    house.services.robots.fits.tell(said, Principal(robot, "robot", "guild"))
    with looking_at(browser, house.url) as page:
        house.sign_in(page)
        page.wait_for_url(f"{house.url}/")
        page.context.add_init_script(COUNT)
        page.reload()
        page.get_by_role("link", name="Robots", exact=True).click()
        row = page.get_by_role("row").filter(has_text="the cell")
        row.get_by_role("link", name="Skills").click()
        expect(page.locator("tbody .name")).to_have_text(["press-edge", "poor"])
        expect(page.locator("tbody tr").first).to_contain_text("99.0 %")
        assert clicks(page) <= 2
        page.goto(f"{house.url}/robots/{robot}")
        page.get_by_role("link", name="Skills that fit it").click()
        expect(page.locator("tbody .name").first).to_have_text("press-edge")
        expect(page.get_by_label("Fits robot")).to_have_value(robot)
