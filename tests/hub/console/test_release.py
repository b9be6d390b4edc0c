"""Releasing a version in a real browser: no single click makes a rejected one stable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from hub.storage.tables.skills import ChannelRow, VersionRow
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.console.house import OLGA, House, house_in

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """v1 is stable with 90 %; v2 was rejected with 0 %; v3 reached 95 %."""
    chromium()
    with house_in(tmp_path_factory.mktemp("hub")) as found:
        found.gate.scores.update({2: 0.05, 3: 0.95})
        publish_file(found.services, tiny_skill(seed=1).to_bytes(), OLGA)
        with found.services.storage.database.write() as session:
            session.add(ChannelRow(skill="reach", name="stable", number=1, counter=1, lowest=0))
        for number in (2, 3):
            publish_file(found.services, tiny_skill(version=number, seed=number).to_bytes(), OLGA)
        with found.services.storage.database.write() as session:
            for number, score in ((1, 0.9), (2, 0.0), (3, 0.95)):
                view = {"score": score, "low": max(0, score - 0.05), "high": min(1, score + 0.05)}
                view["episodes"] = 300
                row = session.get_one(VersionRow, ("reach", number))
                row.score = view
                row.gate = {"passed": number != 2, "reason": "So it is.", "candidate": view, "seconds": 1}
        yield found


def button_of(page: Page, version: int) -> Locator:
    row = page.get_by_role("row").filter(has=page.get_by_text(f"v{version}", exact=True))
    return row.get_by_role("button", name="Make stable")


def test_a_rejected_version_takes_a_typed_reason_and_is_red(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        house.sign_in(page)
        expect(button_of(page, 3)).not_to_have_class("quiet grave")
        expect(button_of(page, 2)).to_have_class("quiet grave")
        button_of(page, 2).click()
        dialog = page.get_by_role("dialog")
        for words in ("instead of v1?", "v2: 0.0 % success", "v1: 90.0 % success", "The gate rejected v2."):
            expect(dialog).to_contain_text(words)
        yes = dialog.get_by_role("button", name="Make stable")
        expect(yes).to_be_disabled()
        assert house.stable("reach") == 1
        dialog.get_by_label("Why").fill("The old one scratches the paint.")
        yes.click()
        expect(button_of(page, 2)).to_be_hidden()
        assert house.stable("reach") == 2
        button_of(page, 3).click()
        expect(dialog).to_contain_text("The gate let it pass.")
        dialog.get_by_role("button", name="Make stable").click()
        expect(button_of(page, 3)).to_be_hidden()
        assert house.stable("reach") == 3
