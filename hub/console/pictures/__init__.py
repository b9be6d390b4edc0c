"""Small pictures of the tasks that come with the package; another task is shown by its first letter."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from hub.console.elements import block, described, text

__all__ = ["ADDRESS", "TaskPicture"]

ADDRESS = "/_pictures"
"""Where the console serves them."""


@cache
def _drawn() -> frozenset[str]:
    here = files("hub.console.pictures").iterdir()
    return frozenset(each.name.removesuffix(".webp") for each in here if each.name.endswith(".webp"))


class TaskPicture:
    """A square that says nothing that the text beside it does not."""

    def __init__(self) -> None:
        with described(block("span", "picture"), aria_hidden="true") as self._frame:
            self._letter = text("span")

    def show(self, task: str) -> None:
        """Another task."""
        is_drawn = task in _drawn()
        self._letter.text = "" if is_drawn else task[:1].upper()
        self._frame.style(replace=f"background-image: url({ADDRESS}/{task}.webp)" if is_drawn else "")
