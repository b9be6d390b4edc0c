"""A hub in a thread, over real HTTP, that does as it is told: also lie, break off, forget to answer."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
from tuf.api.metadata import TargetFile

from hub.tuf.metadata import target
from skills.attestations import attest, read_attestation
from skills.container import digest_of
from skills.delta import Delta
from skills.errors import ArtefactError
from skills.fits import Abilities
from skills.messages.attestations import AttestationView, GateKey
from skills.messages.base import API, DELTA_SIGNATURE_HEADER, ErrorBody, ErrorDetail
from skills.messages.plans import GatePlan, TrainingPlan
from skills.messages.robots import Enrolled, Refusal, RootOfTrust
from skills.messages.rounds import Assignment, DeltaReceipt
from skills.messages.skills import VersionView
from skills.messages.tasks import TaskVersionView, TaskView
from skills.predicates import Decision, Figures, Gate, Release
from skills.proof import RequestProof
from skills.signing import (
    SigningKey,
    VerifyKey,
    delta_statement,
    gate_key_statement,
    root_statement,
    skill_statement,
)
from skills.skill import Skill
from skills.targets import TaskNote, task_target
from tests.signed_guild import SignedGuild

Fault = Literal[
    "503", "busy", "lose answer", "break off", "not json", "too much", "wrong file", "silent", "portal"
]
BUSY = ErrorDetail(code="too_many_requests", message="too many requests.")


@dataclass
class LyingHub:
    """What the hub knows, and in `faults` what it does to the next requests whose path contains a word."""

    key: SigningKey = field(default_factory=SigningKey.generate)
    gate_key: SigningKey = field(default_factory=SigningKey.generate)
    tells_gate_key: bool = True
    envelopes: dict[int, list[bytes]] = field(default_factory=dict)
    robots: dict[str, VerifyKey] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    versions: dict[int, VersionView] = field(default_factory=dict)
    stable: int = 0
    assignment: Assignment | None = None
    deltas: dict[str, bytes] = field(default_factory=dict)
    pushes: int = 0
    refusal: ErrorDetail | None = None
    faults: deque[tuple[str, Fault]] = field(default_factory=deque)
    told: list[Refusal] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    down: bool = False
    deaf: int = 0
    abilities: dict[str, Abilities] = field(default_factory=dict)
    silence: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    guild: SignedGuild = field(default_factory=SignedGuild)
    signed: tuple[object, ...] = ()
    frozen: bool = False
    tasks: dict[int, TaskVersionView] = field(default_factory=dict)
    archives: dict[int, bytes] = field(default_factory=dict)

    def metadata(self, name: str) -> bytes | None:
        """A signed file; unless frozen, what was changed is signed when the timestamp is asked for."""
        state = (*self.versions.values(), *self.tasks.values(), self.stable)
        if name == "timestamp.json" and not self.frozen and state != self.signed:
            self.signed = state
            self.guild.publish(self.versions, self.stable, more=[*map(_task_target, self.tasks.values())])
        return self.guild.files.get(name)

    def publish(
        self, skill: Skill, *, signer: SigningKey | None = None, vouchers: list[bytes] | None = None
    ) -> VersionView:
        """Make a skill the stable version; without a word, the gate saw it pass."""
        number, manifest = skill.manifest.version, skill.manifest
        self.files[number] = skill.to_bytes()
        self.versions[number] = VersionView(
            skill=manifest.name,
            version=number,
            digest=skill.digest,
            size=len(skill.to_bytes()),
            origin=manifest.origin,
            task=manifest.task,
            created_at=datetime.now(UTC),
            signature=(signer or self.key).sign(skill_statement(skill.digest)),
            manifest=manifest,
        )
        self.stable = number
        passed = gate_says(self.gate_key, skill) if vouchers is None else b""
        self.envelopes[number] = [passed] if vouchers is None else vouchers
        return self.versions[number]

    def order(self, number: int, *, codec: str = "raw", seconds: float = 600) -> Assignment:
        """Open a round on the stable version."""
        self.assignment = Assignment(
            campaign_id="campaign",
            round_id=f"round-{number}",
            number=number,
            rounds=9,
            base=self.versions[self.stable],
            deadline=datetime.now(UTC) + timedelta(seconds=seconds),
            training=TrainingPlan(iterations=3, codec=codec),
            learning_rate=1e-3,
        )
        return self.assignment

    def delta(self, round_id: str) -> Delta:
        """What was pushed for a round."""
        return Delta.from_bytes(self.deltas[round_id], self.versions[self.stable].manifest.network.shapes())

    def take_fault(self, path: str) -> Fault | None:
        """The fault that is due for this path."""
        if self.faults and self.faults[0][0] in path:
            return self.faults.popleft()[1]
        return None


def gate_says(
    key: SigningKey, skill: Skill, decision: Decision = "passed", *, subject: str = "", **changes: Any
) -> bytes:
    """The gate's word on a skill."""
    figures = Figures(score=0.0 if decision == "rejected" else 0.9, low=0, high=1, episodes=32)
    gate = Gate(
        reference=None,
        task=skill.manifest.task,
        task_digest=skill.manifest.task_digest,
        plan=GatePlan(),
        minimum=None,
        reached=decision == "passed",
        candidate=figures,
        current=None,
        nothing=None,
        by_embodiment={},
        decision=decision,
        reason="As the tests say.",
        code="0",
    )
    name = f"{skill.manifest.name}@{skill.manifest.version}"
    return attest(key, name, subject or skill.digest, gate.model_copy(update=changes))


def released_by(key: SigningKey, skill: Skill, by: str, reason: str = "") -> bytes:
    """The hub's word on who made a skill stable."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    number = skill.manifest.version
    said = Release(channel="stable", version=number, before=None, by=by, reason=reason, at=at)
    return attest(key, f"{skill.manifest.name}@{number}", skill.digest, said)


def listed_as(envelope: bytes) -> AttestationView:
    """How a hub lists an envelope, whatever is in it."""
    try:
        kind, signer = (found := read_attestation(envelope)).kind, found.signer.text
    except ArtefactError:
        kind, signer = "gate", "ed25519:"
    return AttestationView(
        digest=digest_of(envelope), kind=kind, signer=signer, size=len(envelope), made_at=datetime.now(UTC)
    )


def _task_target(view: TaskVersionView) -> TargetFile:
    note = TaskNote(bundle=view.bundle).model_dump(mode="json")
    return target(task_target(view.task, view.version), view.digest, view.size, note)


@contextmanager
def serve(hub: LyingHub) -> Iterator[LyingHub]:
    """Run the hub on a free port."""
    server = _QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.silence.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up on a lie is what tests want."""


class _Handler(BaseHTTPRequestHandler):
    hub: LyingHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_PUT(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *_: object) -> None:
        """Keep tests quiet."""

    def _answer(self, body: bytes) -> None:
        hub, path = self.hub, self.path.removeprefix(API)
        hub.requests.append(f"{self.command} {path}")
        fault = hub.take_fault(path)
        if hub.down or fault == "503":
            self._send(503, b"<html>the proxy is sorry</html>")
            return
        if fault == "silent":
            hub.silence.wait()
        if fault == "portal":
            self._send(403, b"<html>Please accept the hotel's terms</html>")
            return
        if fault == "busy":
            self._send(429, ErrorBody(error=BUSY).model_dump_json().encode(), retry_after=40)
            return
        status, answer = self._route(path, body)
        if fault == "lose answer":
            self.close_connection = True
        elif fault == "break off":
            self._send(status, answer[: len(answer) // 2], length=len(answer))
            self.close_connection = True
        elif fault == "not json":
            self._send(200, b"<html>Welcome to the hotel's network</html>")
        elif fault == "too much":
            self._send(status, answer + b"\0" * 100_000)
        elif fault == "wrong file":
            self._send(status, answer[:-1] + bytes([answer[-1] ^ 1]))
        else:
            self._send(status, answer)

    def _route(self, path: str, body: bytes) -> tuple[int, bytes]:
        hub = self.hub
        if path == "/robots":
            return self._enrol(json.loads(body))
        if path.startswith("/tasks/"):
            return self._task(path)
        if "/versions/" in path or path == "/gate-key":
            return self._show(path)
        if path.startswith("/tuf/"):
            return self._metadata(path)
        robot = self._robot(body)
        if path.startswith("/robots/me/assignment"):
            said = parse_qs(urlsplit(path).query).get("refused", [])
            hub.told += [Refusal.model_validate_json(each) for each in said]
            done = hub.assignment is None or f"{robot} {hub.assignment.round_id}" in hub.deltas
            return (
                (204, b"") if done or not hub.assignment else (200, hub.assignment.model_dump_json().encode())
            )
        return self._hear(robot, path, body)

    def _show(self, path: str) -> tuple[int, bytes]:
        hub = self.hub
        if path.endswith("/file"):
            hub.ranges.append(self.headers.get("Range", ""))
            start = int(hub.ranges[-1].removeprefix("bytes=").rstrip("-") or 0)
            return (206 if start else 200), hub.files[int(path.split("/")[-2])][start:]
        if "/attestations" in path or path == "/gate-key":
            return self._vouch(path)
        ref = path.rsplit("/", maxsplit=1)[-1]
        number = int(ref) if ref.isdigit() else hub.stable
        if number not in hub.versions:
            return self._refuse(404, ErrorDetail(code="not_found", message="no such version."))
        return 200, hub.versions[number].model_dump_json().encode()

    def _task(self, path: str) -> tuple[int, bytes]:
        hub, (name, *rest) = self.hub, path.split("/")[2:]
        if rest:
            number = int(rest[1])
            return 200, hub.archives[number] if rest[2:] else hub.tasks[number].model_dump_json().encode()
        view = TaskView(
            name=name,
            organisation="guild",
            visibility="guild",
            title="",
            summary="",
            licence="",
            state="listed",
            latest=max(hub.tasks),
            versions=tuple(hub.tasks),
            updated_at=datetime.now(UTC),
        )
        return 200, view.model_dump_json().encode()

    def _vouch(self, path: str) -> tuple[int, bytes]:
        if path == "/gate-key":
            text = self.hub.gate_key.public.text
            told = GateKey(gate_key=text, signature=self.hub.key.sign(gate_key_statement(text)))
            return 200, told.model_dump_json().encode()
        number = int(path.split("/versions/")[1].split("/", maxsplit=1)[0])
        envelopes = {digest_of(each): each for each in self.hub.envelopes.get(number, [])}
        if not path.endswith("/attestations"):
            return 200, envelopes[unquote(path.rsplit("/", maxsplit=1)[-1])]
        listed = [listed_as(each).model_dump(mode="json") for each in envelopes.values()]
        return 200, json.dumps(listed).encode()

    def _metadata(self, path: str) -> tuple[int, bytes]:
        guild, name = self.hub.guild, path.rsplit("/", maxsplit=1)[-1]
        if path.startswith("/tuf/roots/"):
            return 200, guild.root
        if path == "/tuf/first-root":
            root = guild.files["1.root.json"]
            said = RootOfTrust(
                root=root.decode(), signature=self.hub.key.sign(root_statement(digest_of(root)))
            )
            return 200, said.model_dump_json().encode()
        body = self.hub.metadata(name)
        if body is None:
            return self._refuse(404, ErrorDetail(code="not_found", message="no such metadata."))
        if name == "timestamp.json" and self.headers.get("If-None-Match") == guild.tag:
            return 304, b""
        return 200, body

    def _hear(self, robot: str, path: str, body: bytes) -> tuple[int, bytes]:
        if path != "/robots/me/abilities":
            return self._admit(robot, path.split("/")[2], body)
        if self.hub.deaf:
            return self._refuse(self.hub.deaf, ErrorDetail(code="error", message="what is that?"))
        self.hub.abilities[robot] = Abilities.model_validate_json(body)
        return 204, b""

    def _enrol(self, request: dict[str, str]) -> tuple[int, bytes]:
        robot_id = f"r-{request['name']}"
        known = self.hub.robots.setdefault(robot_id, VerifyKey(request["public_key"]))
        if known.text != request["public_key"]:
            return self._refuse(401, ErrorDetail(code="unauthorized", message="this token was used."))
        enrolled = Enrolled(
            robot_id=robot_id,
            organisation="guild",
            hub_key=self.hub.key.public.text,
            gate_key=self.hub.gate_key.public.text if self.hub.tells_gate_key else "",
        )
        return 201, enrolled.model_dump_json().encode()

    def _admit(self, robot: str, round_id: str, body: bytes) -> tuple[int, bytes]:
        hub = self.hub
        hub.pushes += 1
        if hub.refusal:
            return self._refuse(409, hub.refusal)
        hub.robots[robot].verify(self.headers[DELTA_SIGNATURE_HEADER], delta_statement(digest_of(body)))
        slot = f"{robot} {round_id}"
        status: Literal["admitted", "duplicate"] = "duplicate" if slot in hub.deltas else "admitted"
        if hub.deltas.setdefault(slot, body) != body:
            return self._refuse(409, ErrorDetail(code="conflict", message="another delta is here."))
        receipt = DeltaReceipt(round_id=round_id, digest=digest_of(body), status=status)
        return 201, receipt.model_dump_json().encode()

    def _robot(self, body: bytes) -> str:
        proof = RequestProof.read(httpx.Headers(self.headers.items()))
        proof.verify(self.hub.robots[proof.robot_id], method=self.command, target=self.path)
        proof.check_body(digest_of(body))
        return proof.robot_id

    def _refuse(self, status: int, detail: ErrorDetail) -> tuple[int, bytes]:
        return status, ErrorBody(error=detail).model_dump_json().encode()

    def _send(self, status: int, body: bytes, length: int | None = None, retry_after: int = 0) -> None:
        self.send_response(status)
        if retry_after:
            self.send_header("Retry-After", str(retry_after))
        if self.path.endswith("/timestamp.json"):
            self.send_header("ETag", self.hub.guild.tag)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
