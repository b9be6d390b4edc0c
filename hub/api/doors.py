"""Which role may pass which endpoint, read from the routes themselves; docs/security.md shows it.

The roles are asked for in `hub.api.deps`; a test walks through every door as every role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from hub.api.deps import REQUIRED, login, reader
from hub.auth import INCLUDES

__all__ = ["ANONYMOUS", "CALLERS", "Door", "doors_of"]

ANONYMOUS = "anonymous"
CALLERS = (ANONYMOUS, *INCLUDES)
EVERYBODY = frozenset(CALLERS)
KNOWN = EVERYBODY - {ANONYMOUS}


@dataclass(frozen=True)
class Door:
    """One endpoint, and who is not refused for who it is."""

    method: str
    path: str
    open_to: frozenset[str]


def doors_of(app: FastAPI, *, public_catalogue: bool) -> list[Door]:
    """Every endpoint of the API description, in its order."""
    found = []
    for route in iter_route_contexts(app.routes):
        dependant: Dependant | None = getattr(route, "dependant", None)
        if dependant is None or not getattr(route, "include_in_schema", False):
            continue
        open_to = EVERYBODY
        for call in _calls(dependant):
            open_to &= _passed_by(call, public_catalogue=public_catalogue)
        found += [Door(method, str(route.path), open_to) for method in sorted(route.methods or ())]
    return found


def _calls(dependant: Dependant) -> Iterator[Callable[..., object]]:
    for inner in dependant.dependencies:
        if inner.call is not None:
            yield inner.call
        yield from _calls(inner)


def _passed_by(call: Callable[..., object], *, public_catalogue: bool) -> frozenset[str]:
    if call in REQUIRED:
        return frozenset(role for role, included in INCLUDES.items() if REQUIRED[call] in included)
    if call is login or (call is reader and not public_catalogue):
        return KNOWN
    return EVERYBODY
