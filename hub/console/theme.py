"""The look of every page: style sheet, script and mark, all inline, so that no page asks another server."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from hub.console.language import _

__all__ = ["MARK", "head_html", "words_of_script"]

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" aria-hidden="true">'
    '<rect width="32" height="32" rx="8" fill="#0d6e6a"/>'
    '<path d="M6 21c3-9 6-9 7 0s4 9 6 0 4-9 7 0" fill="none" stroke="#fff"'
    ' stroke-width="2.6" stroke-linecap="round"/>'
    '<circle cx="26" cy="21" r="2.6" fill="#f0a070"/></svg>'
)
"""A seam with the torch at its end; also the icon in the browser's tab."""


def head_html() -> str:
    """What goes into the head of each page."""
    return f"<style>{_read('theme.css')}</style><script>{_read('console.js')}</script>"


def words_of_script() -> dict[str, str]:
    """What console.js says, in the language of who looks, by what stands there in English."""
    return {words: _(words) for words in re.findall(r'\bsay\("([^"]+)"', _read("console.js"))}


@cache
def _read(name: str) -> str:
    return (files("hub.console") / name).read_text("utf-8")
