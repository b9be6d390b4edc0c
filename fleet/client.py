"""What robots and operators ask a hub, and what a robot believes of the answers.

A robot takes a skill only when its file is what the guild vouches for (`fleet.updater`). Limits, errors and
bytes are `fleet.connection`'s; when to ask is `fleet.agent`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx

from fleet import paths
from fleet.auth import TokenAuth
from fleet.connection import JSON, Connection
from fleet.downloads import attestations_of, envelope_of, fetch_version, gate_key_of
from fleet.people_orders import PeopleOrders
from fleet.transfer import ONE_REQUEST, push, slowest
from fleet.updater import Guild
from skills.container import digest_of
from skills.errors import (
    ForbiddenError,
    HubUnreachableError,
    SignatureError,
    UnauthorizedError,
    ZunftError,
)
from skills.files import Blob
from skills.fits import Abilities
from skills.manifest import Digest
from skills.messages.attestations import AttestationView, ScoreAttestation
from skills.messages.base import API, BLOB, DELTA_SIGNATURE_HEADER
from skills.messages.campaigns import CampaignPlan, CampaignRequest, CampaignView
from skills.messages.causes import Explanation
from skills.messages.comparisons import Comparison
from skills.messages.events import Event
from skills.messages.halls import HallPath, Recall, Recalled
from skills.messages.health import HealthAnswer, HealthReport
from skills.messages.leaderboards import REPLAY_LIMIT
from skills.messages.organisations import (
    VisibilityChange,
)
from skills.messages.overview import Overview
from skills.messages.replays import Film
from skills.messages.reports import Report
from skills.messages.robots import (
    Enrolled,
    EnrolmentRequest,
    Refusal,
)
from skills.messages.rounds import Assignment, DeltaReceipt
from skills.messages.skills import (
    ChannelMove,
    ChannelName,
    MinimumChange,
    ReleaseView,
    SkillView,
    VersionView,
    Visibility,
)
from skills.messages.tasks import TaskVersionView, TaskView
from skills.messages.uploads import DeltaPurpose, SkillPurpose, UploadRequest
from skills.messages.users import UserView
from skills.messages.webhooks import Redelivered, RedeliverRequest, TrialView, WebhookCreated, WebhookRequest
from skills.messages.withdrawals import WithdrawalRequest, WithdrawalView
from skills.signing import SigningKey, VerifyKey, delta_statement
from skills.skill import Skill

__all__ = ["HubClient", "OperatorClient", "enrol"]

LONGEST_WAIT = 20.0  # seconds for which a question is held at most: less than a connection's patience


def enrol(base_url: str, request: EnrolmentRequest, transport: httpx.BaseTransport | None = None) -> Enrolled:
    """Join a guild with a one-time token.

    Raises:
        HubUnreachableError: No answer; ask again with the same key.
        ZunftError: The hub refused, as its error says.
    """
    connection = Connection(base_url, transport=transport)
    try:
        return connection.ask(Enrolled, "POST", f"{API}/robots", request)
    finally:
        connection.close()


@dataclass
class HubClient:
    """An enrolled robot's line to its hub.

    Attributes:
        connection: Signs with the robot's key (`fleet.auth.ProofAuth`).
        key: Signs deltas.
        guild: What this robot believes; only what it vouches for is taken.
        untold: What it refused, to be told with the next question for work.
        news: What is new of itself, to be told so, too.
    """

    connection: Connection
    key: SigningKey
    guild: Guild
    untold: Refusal | None = field(default=None, init=False)
    news: Report | None = field(default=None, init=False)

    def tell_abilities(self, said: Abilities) -> None:
        """Say what this robot serves; a hub of another version that does not take it goes without.

        Raises:
            HubUnreachableError: No answer.
            UnauthorizedError, ForbiddenError, SignatureError: The hub does not know this robot.
        """
        body = said.model_dump_json().encode()
        try:
            self.connection.send("PUT", f"{API}/robots/me/abilities", body=body, headers=JSON)
        except (HubUnreachableError, UnauthorizedError, ForbiddenError, SignatureError):
            raise
        except ZunftError:
            return

    def tell_health(self, said: HealthReport) -> HealthAnswer:
        """Ask what is usual for a machine of this kind, and tell of one's own.

        Raises:
            HubUnreachableError: No answer.
            ZunftError: The hub refused, as its error says.
        """
        return self.connection.ask(HealthAnswer, "POST", f"{API}/robots/me/health", said)

    def assignment(self, skill: str, *, wait_seconds: float = 0, trains: bool = True) -> Assignment | None:
        """What there is to do now for this skill, or so many seconds from now at the latest; or None.

        What this robot refused lately goes with the question, and what is new of itself. A robot that does
        not train says so, and is given nothing to do.
        """
        path = f"{API}/robots/me/assignment?skill={quote(skill)}"
        waiting = f"&wait_seconds={min(wait_seconds, LONGEST_WAIT):.3f}" if wait_seconds else ""
        refused = f"&refused={quote(self.untold.model_dump_json(), safe='')}" if self.untold else ""
        said = self.news.model_dump_json(exclude_defaults=True) if self.news else ""
        report = f"&report={quote(said, safe='')}" if said else ""
        idle = "" if trains else "&trains=false"
        reply = self.connection.send("GET", path + waiting + refused + report + idle)
        self.untold = self.news = None
        return None if reply.status == 204 or not trains else self.connection.parse(Assignment, reply)

    def hall_path(self) -> HallPath:
        """The hub's id as a hall, and those of the halls above it, for a hall that has joined."""
        return self.connection.ask(HallPath, "GET", f"{API}/halls/path")

    def recall(self, rounds: Sequence[str]) -> Recalled:
        """Take back what one brought for these rounds, as a hall does; asked again, nothing is left."""
        return self.connection.ask(Recalled, "POST", f"{API}/halls/recalls", Recall(rounds=tuple(rounds)))

    def version(self, skill: str, ref: str) -> VersionView:
        """One version by number or channel, as the hub describes it: not yet verified."""
        return self.connection.ask(VersionView, "GET", paths.version(skill, ref))

    def attestations(self, version: VersionView) -> list[AttestationView]:
        """What vouches for a version, as the hub lists it: not yet verified."""
        return attestations_of(self.connection, version)

    def envelope(self, version: VersionView, digest: Digest, limit: int) -> bytes:
        """One attestation; see `envelope_of`."""
        return envelope_of(self.connection, version, digest, limit)

    def learn_gate_key(self, hub_key: VerifyKey) -> VerifyKey:
        """Whose word on what the gate found counts, signed by the key that this robot pinned.

        Raises:
            SignatureError: Not signed by the hub that this robot joined.
            HubUnreachableError: No answer.
        """
        return gate_key_of(self.connection, hub_key)

    def fetch_skill(self, version: VersionView, target: Path) -> Skill:
        """Download the file of a version that was vouched for; what an earlier try left beside it is used.

        Raises:
            ArtefactError: Larger than announced, another digest, or damaged.
            HubUnreachableError: The download broke off; fetch again, and it goes on from there.
        """
        return fetch_version(self.connection, version, None, target)

    def push_delta(self, round_id: str, delta: Blob) -> DeltaReceipt:
        """Hand in a delta file, a large one in parts; pushing the same one again is harmless.

        Raises:
            ConflictError: The round is over, or has another delta of this robot.
            ZunftError: Refused, as the hub's error says.
        """
        digest = digest_of(delta)
        signature = self.key.sign(delta_statement(digest))
        if len(delta) > ONE_REQUEST:
            purpose = DeltaPurpose(round_id=round_id, signature=signature)
            request = UploadRequest(digest=digest, size=len(delta), purpose=purpose)
            return push(self.connection, request, delta, DeltaReceipt)
        reply = self.connection.send(
            "POST",
            f"{API}/rounds/{quote(round_id, safe='')}/deltas",
            body=bytes(delta),
            headers={"Content-Type": BLOB, DELTA_SIGNATURE_HEADER: signature},
        )
        return self.connection.parse(DeltaReceipt, reply)


@dataclass
class OperatorClient(PeopleOrders):
    """A user's line to the hub; what it may do follows from the token's role."""

    @classmethod
    def open(cls, base_url: str, token: str, transport: httpx.BaseTransport | None = None) -> OperatorClient:
        """Connect with a user's API token; without one, to read a public catalogue."""
        auth = TokenAuth(token) if token else None
        return cls(Connection(base_url, auth=auth, transport=transport))

    def publish_skill(self, skill: Skill, visibility: Visibility | None = None) -> VersionView:
        """Put a version into the catalogue, a large file in parts; `visibility`: who may see a new name."""
        if skill.size > ONE_REQUEST:
            purpose = SkillPurpose(visibility=visibility)
            request = UploadRequest(digest=skill.digest, size=skill.size, purpose=purpose)
            return push(self.connection, request, skill.blob, VersionView)
        query = f"?visibility={visibility}" if visibility else ""
        reply = self.connection.send(
            "POST", f"{API}/skills{query}", body=skill.to_bytes(), headers={"Content-Type": BLOB}
        )
        return self.connection.parse(VersionView, reply)

    def overview(self) -> Overview:
        """What goes on now, what needs a person, what happened last."""
        return self.connection.ask(Overview, "GET", f"{API}/overview")

    def skill(self, name: str) -> SkillView:
        """One skill with its channels."""
        return self.connection.ask(SkillView, "GET", paths.skill(name))

    def version(self, name: str, ref: str) -> VersionView:
        """One version by number or channel."""
        return self.connection.ask(VersionView, "GET", paths.version(name, ref))

    def fetch_skill(self, version: VersionView, key: VerifyKey | None, target: Path) -> Skill:
        """Download the file of a version and verify its digest, and its signature where a key is given.

        Raises:
            SignatureError: Another key signed it.
            ArtefactError: Larger than announced, another digest, or damaged.
            HubUnreachableError: The download broke off; fetch again, and it goes on from there.
        """
        return fetch_version(self.connection, version, key, target)

    def attestations(self, version: VersionView) -> list[AttestationView]:
        """What vouches for a version, as the hub lists it: not yet verified."""
        return attestations_of(self.connection, version)

    def envelope(self, version: VersionView, digest: Digest, limit: int) -> bytes:
        """One attestation; see `envelope_of`."""
        return envelope_of(self.connection, version, digest, limit)

    def me(self) -> UserView:
        """Who asks."""
        return self.connection.ask(UserView, "GET", f"{API}/users/me")

    def attest_score(self, version: VersionView, envelope: bytes) -> AttestationView:
        """Hand in what one scored of a version; the board shows who confirms."""
        path, score = (
            paths.attestations(version.skill, version.version),
            ScoreAttestation(envelope=envelope.decode()),
        )
        return self.connection.ask(AttestationView, "POST", path, score)

    def gate_key(self, hub_key: VerifyKey | None) -> VerifyKey:
        """Whose word on what the gate found counts, as the hub says, or has signed where its key is given."""
        return gate_key_of(self.connection, hub_key)

    def replay(self, task: str, skill: str) -> bytes:
        """The replay beside a skill's score, a file for `envs.replay.read_replay`."""
        path = f"{paths.board(task)}/{quote(skill, safe='')}/replay"
        return self.connection.send("GET", path, limit=REPLAY_LIMIT).body

    def move_channel(
        self,
        name: str,
        channel: ChannelName,
        version: int,
        *,
        reason: str = "",
        lowest: int | None = None,
        key: str = "",
        signed: str = "",
    ) -> ReleaseView:
        """Release a version, or roll back to it; where it has to be measured first, ask `release` later.

        `key`, `signed`: see `ChannelMove`.
        """
        return self.connection.ask(
            ReleaseView,
            "PUT",
            f"{paths.skill(name)}/channels/{channel}",
            ChannelMove(version=version, reason=reason, lowest=lowest, key=key, signed=signed),
        )

    def release(self, name: str, release_id: str) -> ReleaseView:
        """What became of a release."""
        return self.connection.ask(
            ReleaseView, "GET", f"{paths.skill(name)}/releases/{quote(release_id, safe='')}"
        )

    def explain(self, name: str, ref: str) -> Explanation:
        """Have the hub find what goes with a version's failures, and wait."""
        return self.connection.ask(Explanation, "POST", f"{paths.version(name, ref)}/causes")

    def compare(self, name: str, ref: str, other: str) -> Comparison:
        """Have the hub hold two versions to each other, and wait."""
        path = f"{paths.version(name, ref)}/comparisons/{quote(other, safe='')}"
        return self.connection.ask(Comparison, "POST", path)

    def film(self, name: str, ref: str, embodiment: str) -> Film:
        """Have the hub record episodes of a version, and wait."""
        path = f"{paths.version(name, ref)}/films/{quote(embodiment, safe='')}"
        return self.connection.ask(Film, "POST", path)

    def change_minimum(self, name: str, minimum: float | None) -> SkillView:
        """Say what the first stable version must reach; None: more than doing nothing."""
        return self.connection.ask(
            SkillView, "PUT", f"{paths.skill(name)}/minimum", MinimumChange(minimum=minimum)
        )

    def change_visibility(self, name: str, visibility: Visibility) -> SkillView:
        """Say who may see a skill from now on."""
        change = VisibilityChange(visibility=visibility)
        return self.connection.ask(SkillView, "PUT", f"{paths.skill(name)}/visibility", change)

    def publish_task(self, archive: bytes, visibility: Visibility | None = None) -> TaskVersionView:
        """Have a task's bundle taken in and checked; `visibility`: who may see a new name."""
        query = f"?visibility={visibility}" if visibility else ""
        return self.connection.parse(
            TaskVersionView,
            self.connection.send(
                "POST",
                f"{API}/tasks{query}",
                body=archive,
                headers={"Content-Type": BLOB},
                seconds=slowest(self.connection, len(archive)),
            ),
        )

    def task(self, name: str) -> TaskView:
        """One task."""
        return self.connection.ask(TaskView, "GET", paths.task(name))

    def task_version(self, name: str, number: int) -> TaskVersionView:
        """One version of a task, with what the hub's checker found."""
        return self.connection.ask(TaskVersionView, "GET", f"{paths.task(name)}/versions/{number}")

    def advice(self, skill: str) -> CampaignPlan:
        """What the skill's task advises whoever orders a campaign."""
        return self.connection.ask(CampaignPlan, "GET", f"{paths.skill(skill)}/advice")

    def start_campaign(self, order: CampaignRequest) -> CampaignView:
        """Give a standing order."""
        return self.connection.ask(CampaignView, "POST", f"{API}/campaigns", order)

    def campaign(self, campaign_id: str) -> CampaignView:
        """A campaign and its newest rounds."""
        return self.connection.ask(CampaignView, "GET", paths.campaign(campaign_id))

    def stop_campaign(self, campaign_id: str) -> CampaignView:
        """End a campaign; what is published stays."""
        return self.connection.ask(CampaignView, "POST", f"{paths.campaign(campaign_id)}/stop")

    def add_webhook(self, request: WebhookRequest) -> WebhookCreated:
        """A webhook and the secret that is shown once."""
        return self.connection.ask(WebhookCreated, "POST", f"{API}/webhooks", request)

    def remove_webhook(self, webhook_id: str) -> None:
        """Tell it nothing more."""
        self.connection.send("DELETE", paths.webhook(webhook_id))

    def test_webhook(self, webhook_id: str) -> TrialView:
        """Have one message sent to it; ask `trial` what became of it."""
        return self.connection.ask(TrialView, "POST", f"{paths.webhook(webhook_id)}/test")

    def trial(self, webhook_id: str) -> TrialView:
        """What became of the last message of a trial."""
        return self.connection.ask(TrialView, "GET", f"{paths.webhook(webhook_id)}/test")

    def redeliver(self, webhook_id: str, request: RedeliverRequest) -> Redelivered:
        """Try dead letters again."""
        return self.connection.ask(Redelivered, "POST", f"{paths.webhook(webhook_id)}/redeliver", request)

    def withdraw_robot(self, robot_id: str, request: WithdrawalRequest) -> WithdrawalView:
        """Have a robot forgotten, or hear what that would change."""
        path = f"{API}/robots/{quote(robot_id, safe='')}/withdrawal"
        return self.connection.ask(WithdrawalView, "POST", path, request)

    def withdrawal(self, withdrawal_id: str) -> WithdrawalView:
        """How far it is, and what it changed."""
        path = f"{API}/withdrawals/{quote(withdrawal_id, safe='')}"
        return self.connection.ask(WithdrawalView, "GET", path)

    def events(self, after: int | None = None) -> Iterator[Event]:
        """The hub's events as they happen; `after` resumes behind an event's id."""
        resume = {} if after is None else {"Last-Event-ID": str(after)}
        for line in self.connection.lines(f"{API}/events", {"Accept": "text/event-stream", **resume}):
            if line.startswith("data:"):
                yield Event.model_validate_json(line.removeprefix("data:"))
