"""Files published from a browser go to the API as they are; what it refuses stands beside the button."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from hub.access.principal import THE_HUB
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.hub.conftest import tiny_skill
from tests.hub.console.house import house_in
from tests.hub.tasks.samples import small_archive

expect.set_options(timeout=TIMEOUT_MS)


def publish(page: Page, label: str, name: str, content: bytes) -> None:
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.get_by_label(label).set_input_files([file])  # type: ignore[arg-type] # a file's payload
    page.get_by_role("button", name="Publish", exact=True).click()


def test_a_skill_and_a_task_are_published_from_here(tmp_path: Path) -> None:
    chromium()
    with house_in(tmp_path) as house, open_browser() as browser:
        with looking_at(browser, f"{house.url}/skills") as page:
            house.sign_in(page, "researcher")
            publish(page, "File", "broken.skill", b"no skill")
            expect(page.get_by_role("alert").filter(has_text="skill")).to_be_visible()
            publish(page, "File", "reach.skill", tiny_skill().to_bytes())
            page.wait_for_url("**/skills/reach")
            page.goto(f"{house.url}/tasks")
            publish(page, "Archive", "small.tar.gz", small_archive())
            page.wait_for_url("**/tasks/*")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        found = house.services.catalogue.skills.version("reach", "1", THE_HUB)
        assert found.digest == tiny_skill().digest


def test_who_may_only_look_finds_no_form(tmp_path: Path) -> None:
    chromium()
    with house_in(tmp_path, public_catalogue=True) as house, open_browser() as browser:
        for path in ("/skills", "/tasks"):
            with looking_at(browser, house.url + path) as page:
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                assert page.get_by_role("button", name="Publish", exact=True).count() == 0
