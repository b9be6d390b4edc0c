"""Signing in: from a token, or from what an issuer says of a person, to a session.

Who comes from the issuer for the first time becomes a user; with each sign-in their role and organisation
become what the issuer says now. The name stays what it was at first, because the audit log knows it.
The organisation must be there already: its region, visibility and limits are an admin's to choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from hub.access.authenticator import Authenticator, principal_of
from hub.access.oidc_claims import Person, person_of
from hub.access.principal import Principal
from hub.access.sessions import Sessions
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.record import note, take_turn
from hub.storage.tables.people import IdentityRow, OrganisationRow, UserRow
from skills.errors import ConflictError, ForbiddenError

__all__ = ["SignIn"]


class SignIn:
    """The two ways to a session. Each returns its secret, and whose it is."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authenticator: Authenticator,
        sessions: Sessions,
        settings: Settings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._authenticator = authenticator
        self._sessions = sessions
        self._settings = settings

    def with_token(self, token: str, *, instead_of: str = "") -> tuple[str, Principal]:
        """For whoever holds this API token; the browser's session of before ends.

        Raises:
            UnauthorizedError: Nobody's token, or one that is no longer valid.
            ForbiddenError: A token that is not for looking.
        """
        principal = self._authenticator.user(token)
        principal.must_have("read")
        return self._sessions.open(principal, instead_of=instead_of), principal

    def with_claims(self, claims: Mapping[str, Any], *, instead_of: str = "") -> tuple[str, Principal]:
        """For whom an ID token that holds was issued; the browser's session of before ends.

        Raises:
            ForbiddenError: By the settings this person may not use the hub, or there is no such organisation.
            ConflictError: Another user has this name.
        """
        person = person_of(claims, self._settings)
        with self._database.write() as session:
            principal = principal_of(self._user(session, person), None)
        return self._sessions.open(principal, instead_of=instead_of), principal

    def _user(self, session: Session, person: Person) -> UserRow:
        take_turn(session)  # two first sign-ins of one person at once make one user
        if session.get(OrganisationRow, person.organisation) is None:
            raise _no_organisation(person)
        identity = session.get(IdentityRow, (person.issuer, person.subject))
        if identity is None:
            return self._create(session, person)
        user = session.get_one(UserRow, identity.user)
        if (user.role, user.organisation) != (person.role, person.organisation):
            user.role, user.organisation = person.role, person.organisation
            self._note(session, "user.changed", user, person)
        return user

    def _create(self, session: Session, person: Person) -> UserRow:
        if session.get(UserRow, person.name) is not None:
            raise ConflictError(
                f"there is another user {person.name}.",
                where="name",
                remedy="Revoke that user, or name another claim in ZUNFT_OIDC_NAME_CLAIM.",
                code="name_taken",
            )
        user = UserRow(
            name=person.name,
            role=person.role,
            organisation=person.organisation,
            created_at=self._clock(),
        )
        session.add(user)
        session.flush()
        session.add(IdentityRow(issuer=person.issuer, subject=person.subject, user=person.name))
        self._note(session, "user.created", user, person)
        return user

    def _note(self, session: Session, action: str, user: UserRow, person: Person) -> None:
        note(
            session,
            action,
            self._clock(),
            by=f"user:{user.name}",
            subject=user.name,
            role=person.role,
            organisation=person.organisation,
            issuer=person.issuer,
        )


def _no_organisation(person: Person) -> ForbiddenError:
    name = person.organisation
    return ForbiddenError(
        f"the groups of {person.name} lead to the organisation {name}, which this hub does not have.",
        where="organisation",
        remedy=f'Create it: zunft organisation create "{name}". Or change ZUNFT_OIDC_ORGANISATIONS.',
        code="unknown_organisation",
    )
