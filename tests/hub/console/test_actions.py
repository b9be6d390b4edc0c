"""The console and the command line can do the same: what neither has is known, and said why."""

from __future__ import annotations

import html
import inspect
import re
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from fastapi import FastAPI
from fastapi.testclient import TestClient

from fleet.client import OperatorClient
from hub.storage.tables.skills import ChannelRow
from skills.messages.base import API
from skills.signing import SigningKey
from tests.hub.conftest import ADMIN, ok, tiny_skill
from tests.hub.console.test_console import hub_with_pages, session_of

Action = tuple[str, str]
COMMANDS = Path(__file__).parents[3] / "zunft"

OF_MACHINES = {
    ("POST", "/robots"),
    ("PUT", "/robots/me/abilities"),
    ("POST", "/robots/me/health"),
    ("POST", "/rounds/{round_id}/deltas"),
    ("POST", "/halls/recalls"),
    ("POST", "/skills/{name}/versions/{ref}/attestations"),
    ("POST", "/uploads"),
    ("PUT", "/uploads/{upload_id}/parts/{number}"),
    ("POST", "/uploads/{upload_id}/complete"),
    ("DELETE", "/uploads/{upload_id}"),
}
"""Robots, halls and programs do these; a person orders what leads to them."""
IN_A_BROWSER = {
    ("POST", "/sessions"): "a command brings its token with each call",
    ("DELETE", "/sessions/current"): "the same",
    ("POST", "/qr-codes"): "a terminal shows the line itself",
    ("POST", "/skills/untrained"): "`zunft skill new` makes the file here, and `publish` sends it",
}
IN_A_TERMINAL = {
    ("PUT", "/skills/{name}/minimum"): "a setting, which is made once",
    ("PUT", "/skills/{name}/visibility"): "the same",
    ("PUT", "/robots/{robot_id}/tags"): "the same, and of many robots at once",
    ("POST", "/users"): "for admins of the hub, into any organisation; the console invites colleagues",
    ("DELETE", "/users/{name}"): "for admins of the hub",
    ("DELETE", "/users/{name}/sessions"): "the same",
    ("POST", "/users/{name}/tokens"): "a token for programs is made where it is used",
    ("DELETE", "/users/{name}/tokens/{token}"): "the same",
    ("POST", "/organisations"): "for admins of the hub",
    ("PUT", "/organisations/{name}"): "the same",
    ("POST", "/webhooks"): "set up with the program that is told",
    ("DELETE", "/webhooks/{webhook_id}"): "the same",
    ("POST", "/webhooks/{webhook_id}/test"): "the same",
    ("POST", "/webhooks/{webhook_id}/redeliver"): "the same",
}


class RecordedError(Exception):
    """A client has asked for something."""


class Recorder:
    """A connection that says what it was asked for, and asks nobody."""

    def __init__(self) -> None:
        self.asked: set[Action] = set()

    def ask(self, _answer: object, method: str, path: str, *_rest: object, **_more: object) -> Any:
        self.asked.add((method, path.split("?", maxsplit=1)[0]))
        raise RecordedError

    def send(self, method: str, path: str, *_rest: object, **_more: object) -> Any:
        return self.ask(None, method, path)

    def __getattr__(self, _name: str) -> Any:
        return MagicMock()


def actions(app: FastAPI) -> dict[Action, re.Pattern[str]]:
    """All that changes something, each with the addresses that mean it."""
    paths = app.openapi()["paths"]
    return {
        (method.upper(), path.removeprefix(API)): re.compile(re.sub(r"{\w+}", "[^/]+", path))
        for path, methods in paths.items()
        for method in methods
        if method != "get" and path.startswith(API)
    }


def meant(asked: set[Action], known: dict[Action, re.Pattern[str]]) -> set[Action]:
    """The actions of these requests; an exact address is none with a name in it."""
    found = set()
    for method, path in asked:
        fits = [each for each, form in known.items() if each[0] == method and form.fullmatch(path)]
        assert fits, f"no such action of the API: {method} {path}"
        found.add(min(fits, key=lambda each: each[1].count("{")))
    return found


def given_for(annotation: str) -> object:
    """Something that a method takes as such an argument."""
    texts: dict[str, object] = {"Visibility": "guild", "ChannelName": "stable", "bytes": b"x"}
    known = {**texts, "float": 0.5, "str": "x", "int": 1}
    message = MagicMock(skill="x", version=1, size=1)
    return next((it for word, it in known.items() if word in annotation), message)


def asked_by_commands() -> set[Action]:
    """What the client's methods ask of a hub, as far as a command calls them."""
    sources = "".join(path.read_text() for path in sorted(COMMANDS.rglob("*.py")))
    recorder = Recorder()
    client = OperatorClient(recorder)  # type: ignore[arg-type] # a connection, as far as a client knows
    for name, method in inspect.getmembers(client, callable):
        if name.startswith("_") or not re.search(rf"\.{name}\b", sources):
            continue
        if not re.search(r'"(POST|PUT|DELETE)"', inspect.getsource(method)):
            continue
        given = [
            given_for(str(each.annotation))
            for each in inspect.signature(method).parameters.values()
            if each.default is inspect.Parameter.empty
        ]
        try:
            method(*given)
        except RecordedError:
            continue
    return {each for each in recorder.asked if each[0] != "GET"}


def offered(page: str) -> set[Action]:
    """What the buttons and forms of a page would ask, and what draws its lines."""
    said = re.sub(r'"\s*([:,])\s*"', r'"\1"', html.unescape(page))
    found = set(re.findall(r'"data-method":"(\w+)","data-path":"([^"?]+)', said))
    return found | {("POST", path) for path in re.findall(r'"data-codes":"([^"]+)', said)}


def asked_by_pages(client: TestClient, home: dict[str, str]) -> set[Action]:
    """What pages offer an operator of a hub in which there is something to do everywhere."""
    found = offered(ok(client.get("/", headers=home)).text) | offered(
        ok(client.get("https://testserver/login")).text
    )
    services = client.app.state.services  # type: ignore[attr-defined]
    ok(client.post(f"{API}/skills", content=tiny_skill(name="reach").to_bytes()))
    ok(client.post(f"{API}/skills", content=tiny_skill(name="reach", version=2, seed=1).to_bytes()))
    with services.storage.database.write() as session:
        if session.get(ChannelRow, ("reach", "stable")) is None:
            session.add(ChannelRow(skill="reach", name="stable", number=1, counter=1, lowest=0))
    campaign = ok(client.post(f"{API}/campaigns", json={"skill": "reach"})).json()["campaign_id"]
    rollout = ok(client.post(f"{API}/rollouts", json={"skill": "reach", "version": 2})).json()["rollout_id"]
    used, _left = ok(client.post(f"{API}/enrolment-tokens", json={"count": 2})).json()
    robot = join(client, used["token"])
    places = ["", "/compare", "/explain", "/replay", "/rollout?version=2"]
    pages = [f"/skills/reach{place}" for place in places]
    pages += [f"/campaigns/{campaign}", f"/rollouts/{rollout}", f"/robots/{robot}", "/robots/join", "/people"]
    pages += ["/skills", "/tasks"]
    for page in pages:
        found |= offered(ok(client.get(page, headers=home)).text)
    return found


def join(client: TestClient, token: str) -> str:
    """The id of a robot that joined with this token."""
    public = SigningKey.generate().public.text
    request = {"token": token, "name": "arm", "embodiment": "ur5e", "public_key": public}
    return str(ok(client.post(f"{API}/robots", json=request)).json()["robot_id"])


def test_what_the_console_can_do_commands_can_do_too_and_the_other_way_round(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path) as client:
        known = actions(client.app)  # type: ignore[arg-type] # an app is what it was made of
        console = meant(asked_by_pages(client, session_of(client, ADMIN)), known)
        commands = meant(asked_by_commands(), known)
    assert console - commands == set(IN_A_BROWSER)
    assert commands - console - OF_MACHINES == set(IN_A_TERMINAL)
    assert set(known) - console - commands <= OF_MACHINES
