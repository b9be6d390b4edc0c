"""A small hub with a tiny network, a clock that tests move, and robots that sign for themselves."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from fleet.auth import signed_headers
from hub.access.principal import Principal
from hub.app import create_app
from hub.services import Services
from hub.settings import Settings
from hub.storage.discards import GRACE
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader, shapes_of_delta
from skills.initial import initial_skill
from skills.manifest import Channel, Contract, Manifest
from skills.messages.base import API, DELTA_SIGNATURE_HEADER
from skills.messages.campaigns import CampaignView
from skills.messages.plans import GatePlan, TrainingPlan
from skills.messages.rounds import Assignment, RoundView
from skills.messages.skills import GateReport, ReleaseView, ScoreView, VersionView, Visibility
from skills.networks.mlp import Mlp
from skills.parts import is_carried
from skills.release_keys import sign_release
from skills.signing import SigningKey, delta_statement
from skills.skill import Skill
from tests.eventually import eventually
from tests.hub.idle import NOTHING, does_nothing
from tests.hub.new_tables import with_tables
from tests.hub.servers import BUCKET, S3Server

structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(30),
)

MERGE = {"momentum": 0.5, "step": 1.0}
ADMIN = "zt_admin-token-of-the-tests"
Tensors = dict[str, NDArray[np.float64]]
Headers = dict[str, str]

CONTRACT = Contract(
    observation=(Channel(name="error", size=3, unit="m", scale=0.004),),
    action=(Channel(name="feed", size=2, unit="m/s", scale=0.15),),
    control_hz=50,
)


def tiny_skill(*, name: str = "reach", version: int = 1, seed: int = 0, **changes: Any) -> Skill:
    network = Mlp(inputs=3, outputs=2, hidden=(4,))
    manifest = Manifest(
        name=name,
        version=version,
        task="reach",
        contract=CONTRACT,
        network=network,
        origin="initial" if version == 1 else "upload",
    )
    return initial_skill(manifest.model_copy(update=changes), seed=seed)


def tensors_like(skill: Skill, fill: float) -> Tensors:
    return {name: np.full(tensor.shape, fill) for name, tensor in skill.tensors.items()}


def random_tensors(skill: Skill, seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=tensor.shape) for name, tensor in skill.tensors.items()}


def asked_tensors(skill: Skill, plan: TrainingPlan, seed: int) -> Tensors:
    """Any numbers for each tensor that the plan asks of a robot; what is carried is short."""
    rng = np.random.default_rng(seed)
    shapes = shapes_of_delta(skill.manifest, plan)
    return {name: (0.1 if is_carried(name) else 1.0) * rng.normal(size=shapes[name]) for name in shapes}


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class StubGate:
    """Scores by version number; counts what it was asked to measure."""

    scores: dict[int, float] = field(default_factory=dict)
    asked: list[tuple[int, int | None]] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        if does_nothing(candidate):
            return NOTHING
        self.asked.append((candidate.manifest.version, current.manifest.version if current else None))
        if self.error is not None:
            raise self.error
        mine = self._score(candidate)
        theirs = self._score(current) if current else None
        return GateReport(
            passed=theirs is None or mine.score >= theirs.score - plan.margin,
            reason="Measured by a stub.",
            candidate=mine,
            current=theirs,
            seconds=0.0,
        )

    def _score(self, skill: Skill) -> ScoreView:
        score = self.scores.get(skill.manifest.version, 0.5)
        return ScoreView(score=score, low=0, high=1, episodes=1)


class Robot:
    """Signs every request with its own key."""

    def __init__(
        self,
        client: httpx.Client,
        clock: Callable[[], datetime],
        robot_id: str,
        key: SigningKey,
        first_nonce: int = 1,
    ) -> None:
        self.client = client
        self.clock = clock
        self.robot_id = robot_id
        self.key = key
        self._nonces = itertools.count(first_nonce)

    def headers(self, method: str, target: str, body: bytes, *, nonce: str = "") -> dict[str, str]:
        return signed_headers(
            self.key,
            robot_id=self.robot_id,
            method=method,
            target=target,
            body=body,
            created=int(self.clock().timestamp()),
            nonce=nonce or f"{self.robot_id}-{next(self._nonces):08d}",
        )

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        target = API + path
        signed = self.headers(method, target, body)
        return self.client.request(method, target, content=body, headers={**signed, **headers})

    def assignment(self, skill: str = "reach") -> Assignment | None:
        response = self.request("GET", f"/robots/me/assignment?skill={skill}")
        if response.status_code == 204:
            return None
        return Assignment.model_validate_json(ok(response).content)

    def delta(self, work: Assignment, tensors: Tensors, **changes: Any) -> bytes:
        header = {
            "base": work.base.digest,
            "round_id": work.round_id,
            "robot_id": self.robot_id,
            "codec": "raw",
            "samples": 100,
            "metrics": {"success": 0.5},
        }
        return Delta(DeltaHeader.model_validate({**header, **changes}), tensors).to_bytes()

    def push(self, round_id: str, data: bytes, *, signature: str | None = None) -> httpx.Response:
        signed = self.key.sign(delta_statement(digest_of(data))) if signature is None else signature
        return self.request("POST", f"/rounds/{round_id}/deltas", data, **{DELTA_SIGNATURE_HEADER: signed})


def publish_file(
    services: Services, data: bytes, by: Principal, visibility: Visibility | None = None
) -> tuple[VersionView, bool]:
    """As a route would, past the web."""
    with services.storage.spool.file() as file:
        file.write(data)
        return services.catalogue.skills.publish(file, by=by, visibility=visibility)


def ok(response: httpx.Response) -> httpx.Response:
    assert response.is_success, response.text
    return response


class Hall:
    """One hub as its users see it. The engine moves only when `turn` is called."""

    portal: BlockingPortal | None = None

    def __init__(self, settings: Settings, gate: StubGate, clock: Hands) -> None:
        self.settings = settings
        self.gate = gate
        self.clock = clock
        with_tables(settings)
        self.app: FastAPI = create_app(settings, gate=gate, clock=clock)
        client = TestClient(self.app, raise_server_exceptions=False)
        client.portal = self.portal
        self.client: httpx.Client = client
        self.operator = {"Authorization": f"Bearer {ADMIN}"}

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    def get(self, path: str) -> Any:
        """What is there; of a list all entries, page by page."""
        found = ok(self.client.get(API + path, headers=self.operator)).json()
        if not isinstance(found, dict) or found.keys() != {"items", "next"}:
            return found
        entries = found["items"]
        while found["next"]:
            query = {"cursor": found["next"]}
            found = ok(self.client.get(API + path, params=query, headers=self.operator)).json()
            entries += found["items"]
        return entries

    def post(self, path: str, message: Any = None) -> httpx.Response:
        return self.client.post(API + path, json=message, headers=self.operator)

    def publish(self, skill: Skill, by: Headers | None = None, visibility: str = "") -> httpx.Response:
        query = f"?visibility={visibility}" if visibility else ""
        target = f"{API}/skills{query}"
        return self.client.post(target, content=skill.to_bytes(), headers=by or self.operator)

    def release(self, number: int = 1, name: str = "reach", reason: str = "") -> ReleaseView:
        """Have a version measured and made stable, as far as the gate lets it."""
        path = f"{API}/skills/{name}/channels/stable"
        answer = ok(self.client.put(path, json={"version": number, "reason": reason}, headers=self.operator))
        self.services.catalogue.releaser.work()

        def ended() -> ReleaseView | None:
            """Where loops run, one of theirs may be at it."""
            shown = ok(self.client.get(answer.headers["location"], headers=self.operator)).json()
            view = ReleaseView.model_validate(shown)
            return view if view.finished_at else None

        return eventually(ended, "the end of a release")

    def release_with(self, key: SigningKey, number: int, name: str = "reach") -> ReleaseView:
        """Release a version with its organisation's own key, as `zunft skill release --key` does."""
        path = f"{API}/skills/{name}/channels/stable"
        move = {"version": number, "key": key.public.text}
        asked = ok(self.client.put(path, json=move, headers=self.operator))
        self.services.catalogue.releaser.work()
        shown = ok(self.client.get(asked.headers["location"], headers=self.operator)).json()
        draft = ReleaseView.model_validate(shown).draft
        assert draft is not None, shown
        now = datetime.now(UTC)
        body = sign_release(key, name, draft.pointer, version=draft.version, now=now, before=draft.keys)
        move = {"version": number, "signed": body.decode()}
        return ReleaseView.model_validate(ok(self.client.put(path, json=move, headers=self.operator)).json())

    def organisation(self, name: str, **settings: Any) -> None:
        ok(self.post("/organisations", {"name": name, **settings}))

    def user(self, name: str, role: str, organisation: str = "guild") -> Headers:
        request = {"name": name, "role": role, "organisation": organisation}
        return {"Authorization": f"Bearer {ok(self.post('/users', request)).json()['token']}"}

    def enrol(self, name: str, embodiment: str = "ur5e", organisation: str = "guild") -> Robot:
        wanted = {"organisation": organisation}
        token = ok(self.post("/enrolment-tokens", wanted)).json()[0]["token"]
        key = SigningKey.generate()
        request = {"token": token, "name": name, "embodiment": embodiment, "public_key": key.public.text}
        robot_id = ok(self.post("/robots", request)).json()["robot_id"]
        return Robot(self.client, self.clock, robot_id, key)

    def start(self, **order: Any) -> str:
        request = {
            "skill": "reach",
            "rounds": 3,
            "quorum": 2,
            "deadline_seconds": 60,
            "merge": MERGE,
            **order,
        }
        return str(ok(self.post("/campaigns", request)).json()["campaign_id"])

    def campaign(self, campaign_id: str) -> CampaignView:
        return CampaignView.model_validate(self.get(f"/campaigns/{campaign_id}"))

    def round(self, round_id: str) -> RoundView:
        return RoundView.model_validate(self.get(f"/rounds/{round_id}"))

    def version(self, ref: str | int, name: str = "reach") -> VersionView:
        return VersionView.model_validate(self.get(f"/skills/{name}/versions/{ref}"))

    def skill(self, ref: str | int) -> Skill:
        response = self.client.get(f"{API}/skills/reach/versions/{ref}/file")
        return Skill.from_bytes(ok(response).content)

    def turn(self) -> None:
        """Let the engine work until it waits for somebody."""
        for _ in range(20):
            if not self.services.rounds.engine.run_once():
                return
        pytest.fail("the engine never comes to rest")

    def tidy(self) -> None:
        """As if it were much later: what was thrown away is deleted."""
        replace(self.services.storage.discards, clock=lambda: self.clock() + 2 * GRACE).sweep()

    def blobs(self) -> set[str]:
        folder = self.settings.data_dir / "blobs"
        return {path.name for path in folder.rglob("*") if path.is_file()}

    def error(self, response: httpx.Response, status: int) -> dict[str, str]:
        assert response.status_code == status, response.text
        body = json.loads(response.content)
        assert set(body) == {"error"}
        assert set(body["error"]) == {"code", "message", "where", "remedy", "request_id"}
        assert body["error"]["message"]
        assert body["error"]["request_id"] == response.headers["x-request-id"]
        found: dict[str, str] = body["error"]
        return found

    def trace(self) -> tuple[set[str], list[tuple[object, ...]]]:
        """Everything of deltas and events that lasts: blobs and rows."""
        with self.services.storage.database.read() as session:
            rows = session.execute(text("SELECT digest FROM deltas")).all()
            events = session.execute(text("SELECT id, kind FROM events")).all()
        return self.blobs(), [tuple(row) for row in (*rows, *events)]

    def close(self) -> None:
        self.client.close()
        self.services.close()


@pytest.fixture(scope="session", autouse=True)
def one_event_loop() -> Iterator[None]:
    """For all hubs without a server: otherwise each request starts a loop and a thread of its own."""
    with start_blocking_portal() as portal:
        Hall.portal = portal
        yield


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return small_settings(tmp_path / "hub")


def small_settings(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder,
            "admin_token": ADMIN,
            "console": False,
            "leaderboards": False,
            "message_limit": 65_536,
            "delta_limit": 262_144,
        }
    )


@pytest.fixture
def hall(settings: Settings, clock: Hands) -> Iterator[Hall]:
    found = Hall(settings, StubGate(), clock)
    yield found
    found.close()


@pytest.fixture(params=["SQLite and files", "PostgreSQL and S3"])
def on_both(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The hub's settings on embedded and on real parts; the database is empty, the prefix new."""
    if request.param == "SQLite and files":
        return settings
    on_s3: Settings = request.getfixturevalue("on_s3")
    database: str = request.getfixturevalue("database_server")
    empty(database)
    return on_s3.model_copy(update={"database_url": database})


@pytest.fixture
def on_s3(settings: Settings, s3: S3Server) -> Settings:
    return with_store(settings, s3)


def with_store(settings: Settings, server: S3Server) -> Settings:
    """The settings with an S3 store; the prefix in the bucket is new."""
    prefix = secrets.token_hex(4)
    return settings.model_copy(
        update={
            "store_url": f"s3://{BUCKET}/{prefix}?endpoint={server.endpoint}&secure=0&region=us-east-1",
            "s3_access_key": SecretStr(server.access_key),
            "s3_secret_key": SecretStr(server.secret_key),
        }
    )


def empty(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


@dataclass
class Collecting:
    """A hub with two robots in an open round."""

    hall: Hall
    campaign_id: str
    robots: tuple[Robot, Robot]
    work: Assignment
    base: Skill


@pytest.fixture
def collecting(hall: Hall) -> Collecting:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = (hall.enrol("one"), hall.enrol("two", "panda"))
    campaign_id = hall.start()
    hall.turn()
    works = [robot.assignment() for robot in robots]
    assert works[0] is not None
    return Collecting(hall, campaign_id, robots, works[0], base)
