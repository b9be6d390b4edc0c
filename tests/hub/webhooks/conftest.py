"""Hubs on either database that may reach receivers of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.notify import Bell
from skills.messages.webhooks import NoticeKind, WebhookCreated
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.servers import postgres
from tests.hub.webhooks.receiver import Receiver, receiving

OpenHall = Callable[[], Hall]


@pytest.fixture(scope="package")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


on_both = pytest.mark.parametrize("open_hall", ["sqlite", "postgresql"], indirect=True)
"""Where databases differ, or what they do first: the others run on SQLite alone."""


@pytest.fixture
def open_hall(request: pytest.FixtureRequest, tmp_path: Path, clock: Hands) -> Iterator[OpenHall]:
    """Opens what stands for processes of one hub: each with its own connections, all with one database."""
    url = ""
    if getattr(request, "param", "sqlite") == "postgresql":
        url = request.getfixturevalue("postgres_url")
        database = Database(url, Bell())
        with database.write() as session:
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
        database.close()
    opened: list[Hall] = []
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path / "hub",
            "database_url": url,
            "admin_token": ADMIN,
            "console": False,
            "webhook_networks": "127.0.0.0/8,::1/128",
            "webhook_plain_http": True,
            "webhook_attempts": 3,
        }
    )

    def open_one() -> Hall:
        opened.append(Hall(settings, StubGate(), clock))
        return opened[-1]

    yield open_one
    for hall in opened:
        hall.close()


@pytest.fixture
def hall(open_hall: OpenHall) -> Hall:
    return open_hall()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def listen(hall: Hall, receiver: Receiver, *kinds: NoticeKind, **headers: Any) -> str:
    """A webhook to a receiver; returns its id."""
    body = {"url": receiver.address, "kinds": kinds}
    answer = hall.client.post("/api/v1/webhooks", json=body, headers=headers or hall.operator)
    made = WebhookCreated.model_validate(ok(answer).json())
    receiver.secret = made.secret
    return made.webhook.webhook_id


def publish(hall: Hall, *names: str) -> None:
    """Each first version of a skill becomes stable: one event of the kind version.published."""
    for name in names:
        ok(hall.publish(tiny_skill(name=name)))
        hall.release(name=name)


def tell(hall: Hall) -> None:
    """Let the dispatcher work until nothing is due."""
    dispatcher = hall.services.webhooks.dispatcher
    while due := dispatcher.due():
        for webhook_id in due:
            dispatcher.serve(webhook_id)
