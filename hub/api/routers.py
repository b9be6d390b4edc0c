"""The routers of the API's nouns: where their routes lie, and what any of them may refuse.

Routes are made once and taken by every app of the process as they are: an app that includes a router makes
each of its routes anew, and looks twice for the one that a request means.
"""

from __future__ import annotations

from fastapi import APIRouter

from hub.api.errors import refusals
from hub.api.signed import SignedRoute
from skills.messages.base import API

__all__ = ["noun_router"]


def noun_router(noun: str) -> APIRouter:
    """A router for what is about this noun."""
    return APIRouter(prefix=API, tags=[noun], responses=refusals(422, 429, 503), route_class=SignedRoute)
