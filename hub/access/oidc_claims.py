"""Which user an issuer's claims make here, or why none. Pure: that they are true was seen before.

Names, groups and domains are read as the settings say. Nothing is guessed: a claim that is missing or of
another shape refuses the person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.access.principal import FIRST_ADMIN, INCLUDES
from hub.settings import Settings
from skills.errors import ForbiddenError
from skills.messages.users import UserRole

__all__ = ["Person", "person_of"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")
LONGEST_SUBJECT = 255  # OpenID Connect Core, section 2


@dataclass(frozen=True)
class Person:
    """Who signed in at an issuer, and what that makes them here."""

    issuer: str
    subject: str
    name: str
    role: UserRole
    organisation: str


def person_of(claims: Mapping[str, Any], settings: Settings) -> Person:
    """The user that these claims describe.

    Raises:
        ForbiddenError: By the settings they may not use this hub (`not_invited`), or the claims cannot be
            used as they are (`unusable_claims`).
    """
    _check_domain(claims, settings.oidc_email_domains)
    groups = _groups(claims, settings.oidc_groups_claim)
    role = _role(groups, settings)
    organisation = next(
        (name for group, name in settings.oidc_organisations.items() if group in groups),
        settings.oidc_default_organisation,
    )
    if not role or not organisation:
        raise _not_invited("none of their groups has a role and an organisation here")
    return Person(
        settings.oidc_issuer, _subject(claims), _name(claims, settings.oidc_name_claim), role, organisation
    )


def _check_domain(claims: Mapping[str, Any], domains: Iterable[str]) -> None:
    allowed = {domain.lower() for domain in domains}
    if not allowed:
        return
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise _not_invited("the issuer does not vouch for an e-mail address")
    mailbox, _, domain = email.rpartition("@")
    if not mailbox or domain.lower() not in allowed:
        raise _not_invited("their e-mail address lies in another domain")


def _groups(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """The groups of a claim, which may be a list or a single name; none where there is no such claim."""
    found = claims.get(claim, _inside(claims, claim))
    if isinstance(found, str):
        return frozenset({found})
    listed = found if isinstance(found, list) else []
    return frozenset(each for each in listed if isinstance(each, str))


def _inside(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _role(groups: frozenset[str], settings: Settings) -> UserRole | None:
    roles = [role for group, role in settings.oidc_roles.items() if group in groups]
    if settings.oidc_default_role:
        roles.append(settings.oidc_default_role)
    return max(roles, key=lambda role: len(INCLUDES[role]), default=None)


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise _unusable("sub", "it is no text of 1 to 255 characters")
    return subject


def _name(claims: Mapping[str, Any], claim: str) -> str:
    name = claims.get(claim)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _unusable(claim, "a name has 1 to 64 of letters, digits and ` ._@+-`, a letter or digit first")
    if name == FIRST_ADMIN:
        raise _unusable(claim, f"{name} is the hub's own first admin")
    return name


def _not_invited(reason: str) -> ForbiddenError:
    return ForbiddenError(
        f"this person may not use the hub: {reason}.",
        remedy="Give them a group at the issuer, or change ZUNFT_OIDC_ROLES and its like.",
        code="not_invited",
    )


def _unusable(claim: str, reason: str) -> ForbiddenError:
    return ForbiddenError(
        f"the claim {claim} cannot be used: {reason}.",
        where=claim,
        remedy="Change it at the issuer, or name another claim in ZUNFT_OIDC_NAME_CLAIM.",
        code="unusable_claims",
    )
