"""Every page by axe-core, in both looks, both languages, on a desk and on a phone.

Each page is looked at in two of the eight ways, which between them have every look, language and width;
`make accessibility` looks at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.lists_filling import Size, fill
from envs.bundle import bundle_names
from hub.console.reader import COOKIE
from tests.browser import TIMEOUT_MS, chromium, open_browser
from tests.hub.conftest import ADMIN
from tests.hub.console.house import House, house_in

FEW = Size(skills=3, versions=3, rounds=6, robots=6, events=10)
GRAVE = {"serious", "critical"}
TASK = bundle_names()[0]


Look = Literal["light", "dark"]
LOOKS: tuple[Look, ...] = ("light", "dark")


@dataclass(frozen=True)
class Way:
    """How somebody looks at a page."""

    look: Look
    language: str
    width: int

    @property
    def opposite(self) -> Way:
        """Everything the other way round."""
        look: Look = "light" if self.look == "dark" else "dark"
        return Way(look, "de" if self.language == "en" else "en", 390 if self.width == 1440 else 1440)


WAYS = [Way(look, language, width) for look, language, width in product(LOOKS, ("en", "de"), (1440, 390))]
PATHS = (
    "/",
    "/skills",
    "/skills/skill-1001",
    "/skills/skill-1001/compare",
    "/skills/skill-1001/explain",
    "/skills/skill-1001/robots",
    "/skills/skill-1001/replay",
    "/skills/skill-1001/rollout?version=2",
    "/rollouts",
    "/rollouts/o-1003",
    "/campaigns/{campaign}",
    "/robots",
    "/robots/r-1",
    "/robots/join",
    "/tasks",
    "/tasks/task-1",
    f"/tasks/{TASK}/leaderboard",
    "/people",
    "/audit",
    "/skills/nothing",
    "/login",
)


def ways_of(place: int) -> list[Way]:
    """Two that are opposite, another pair for each page; all where that is asked for."""
    if os.environ.get("ZUNFT_ALL_WAYS"):
        return WAYS
    return [WAYS[place % 4], WAYS[place % 4].opposite]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        fill(found.services.storage.database, FEW, "sha256:" + "0" * 64)
        yield found


@pytest.fixture(scope="module")
def contexts(house: House) -> Iterator[dict[Way, BrowserContext]]:
    """A window for each way of looking, signed in."""
    with open_browser() as browser:
        secret, _user = house.services.access.sign_in.with_token(ADMIN)
        yield {way: _context(browser, house, way, secret) for way in WAYS}


def _context(browser: Browser, house: House, way: Way, secret: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": way.width, "height": 900}, color_scheme=way.look)
    context.set_default_timeout(TIMEOUT_MS)
    kept = {COOKIE: way.language, "zunft-session": secret}
    context.add_cookies([{"name": name, "value": value, "url": house.url} for name, value in kept.items()])
    return context


def findings(page: Page) -> list[str]:
    """What axe-core finds grave, and where."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_keeps_nobody_out(house: House, contexts: dict[Way, BrowserContext], path: str) -> None:
    for way in ways_of(PATHS.index(path)):
        page = contexts[way].new_page()
        if path == "/login":
            contexts[way].clear_cookies(name="zunft-session")
        address = path.format(campaign="c-10013")
        page.goto(house.url + address)
        page.wait_for_selector("h1")
        assert urlsplit(page.url).path == urlsplit(address).path
        assert findings(page) == [], way
        assert page.evaluate("document.documentElement.scrollWidth") <= way.width, way
        page.close()
