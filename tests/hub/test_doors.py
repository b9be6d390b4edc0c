"""Every endpoint as every role on a real hub, compared with the table in docs/security.md."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from hub.settings import Settings
from skills.messages import API
from tests.hub.conftest import Hall, Hands, Robot, StubGate, ok, tiny_skill
from tools.make_docs import DOCS, DOORS_BEGIN, DOORS_END

PLACES = {
    "round_id": "c-1-1",
    "name": "reach",
    "ref": "1",
    "channel": "stable",
    "campaign_id": "c-1",
    "webhook_id": "w-1",
}
QUERIES = {"/robots/me/assignment": "?skill=reach"}
USERS = ("researcher", "operator", "admin")


def documented() -> dict[tuple[str, str], dict[str, str]]:
    """Caller to cell, by method and path."""
    page = (DOCS / "security.md").read_text()
    lines = page.split(DOORS_BEGIN)[1].split(DOORS_END)[0].strip().splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    found = {}
    for endpoint, *cells in rows:
        method, path = endpoint.strip("`").split(" ")
        found[method, path] = dict(zip(head[1:], cells, strict=True))
    return found


TABLE = documented()


def in_the_api(hall: Hall) -> set[tuple[str, str]]:
    description: dict[str, Any] = hall.client.get("/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in description.items() for method in methods}


def knock(
    hall: Hall, robot: Robot, tokens: dict[str, str], caller: str, door: tuple[str, str]
) -> httpx.Response:
    method, path = door
    target = re.sub(r"\{(\w+)\}", lambda match: PLACES[match[1]], path)
    target += QUERIES.get(target.removeprefix(API), "")
    headers = {"Zunft-Delta-Signature": "x"}
    if caller == "robot":
        headers |= robot.headers(method, target, b"{}")
    elif caller in tokens:
        headers |= {"Authorization": f"Bearer {tokens[caller]}"}
    return hall.client.request(method, target, content=b"{}", headers=headers)


@pytest.mark.parametrize("public", [True, False])
def test_every_door_opens_for_whom_the_table_says(settings: Settings, clock: Hands, public: bool) -> None:
    hall = Hall(settings.model_copy(update={"public_catalogue": public}), StubGate(), clock)
    assert in_the_api(hall) == set(TABLE)
    ok(hall.publish(tiny_skill()))
    robot = hall.enrol("one")
    requests = {role: {"name": f"the {role}", "role": role} for role in USERS}
    tokens = {role: ok(hall.post("/users", requests[role])).json()["token"] for role in USERS}
    hall.services.close_streams()  # so that the event stream ends
    for door, cells in TABLE.items():
        for caller, cell in cells.items():
            status = knock(hall, robot, tokens, caller, door).status_code
            expected = {"if public": "yes" if public else "401"}.get(cell, cell)
            if expected == "yes":
                assert status not in {401, 403, 500}, (door, caller, status)
            else:
                assert str(status) == expected, (door, caller, status)
    hall.close()
