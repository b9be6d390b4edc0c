"""API tokens of users, as they are said over HTTP: several a user, each with its scopes and its end.

What a scope opens is said beside each endpoint in docs/security.md; robots enrol by tokens of another kind.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from skills.messages.base import Label, Message

__all__ = ["EVERY_SCOPE", "Scope", "SessionRequest", "TokenCreated", "TokenRequest", "TokenView"]

Scope = Literal["read", "publish", "operate", "administer", "tokens"]
"""Look; publish; run campaigns, channels and robots; users and organisations; the user's own tokens."""

EVERY_SCOPE: tuple[Scope, ...] = get_args(Scope)


class TokenRequest(Message):
    """A token for a user. It opens what the user's role and one of its scopes open."""

    name: Label
    scopes: tuple[Scope, ...] = Field(default=EVERY_SCOPE, min_length=1, max_length=len(EVERY_SCOPE))
    valid_days: int = Field(default=365, ge=1, le=3650)


class TokenView(Message):
    """A token without its secret; `expires_at` is None where it never does, `last_used_at` to the minute."""

    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenCreated(TokenView):
    """The same with its secret, shown once; the hub keeps only its hash."""

    token: str


class SessionRequest(Message):
    """A browser trades a user's API token for a session, which opens no more than the token."""

    token: str = Field(min_length=16, max_length=256)
