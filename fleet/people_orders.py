"""What operators and admins order about who may come in: users, robots, their tokens and organisations."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fleet import paths
from fleet.rollout_orders import RolloutOrders
from skills.messages.base import API
from skills.messages.organisations import OrganisationRequest, OrganisationSettings, OrganisationView
from skills.messages.robots import EnrolmentToken, EnrolmentTokenRequest
from skills.messages.tokens import TokenCreated, TokenRequest
from skills.messages.users import InvitationRequest, UserCreated, UserRequest

__all__ = ["PeopleOrders"]


@dataclass
class PeopleOrders(RolloutOrders):
    """Beside roll-outs, what is ordered about people, tokens and organisations."""

    def create_tokens(self, request: EnrolmentTokenRequest) -> list[EnrolmentToken]:
        """Tokens that each enrol one robot."""
        return self.connection.ask(list[EnrolmentToken], "POST", f"{API}/enrolment-tokens", request)

    def revoke_join_token(self, token_id: str) -> None:
        """Let nobody join with it any more."""
        self.connection.send("DELETE", f"{API}/enrolment-tokens/{quote(token_id, safe='')}")

    def create_user(self, request: UserRequest) -> UserCreated:
        """A user and the token that is shown once."""
        return self.connection.ask(UserCreated, "POST", f"{API}/users", request)

    def invite(self, request: InvitationRequest) -> UserCreated:
        """A colleague in one's own organisation, and the token that is shown once."""
        return self.connection.ask(UserCreated, "POST", f"{API}/colleagues", request)

    def revoke_user(self, name: str) -> None:
        """Refuse a user's token from now on."""
        self.connection.send("DELETE", f"{API}/users/{quote(name, safe='')}")

    def create_token(self, user: str, request: TokenRequest) -> TokenCreated:
        """A further token of a user, shown once; `me` is whoever asks."""
        return self.connection.ask(TokenCreated, "POST", paths.tokens(user), request)

    def revoke_token(self, user: str, token: str) -> None:
        """Refuse one token from now on."""
        self.connection.send("DELETE", f"{paths.tokens(user)}/{quote(token, safe='')}")

    def create_organisation(self, request: OrganisationRequest) -> OrganisationView:
        """A new organisation, for admins."""
        return self.connection.ask(OrganisationView, "POST", f"{API}/organisations", request)

    def organisation(self, name: str) -> OrganisationView:
        """One organisation, what it may use, and what it uses."""
        return self.connection.ask(OrganisationView, "GET", paths.organisation(name))

    def change_organisation(self, name: str, settings: OrganisationSettings) -> OrganisationView:
        """Give an organisation other settings: all of them."""
        return self.connection.ask(OrganisationView, "PUT", paths.organisation(name), settings)

    def end_sessions(self, name: str) -> None:
        """Sign a user out of all browsers."""
        self.connection.send("DELETE", f"{API}/users/{quote(name, safe='')}/sessions")
