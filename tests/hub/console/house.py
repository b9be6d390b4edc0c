"""A hub with pages that listens in this process, for tests that look at it with a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Page

from hub.access.principal import THE_HUB, Principal
from hub.app import create_app
from hub.services import Services
from hub.settings import Settings
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.messages.users import UserRequest
from skills.signing import SigningKey
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, Hands, StubGate

__all__ = ["OLGA", "House", "house_in"]

OLGA = Principal("olga", "operator", "guild")


@dataclass
class House:
    """Tests move its clock and act in it beside the browser."""

    url: str
    services: Services
    clock: Hands
    gate: StubGate
    _users: list[str] = field(default_factory=list)

    def token(self, role: str, organisation: str = "guild") -> str:
        """Of a new user with this role."""
        self._users.append(f"a {role} {len(self._users)}")
        user = {"name": self._users[-1], "role": role, "organisation": organisation}
        return self.services.organisations.accounts.create(UserRequest.model_validate(user)).token

    def sign_in(self, page: Page, role: str = "operator") -> None:
        """As a new user with this role; the page is the one for signing in."""
        page.get_by_label("Your token").fill(self.token(role))
        page.get_by_role("button", name="Sign in").click()

    def robot(self, name: str, embodiment: str = "ur5e") -> str:
        """The id of a robot that joined, and was not heard of since."""
        self.clock.advance(1)
        enrolment = self.services.robots.enrolment
        token = enrolment.create_tokens(EnrolmentTokenRequest(), by=OLGA)[0].token
        key = SigningKey.generate().public.text
        return enrolment.enrol(
            EnrolmentRequest(token=token, name=name, embodiment=embodiment, public_key=key)
        ).robot_id

    def stable(self, skill: str) -> int:
        """The number of a skill's stable version; 0 where it has none."""
        found = self.services.catalogue.skills.skill(skill, THE_HUB).stable
        return found.version if found else 0


@contextmanager
def house_in(folder: Path, **settings: Any) -> Iterator[House]:
    """A hub that shows strangers nothing; `settings` are of the hub."""
    given = {"data_dir": folder, "admin_token": ADMIN, "public_catalogue": False, "leaderboards": False}
    clock, gate = Hands(), StubGate()
    app = create_app(Settings.model_validate({**given, **settings}), gate=gate, clock=clock)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started, "the hub", alive=thread.is_alive)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield House(f"http://127.0.0.1:{port}", app.state.services, clock, gate)
    finally:
        app.state.services.close_streams()
        server.should_exit = True
        thread.join()
