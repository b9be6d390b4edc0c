"""What is said of users and their roles."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.messages.base import Label, Message

__all__ = ["InvitationRequest", "Role", "UserCreated", "UserRequest", "UserRole", "UserView"]


Role = Literal["robot", "researcher", "operator", "admin"]


UserRole = Literal["researcher", "operator", "admin"]


class UserRequest(Message):
    """An admin creates a user."""

    name: Label
    role: UserRole
    organisation: Label = "guild"
    valid_days: int = Field(default=365, ge=1, le=3650)


class InvitationRequest(Message):
    """An operator lets a colleague in; whoever has the token by then is that user."""

    name: Label
    role: Literal["researcher", "operator"] = "researcher"
    valid_days: int = Field(default=30, ge=1, le=3650)


class UserCreated(Message):
    """The user's API token, shown once; the hub keeps only its hash."""

    name: str
    role: Role
    token: str
    expires_at: datetime


class UserView(Message):
    """A user as admins see it, and everybody sees themselves.

    `expires_at` is when the last token does, None where one never does or there is none; `issuer` is where
    the user signs in, empty for those who have tokens alone.
    """

    name: str
    role: Role
    organisation: str
    created_at: datetime
    expires_at: datetime | None
    issuer: str = ""
