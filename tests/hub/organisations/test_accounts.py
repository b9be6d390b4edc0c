from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.client import OperatorClient
from hub.services import open_services
from hub.settings import Settings
from skills.errors import UnauthorizedError
from skills.messages.base import API
from skills.messages.lists import CampaignQuery
from skills.messages.users import UserRequest
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok
from tests.hub.running import running_hub
from zunft.cli import app

DAY = 86_400


def create(hall: Hall, **changes: object) -> dict[str, str]:
    request = {"name": "maria", "role": "operator", **changes}
    return {"Authorization": f"Bearer {ok(hall.post('/users', request)).json()['token']}"}


def test_a_token_is_valid_until_its_day_and_then_says_what_to_do(hall: Hall) -> None:
    maria = create(hall, valid_days=2)
    hall.clock.advance(2 * DAY - 1)
    ok(hall.client.get(API + "/robots", headers=maria))
    hall.clock.advance(1)
    error = hall.error(hall.client.get(API + "/robots", headers=maria), 401)
    assert error["code"] == "expired_token"
    assert "2026-03-03" in error["message"]
    assert "zunft user token create" in error["remedy"]
    # Also where no login is needed: a caller must learn that it is no longer who it thinks.
    hall.error(hall.client.get(API + "/skills", headers=maria), 401)


def test_a_token_is_valid_for_a_year_unless_said_otherwise(hall: Hall) -> None:
    maria = create(hall)
    hall.clock.advance(365 * DAY - 1)
    ok(hall.client.get(API + "/robots", headers=maria))
    hall.clock.advance(1)
    hall.error(hall.client.get(API + "/robots", headers=maria), 401)
    ok(hall.client.get(API + "/robots", headers=hall.operator))


@pytest.mark.parametrize("days", [0, -1, 3651, 1.5])
def test_a_strange_time_is_refused(hall: Hall, days: float) -> None:
    hall.error(hall.post("/users", {"name": "maria", "role": "operator", "valid_days": days}), 422)


def test_users_are_listed_without_their_tokens(hall: Hall) -> None:
    token = create(hall, valid_days=1)["Authorization"].removeprefix("Bearer ")
    answer = ok(hall.client.get(API + "/users", headers=hall.operator))
    assert [(user["name"], user["role"], user["expires_at"]) for user in answer.json()["items"]] == [
        ("admin", "admin", None),
        ("maria", "operator", "2026-03-02T12:00:00Z"),
    ]
    assert token not in answer.text
    assert "hash" not in answer.text


def test_an_admin_whose_token_expired_does_not_count_as_one(hall: Hall) -> None:
    create(hall, name="eva", role="admin", valid_days=1)
    hall.clock.advance(2 * DAY)
    hall.error(hall.client.delete(API + "/users/admin", headers=hall.operator), 409)
    ok(hall.client.delete(API + "/users/eva", headers=hall.operator))


def test_a_hub_whose_admins_all_expired_makes_one_that_does_not(tmp_path: Path, clock: Hands) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "console": False})
    hub = open_services(settings, gate=StubGate(), clock=clock)
    first = (tmp_path / "admin-token").read_text()
    hub.organisations.accounts.create(UserRequest(name="eva", role="admin", valid_days=1))
    hub.organisations.accounts.revoke("admin")
    clock.advance(2 * DAY)
    hub.close()
    hub = open_services(settings, gate=StubGate(), clock=clock)
    assert hub.access.authenticator.user((tmp_path / "admin-token").read_text()).role == "admin"
    with pytest.raises(UnauthorizedError):
        hub.access.authenticator.user(first)
    hub.close()


def test_the_commands_create_list_and_revoke(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        access = ["--hub", hub.address, "--token", ADMIN]
        made = CliRunner().invoke(
            app, ["user", "create", "maria", "--role", "researcher", "--valid-days", "3", *access]
        )
        token = made.stdout.split()[-1]
        maria = OperatorClient.open(hub.address, token)
        assert maria.campaigns(CampaignQuery()).items == ()
        listed = CliRunner().invoke(app, ["user", "list", *access])
        assert "maria" in listed.stdout
        assert token not in listed.stdout
        assert "signed out" in CliRunner().invoke(app, ["user", "sign-out", "maria", *access]).stdout
        assert CliRunner().invoke(app, ["user", "sign-out", "nobody", *access]).exit_code == 1
        assert CliRunner().invoke(app, ["user", "revoke", "maria", *access]).exit_code == 0
        with pytest.raises(UnauthorizedError, match="not revoked"):
            maria.campaigns(CampaignQuery())
