"""A real headless Chromium for tests; where there is none the test is skipped, in CI it fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["TIMEOUT_MS", "chromium", "looking_at", "open_browser"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",  # tests run as root in containers, where Chromium's sandbox cannot start
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLICY = "Content Security Policy"  # in what the browser says of anything that it did not load or run
TIMEOUT_MS = 60_000  # generous: a busy machine is slow, not wrong


def chromium() -> str:
    """Where the browser is; skips the test, or fails it in CI, where there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    message = "no Chromium: install it with `apt-get install chromium` to test the web pages"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A fresh browser with a profile of its own."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking_at(
    browser: Browser, url: str, *, width: int = 1280, dark: bool = False, beside: str = ""
) -> Iterator[Page]:
    """A page in a window of its own; it must have asked no other server, and broken no policy or script.

    Args:
        browser: Where.
        url: The page.
        width: Of the window, in pixels.
        dark: Whether the system is.
        beside: Address of the one other server that it may ask.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if POLICY in message.text else None)
    try:
        page.goto(url)
        page.wait_for_selector("h1")
        yield page
    finally:
        context.close()
    hosts = {address.split("/")[2] for address in (url, beside) if address}
    assert {address.split("/")[2] for address in asked if not address.startswith("data:")} <= hosts
    assert wrong == []
