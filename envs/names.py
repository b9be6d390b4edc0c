"""What things of the robot are called in the compiled scene, and what is said of a name that is none."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["PREFIX", "TOOL", "of_arm", "own_names", "unknown"]

PREFIX = "arm/"
"""Before every name of the robot and its tool in the compiled scene."""


TOOL = f"{PREFIX}tool/"
"""Before every name of the tool."""


def of_arm(name: str) -> bool:
    """Whether a body of that name is the robot's itself, neither its tool's nor the scene's."""
    return name.startswith(PREFIX) and not name.startswith(TOOL)


def own_names(name: str) -> tuple[str, str]:
    """What something of the tool's or the robot's file may be called in the compiled scene."""
    return f"{TOOL}{name}", f"{PREFIX}{name}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """That there is no such thing, and which there are."""
    return f"there is no {what} {name!r}; known are {', '.join(known) or 'none'}"
