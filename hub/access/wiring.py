"""How a hub comes to know who asks: its own key, tokens, sessions, and an issuer where there is one."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.authenticator import Authenticator
from hub.access.hub_key import signing_key
from hub.access.oidc_issuer import Issuer
from hub.access.sessions import Sessions
from hub.access.sign_in import SignIn
from hub.access.tokens import Tokens
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from skills.signing import SigningKey

__all__ = ["AccessWing", "wire"]


@dataclass(frozen=True)
class AccessWing:
    """The hub's key, and whoever looks at credentials."""

    key: SigningKey
    authenticator: Authenticator
    tokens: Tokens
    sessions: Sessions
    sign_in: SignIn
    issuer: Issuer | None


def wire(settings: Settings, storage: StorageWing, clock: Clock) -> AccessWing:
    """Read the key, or make one.

    Raises:
        SettingsError: The key is not the one that this hub's processes sign with.
    """
    database = storage.database
    authenticator = Authenticator(database, clock, settings.clock_skew_seconds)
    sessions = Sessions(database, clock, settings.session_seconds, settings.session_idle_seconds)
    return AccessWing(
        key=signing_key(settings, database),
        authenticator=authenticator,
        tokens=Tokens(database, clock),
        sessions=sessions,
        sign_in=SignIn(database, clock, authenticator, sessions, settings),
        issuer=Issuer(settings, clock) if settings.oidc_issuer else None,
    )
