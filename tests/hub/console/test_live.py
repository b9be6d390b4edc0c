"""How pages stay up to date: one look for all, anew after an event; what takes long is waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from hub.storage.record import record
from skills.errors import ArtefactError, UnauthorizedError
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.eventually import eventually
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.console.house import OLGA, House, house_in

expect.set_options(timeout=TIMEOUT_MS)
WAITS = "This hub is reading what belongs here."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    chromium()
    with house_in(tmp_path_factory.mktemp("hub"), public_catalogue=True) as found:
        yield found


class Held:
    """A read that waits until it may go on, and counts how often it was asked."""

    def __init__(self, read: Any) -> None:
        self._read = read
        self.go_on = threading.Event()
        self.asked = 0
        self.error: Exception | None = None

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.asked += 1
        assert self.go_on.wait(TIMEOUT_MS / 1000)
        if self.error:
            raise self.error
        return self._read(*given, **more)


@pytest.fixture
def held(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """How the list of skills is read."""
    skills = house.services.catalogue.skills
    found = Held(partial(type(skills).skills, skills))
    monkeypatch.setattr(type(skills), "skills", lambda _self, *given: found(*given))
    yield found
    found.go_on.set()


def test_what_takes_long_to_read_is_waited_for_on_the_page(
    house: House, browser: Browser, held: Held
) -> None:
    with looking_at(browser, f"{house.url}/skills") as page:
        expect(page.get_by_role("status")).to_have_text(WAITS)
        expect(page).to_have_title("One moment \u00b7 Zunft")
        held.go_on.set()
        expect(page.get_by_role("heading", level=1)).to_have_text("Skills")
        expect(page.get_by_text(WAITS)).to_have_count(0)
        expect(page.get_by_role("navigation", name="Main")).to_have_count(1)
        expect(page).to_have_title("Skills \u00b7 Zunft")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ArtefactError("the disk is full.", remedy="Make room."), "The disk is full. Make room."),
        (RuntimeError("a fault"), "This page failed"),
        (UnauthorizedError("this hub shows its skills to those it knows."), "Sign in"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_takes_long_and_fails_is_told_on_the_page(
    house: House, browser: Browser, held: Held, error: Exception, said: str
) -> None:
    with looking_at(browser, f"{house.url}/skills") as page:
        expect(page.get_by_role("status")).to_have_text(WAITS)
        held.error = error
        held.go_on.set()
        expect(page.locator("#content")).to_contain_text(said)
        expect(page.get_by_text(WAITS)).to_have_count(0)


def test_all_who_look_see_what_happened_by_one_look_for_all(
    house: House, browser: Browser, held: Held
) -> None:
    held.go_on.set()
    with ExitStack() as stack:
        pages = [stack.enter_context(looking_at(browser, f"{house.url}/skills")) for _ in range(3)]
        for page in pages:
            expect(page.get_by_role("heading", level=1)).to_have_text("Skills")
        assert held.asked >= len(pages)  # who opens a page sees what is so now
        held.go_on.clear()  # from now on a look lasts until all have asked
        publish_file(house.services, tiny_skill().to_bytes(), OLGA)
        before = held.asked
        eventually(lambda: held.asked > before, "a look after the event")
        with house.services.storage.database.write() as session:
            record(session, "round.failed", house.clock(), skill="reach", number=1)
        held.go_on.set()
        for page in pages:
            expect(page.get_by_role("link", name="reach").first).to_be_visible()
