"""Who asks, once proven: a user or a robot, its role, organisation and scopes. No database."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from skills.errors import ForbiddenError
from skills.messages.tokens import EVERY_SCOPE, Scope
from skills.messages.users import Role

__all__ = ["FIRST_ADMIN", "INCLUDES", "THE_HUB", "Principal", "Viewer", "hash_token", "make_token"]


INCLUDES: dict[Role, frozenset[Role]] = {
    "robot": frozenset({"robot"}),
    "researcher": frozenset({"researcher"}),
    "operator": frozenset({"operator", "researcher"}),
    "admin": frozenset({"admin", "operator", "researcher"}),
}


@dataclass(frozen=True)
class Principal:
    """Who asks, once proven.

    Attributes:
        name: The robot's id or the user's name.
        role: What it may do.
        organisation: Whose it is.
        scopes: What its token is limited to; a robot, and a user who signed in at an issuer, have all.
        token: Name of the token that was shown, now or to open the session; empty where there is none.
        token_hash: What the hub keeps of it.
        session_hash: What the hub keeps of the session's secret; empty where there is no session.
        expires_at: When the proof ends; None: it does not. A session's moves on with its use.
    """

    name: str
    role: Role
    organisation: str
    scopes: frozenset[Scope] = frozenset(EVERY_SCOPE)
    token: str = ""
    token_hash: str = field(default="", repr=False)
    session_hash: str = field(default="", repr=False)
    expires_at: datetime | None = field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """This one in the audit log."""
        if self == THE_HUB:
            return self.name
        return f"{'robot' if self.role == 'robot' else 'user'}:{self.name}"

    def may_act_as(self, role: Role, scope: Scope) -> bool:
        """Whether this one's role includes another, and its proof is for that."""
        return role in INCLUDES[self.role] and scope in self.scopes

    def must_be(self, role: Role, scope: Scope) -> None:
        """Hold to a role and a scope.

        Raises:
            ForbiddenError: This one's role does not include it, or its token is not for that.
        """
        if role not in INCLUDES[self.role]:
            raise ForbiddenError(
                f"this needs the role {role}; {self.name} is a {self.role}.",
                remedy="Ask an operator of the hub, or use another token.",
            )
        self.must_have(scope)

    def must_have(self, scope: Scope) -> None:
        """Hold to a scope.

        Raises:
            ForbiddenError: This one's token is not for that.
        """
        if scope not in self.scopes:
            raise ForbiddenError(
                f"the token {self.token!r} of {self.name} is not for this: it lacks the scope {scope}.",
                where="Authorization",
                remedy="Use another token: zunft user token create.",
                code="token_scope",
            )


THE_HUB = Principal("hub", "admin", "")
"""Who acts and looks where nobody asked: the engine, a start of the hub, a command on its own machine."""


Viewer = Principal | None
"""Who looks; None is anybody, where the catalogue is public."""


def make_token(prefix: str) -> str:
    """A new secret with 256 bits of entropy."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """What the hub keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


FIRST_ADMIN = "admin"
