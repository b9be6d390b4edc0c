"""Schemathesis over the whole API description of a real hub, over HTTP, as everybody and as nobody.

No fault of the hub, no undocumented status, body or content type. Few examples with a fixed seed here;
`make fuzz` sets FUZZ_EXAMPLES, which takes as many for each endpoint, new ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests.auth
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests import PreparedRequest
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from hub.settings import Settings
from skills.messages.base import BLOB
from tests.hub.api.test_permissions import DOORS
from tests.hub.conftest import ADMIN, Hall, Hands, Robot, StubGate, ok, tensors_like, tiny_skill
from tests.hub.servers import postgres
from tests.hub.serving import serving

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
FEW = 3
TIMEOUT = 30.0
NOT_ASKED = [
    checks.ignored_auth,  # a public catalogue needs no login; test_doors walks every door as everybody
    checks.positive_data_acceptance,  # what one field may be can hang on another, and on the campaign's rule
]
FILES = st.binary(max_size=400)


@schemathesis.serializer(BLOB)
def as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


schemathesis.openapi.media_type(BLOB, FILES)


class Signed(requests.auth.AuthBase):
    """A robot, whatever the generated request claims to be."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers.pop("Authorization", None)
        body = request.body or b""
        if not isinstance(body, bytes | str):
            raise TypeError("a generated body is whole")
        data = body.encode() if isinstance(body, str) else body
        request.headers.update(self._robot.headers(str(request.method), request.path_url, data))
        return request


class Bearer(requests.auth.AuthBase):
    """A user."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers.pop("Signature-Input", None)
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass
class Target:
    """A hub with something in it, and everybody who may come. `known` are places that exist."""

    schema: schemathesis.BaseSchema
    callers: Mapping[str, requests.auth.AuthBase | None]
    known: Mapping[str, str]
    files: Mapping[str, bytes]


# The stricter database is enough for a few: it takes no NUL, and no number or text that is too long.
DATABASES = ["postgresql", "sqlite"] if EXAMPLES else ["postgresql"]


@pytest.fixture(scope="module", params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("fuzz")
    if request.param == "sqlite":
        yield from fill(folder, "")
        return
    with postgres(folder / "postgres") as url:
        yield from fill(folder, url)


def fill(folder: Path, database_url: str) -> Iterator[Target]:
    config = {
        "data_dir": folder / "hub",
        "database_url": database_url,
        "admin_token": ADMIN,
        "console": False,
        "rate_limit": 0,
        "stranger_rate_limit": 0,
        "webhook_networks": "127.0.0.1",
    }
    hall = Hall(Settings.model_validate(config), StubGate(), Hands())
    ok(hall.publish(tiny_skill()))
    robot = hall.enrol("one")
    campaign = hall.start()
    hall.turn()
    work = robot.assignment()
    assert work is not None
    tokens = {"admin": ADMIN}
    for role in ("researcher", "operator"):
        tokens[role] = ok(hall.post("/users", {"name": f"the {role}", "role": role})).json()["token"]
    users = {role: Bearer(token) for role, token in tokens.items()}
    known = {
        "name": "reach",
        "skill": "reach",
        "ref": "1",
        "other": "1",
        "token_id": "0123456789abcdef",
        "channel": "stable",
        "campaign_id": campaign,
        "number": "1",
        "token": "first",
        "embodiment": "ur5e",
    }
    # Nobody listens there, and no message leaves this machine.
    webhook = ok(hall.post("/webhooks", {"url": "https://127.0.0.1:1/"})).json()["webhook"]
    known["webhook_id"] = webhook["webhook_id"]
    known["robot_id"] = hall.enrol("two").robot_id
    moved = hall.client.put(
        "/api/v1/skills/reach/channels/candidate", json={"version": 1}, headers=hall.operator
    )
    known["file"] = "timestamp.json"
    known["digest"] = hall.get("/skills/reach/versions/1/attestations")[0]["digest"]
    known["release_id"] = ok(moved).json()["release_id"]
    withdrawn = ok(hall.post(f"/robots/{hall.enrol('three').robot_id}/withdrawal", {})).json()
    known["withdrawal_id"] = withdrawn["withdrawal_id"]
    upload = {"digest": "sha256:" + 64 * "0", "size": 10, "purpose": {"kind": "skill"}}
    known["upload_id"] = ok(hall.post("/uploads", upload)).json()["upload_id"]
    ok(hall.publish(tiny_skill(version=2, seed=2)))
    known["rollout_id"] = ok(hall.post("/rollouts", {"skill": "reach", "version": 2})).json()["rollout_id"]
    files = {
        "/api/v1/skills": tiny_skill(version=3, seed=1).to_bytes(),
        "/api/v1/rounds/{round_id}/deltas": robot.delta(work, tensors_like(tiny_skill(), 1.0)),
    }
    hall.services.close_streams()  # so that the event stream ends, and nobody waits for work
    with serving(hall.app) as address:
        callers = {"nobody": None, "robot": Signed(robot), **users}
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        yield Target(schema, callers, known | {"round_id": work.round_id}, files)


@pytest.mark.parametrize(("method", "path"), DOORS)  # which test_doors compares with the description
def test_no_request_brings_a_fault_or_an_undocumented_answer(target: Target, method: str, path: str) -> None:
    operation = target.schema[path][method]
    cases = st.sampled_from(GenerationMode).flatmap(operation.as_strategy)

    @settings(
        max_examples=EXAMPLES or FEW,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, at_home=st.booleans(), spoilt=st.booleans(), junk=FILES)
    def fuzz(case: schemathesis.Case[Any], at_home: bool, spoilt: bool, junk: bytes) -> None:
        if at_home:
            case.path_parameters.update({name: target.known[name] for name in case.path_parameters})
        # The loops of a hub whose streams were closed have ended, and it says so.
        not_asked = [*NOT_ASKED, not_a_server_error] if path == "/readyz" else NOT_ASKED
        if path in target.files and spoilt:
            case.body = target.files[path] + junk
            # What was wrong with the request may have been its body.
            not_asked = [*NOT_ASKED, checks.negative_data_rejection]
        if path == "/api/v1/robots/me/assignment":
            # A robot signs whatever it sends: headers that a case left out are there again.
            not_asked = [*not_asked, checks.negative_data_rejection]
        for auth in target.callers.values():
            case.call_and_validate(auth=auth, excluded_checks=not_asked, timeout=TIMEOUT)

    fuzz()
