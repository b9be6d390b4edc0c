"""Which role and scope pass which endpoint, read from the routes themselves; docs/security.md shows it.

Roles and scopes are asked for in `hub.api.deps`; whose things a caller may see and change is
`hub.access.visibility`'s, and each route says what others get. A test walks them all as everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from hub.access.principal import INCLUDES
from hub.api.deps import REQUIRED, bring, login, reader
from skills.messages.tokens import Scope

__all__ = ["ANONYMOUS", "CALLERS", "OWN", "OWN_LISTED", "SEEN", "SEEN_LISTED", "Door", "doors_of", "heeds"]

ANONYMOUS = "anonymous"
CALLERS = (ANONYMOUS, *INCLUDES)
EVERYBODY = frozenset(CALLERS)
KNOWN = EVERYBODY - {ANONYMOUS}

UNSEEN, OTHERS = "x-unseen", "x-others"


def heeds(*, unseen: str, others: str) -> dict[str, Any]:
    """What a route answers about a thing that one does not see, and about another's that one sees.

    For `openapi_extra`. An answer is a status, `yes`, or `left out` of a list.
    """
    return {UNSEEN: unseen, OTHERS: others}


SEEN = heeds(unseen="404", others="yes")
OWN = heeds(unseen="404", others="403")
SEEN_LISTED = heeds(unseen="left out", others="yes")
OWN_LISTED = heeds(unseen="left out", others="left out")


@dataclass(frozen=True)
class Door:
    """One endpoint, and who is not refused for who it is.

    Attributes:
        method: Of HTTP.
        path: Its template.
        open_to: Roles, and `anonymous`.
        scope: What a user's token must be for; None where nobody is asked who it is.
        unseen: The answer about a thing that one does not see; empty where the endpoint is about none.
        others: About another organisation's thing that one sees.
    """

    method: str
    path: str
    open_to: frozenset[str]
    scope: Scope | None
    unseen: str
    others: str


def doors_of(app: FastAPI, *, public_catalogue: bool) -> list[Door]:
    """Every endpoint of the API description, in its order."""
    found = []
    for route in iter_route_contexts(app.routes):
        dependant: Dependant | None = getattr(route, "dependant", None)
        if dependant is None or not getattr(route, "include_in_schema", False):
            continue
        calls = list(_calls(dependant))
        open_to = EVERYBODY
        for call in calls:
            open_to &= _passed_by(call, public_catalogue=public_catalogue)
        path, scope = str(route.path), _scope_of(calls)
        extra = getattr(route, "openapi_extra", None) or {}
        unseen, others = extra.get(UNSEEN, ""), extra.get(OTHERS, "")
        methods = sorted(route.methods or ())
        found += [Door(method, path, open_to, scope, unseen, others) for method in methods]
    return found


def _calls(dependant: Dependant) -> Iterator[Callable[..., object]]:
    for inner in dependant.dependencies:
        if inner.call is not None:
            yield inner.call
        yield from _calls(inner)


def _scope_of(calls: list[Callable[..., object]]) -> Scope | None:
    for call in calls:
        if call in REQUIRED:
            return REQUIRED[call].scope
        if call in {login, reader}:
            return "read"
        if call is bring:
            return "publish"
    return None


def _passed_by(call: Callable[..., object], *, public_catalogue: bool) -> frozenset[str]:
    if call in REQUIRED:
        return frozenset(role for role, included in INCLUDES.items() if REQUIRED[call].role in included)
    if call is bring:
        return KNOWN
    if call is login or (call is reader and not public_catalogue):
        return KNOWN
    return EVERYBODY
