"""Kinds of section and network that packages may add: Zunft's own, and those that an entry point names.

What a bundle or a skill says is never imported: it chooses among kinds that whoever runs it has installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TypeVar

from pydantic import BaseModel

__all__ = ["known_kinds"]

Kind = TypeVar("Kind", bound=BaseModel)


def known_kinds(own: Iterable[type[Kind]], group: str) -> dict[str, type[Kind]]:
    """Each kind's class by its name, sorted: `own` and those of the entry point `group`.

    Raises:
        ValueError: Two classes claim one name.
    """
    known: dict[str, type[Kind]] = {}
    for each in (*own, *(point.load() for point in entry_points(group=group))):
        (kind,) = each.model_fields["kind"].annotation.__args__
        if kind in known:
            raise ValueError(
                f"two {group.removeprefix('zunft.')} are called {kind!r}: {known[kind]} and {each}"
            )
        known[kind] = each
    return dict(sorted(known.items()))
