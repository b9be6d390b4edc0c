"""What things of the robot are called in the compiled scene, and what is said of a name that is none."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["PREFIX", "own_names", "unknown"]

PREFIX = "arm/"
"""Before every name of the robot and its tool in the compiled scene."""


def own_names(name: str) -> tuple[str, str]:
    """What something of the tool's or the robot's file may be called in the compiled scene."""
    return f"{PREFIX}tool/{name}", f"{PREFIX}{name}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """That there is no such thing, and which there are."""
    return f"there is no {what} {name!r}; known are {', '.join(known) or 'none'}"
