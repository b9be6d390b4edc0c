"""Everything that robots, researchers, operators and the hub say to each other over HTTP.

Models only: fleet and hub meet here and nowhere else. Skill and delta files travel as raw bytes
beside these messages, never inside them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from skills.manifest import Digest, Manifest, Name

__all__ = [
    "API",
    "BLOB",
    "DELTA_SIGNATURE_HEADER",
    "Assignment",
    "AuditEntry",
    "CampaignRequest",
    "CampaignView",
    "Channel",
    "ChannelMove",
    "DeltaReceipt",
    "Enrolled",
    "EnrolmentRequest",
    "EnrolmentToken",
    "EnrolmentTokenRequest",
    "ErrorBody",
    "ErrorDetail",
    "Event",
    "GatePlan",
    "GateReport",
    "Label",
    "MergePlan",
    "Message",
    "MinimumChange",
    "OptimiserName",
    "ReleaseState",
    "ReleaseView",
    "RobotView",
    "Role",
    "RoundState",
    "RoundView",
    "RuleName",
    "ScoreView",
    "SkillView",
    "TrainingPlan",
    "UserCreated",
    "UserRequest",
    "UserRole",
    "UserView",
    "VersionView",
    "Visibility",
]

API = "/api/v1"
BLOB = "application/vnd.zunft"
DELTA_SIGNATURE_HEADER = "Zunft-Delta-Signature"

Label = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Role = Literal["robot", "researcher", "operator", "admin"]
UserRole = Literal["researcher", "operator", "admin"]
Channel = Literal["candidate", "stable"]
ReleaseState = Literal["queued", "measuring", "released", "refused"]
Visibility = Literal["private", "organisation", "guild"]
RuleName = Literal[
    "mean",
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "bulyan",
    "geometric-median",
    "centred-clipping",
    "mda",
    "fltrust",
    "task-arithmetic",
    "ties",
    "dare",
]
OptimiserName = Literal["momentum", "adam", "yogi", "adagrad"]
RoundState = Literal["open", "closing", "merging", "gating", "published", "rejected", "failed"]


class Message(BaseModel):
    """Immutable and strict about its fields, so that a misspelt one is an error and not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorDetail(Message):
    """The one error shape: a word for programs, a sentence for people, where, and what to do."""

    code: str
    message: str
    where: str = ""
    remedy: str = ""
    request_id: str = ""


class ErrorBody(Message):
    """Body of every answer with status 4xx or 5xx."""

    error: ErrorDetail


class EnrolmentTokenRequest(Message):
    """An operator asks for tokens that each enrol one robot, by default into the operator's organisation."""

    organisation: Label | None = None
    count: int = Field(default=1, ge=1, le=1000)
    valid_seconds: int = Field(default=86_400, ge=60, le=31_536_000)


class EnrolmentToken(Message):
    """Shown once; the hub keeps only its hash."""

    token: str
    organisation: str
    expires_at: datetime


class EnrolmentRequest(Message):
    """A robot joins with a one-time token and the public half of its own key."""

    token: str = Field(min_length=16, max_length=256)
    name: Label
    embodiment: Name
    public_key: str = Field(min_length=20, max_length=128)


class Enrolled(Message):
    """The hub's answer: the robot's name for all time, and the key that signs the guild's skills."""

    robot_id: str
    organisation: str
    hub_key: str


class RobotView(Message):
    """A robot as operators see it."""

    robot_id: str
    name: str
    organisation: str
    embodiment: str
    enrolled_at: datetime
    last_seen_at: datetime | None = None


class UserRequest(Message):
    """An admin creates a user."""

    name: Label
    role: UserRole
    organisation: Label = "guild"
    valid_days: int = Field(default=365, ge=1, le=3650)


class UserCreated(Message):
    """The user's API token, shown once; the hub keeps only its hash."""

    name: str
    role: Role
    token: str
    expires_at: datetime


class UserView(Message):
    """A user as admins see it, and everybody sees themselves.

    `expires_at` is when the last token does, None where one never does or there is none; `issuer` is where
    the user signs in, empty for those who have tokens alone.
    """

    name: str
    role: Role
    organisation: str
    created_at: datetime
    expires_at: datetime | None
    issuer: str = ""


class ScoreView(Message):
    """Success rate with a Wilson 95 % interval over held-out episodes, and their mean sum of rewards."""

    score: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    episodes: int = Field(ge=1)
    mean_return: float | None = None


class GateReport(Message):
    """What the gate measured: candidate and current version on the same seeds, per embodiment.

    Attributes:
        reached: Whether it reached the skill's minimum; None: it was not held to it.
        nothing: What doing nothing scores, where that is the minimum.
        exploring: How the candidate did with the noise with which its training would begin, in few episodes.
        current_exploring: The same of the current version.
    """

    passed: bool
    reason: str
    candidate: ScoreView
    current: ScoreView | None = None
    reached: bool | None = None
    nothing: ScoreView | None = None
    by_embodiment: dict[str, ScoreView] = Field(default_factory=dict)
    exploring: ScoreView | None = None
    current_exploring: ScoreView | None = None
    seconds: float = Field(ge=0)


class VersionView(Message):
    """One version of a skill in the catalogue."""

    skill: str
    version: int
    digest: Digest
    size: int
    origin: str
    task: str
    parents: tuple[Digest, ...] = ()
    round_id: str | None = None
    contributors: int = 0
    samples: int = 0
    created_at: datetime
    channels: tuple[str, ...] = ()
    score: ScoreView | None = None
    gate: GateReport | None = None
    withdrawn: bool = False
    signature: str
    manifest: Manifest


class SkillView(Message):
    """A skill with its newest stable version, its owner, and who may see it.

    Attributes:
        minimum: Success that a version must reach before it becomes stable; None: more than doing nothing.
    """

    name: str
    organisation: str
    visibility: Visibility
    task: str
    summary: str
    versions: int
    stable: VersionView | None
    candidate: VersionView | None
    minimum: float | None = None
    updated_at: datetime


class MinimumChange(Message):
    """What a version must reach before it becomes stable; None: more success than doing nothing."""

    minimum: float | None = Field(ge=0, le=1)


class ChannelMove(Message):
    """An operator points a channel at a version: a release or a rollback."""

    version: int = Field(ge=1, le=1_000_000_000)


class ReleaseView(Message):
    """What becomes of a release or a rollback: the version is measured first, if it never was.

    Attributes:
        reason: Why it was refused, or what the measurement said.
        gate: What was measured for it; None where nothing had to be.
    """

    release_id: str
    skill: str
    version: int
    channel: Channel
    state: ReleaseState
    reason: str = ""
    gate: GateReport | None = None
    asked_at: datetime
    finished_at: datetime | None = None


class TrainingPlan(Message):
    """What each robot does in a round; the learning rate falls from first to last over the campaign.

    Attributes:
        iterations: Batches collected and learned from before the delta is sent.
        proximal: FedProx mu (Li et al. 2020); 0 leaves it out.
        clip_norm: Largest Euclidean norm of a delta.
    """

    iterations: int = Field(default=3, ge=1, le=10_000)
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    final_learning_rate: float = Field(default=1e-4, gt=0, le=1)
    proximal: float = Field(default=0.0, ge=0, le=100)
    clip_norm: float = Field(default=50.0, gt=0, le=1e6)
    codec: str = Field(default="fp16", max_length=32)

    def rate_of_round(self, number: int, rounds: int) -> float:
        """The rate of round `number` (from 1) of `rounds`: a straight line from first to last."""
        share = (number - 1) / max(1, rounds - 1)
        return self.learning_rate + (self.final_learning_rate - self.learning_rate) * share


class MergePlan(Message):
    """How deltas become one update: clip, mix, rule, and the server's step. See docs/merging.md.

    Attributes:
        rule: What is done with the deltas of a round; `fltrust` costs the gate one measurement a delta.
        options: The rule's own, such as `trim` or `byzantine`.
        clip: Deltas longer than so many times the median length are scaled down to it; None: none is.
        mixing: Whether each delta is first replaced by the mean of its nearest; needs `byzantine`.
        sample_cap: Environment steps beyond which a robot's weight no longer grows.
        max_staleness: How many rounds late a delta may come and still count, with weight / sqrt(1 + rounds).
        optimiser: What turns the merged delta into a step; `momentum` with momentum 0 only scales it.
        momentum: Share of the last step that is taken again.
        step: Factor on the merged delta; robots' deltas are nearly orthogonal, so their mean is short.
        learning_rate: Of `adam`, `yogi` and `adagrad`: about how far a weight moves in a round.
        beta1: Of the same: share of the merged delta's running mean that is kept.
        beta2: Of `adam` and `yogi`: share of its running square that is kept.
        tau: Of the same: merged deltas far below it hardly move a weight.
    """

    rule: RuleName = "mean"
    options: dict[str, Whole | Finite] = Field(default_factory=dict, max_length=16)
    clip: float | None = Field(default=None, gt=0, le=1e6)
    mixing: bool = False
    sample_cap: int = Field(default=100_000, ge=1, le=10**12)
    max_staleness: int = Field(default=0, ge=0, le=1000)
    optimiser: OptimiserName = "momentum"
    momentum: float = Field(default=0.0, ge=0, lt=1)
    step: float = Field(default=1.5, gt=0, le=10)
    learning_rate: float = Field(default=0.01, gt=0, le=10)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    tau: float = Field(default=1e-3, gt=0, le=10)

    def rule_in_words(self) -> str:
        """Chain and rule on one line: `clip 3, mixing, trimmed-mean (trim 0.2)`."""
        options = ", ".join(f"{name} {value:g}" for name, value in self.options.items())
        rule = f"{self.rule} ({options})" if options else self.rule
        clip = [] if self.clip is None else [f"clip {self.clip:g}"]
        return ", ".join([*clip, *(["mixing"] if self.mixing else []), rule])

    def optimiser_in_words(self) -> str:
        """The server optimiser on one line: `momentum 0.5, step 1.5`."""
        if self.optimiser == "momentum":
            return f"momentum {self.momentum:g}, step {self.step:g}"
        return f"{self.optimiser}, learning rate {self.learning_rate:g}"


class GatePlan(Message):
    """How a candidate is examined on held-out variations.

    Attributes:
        episodes: For each embodiment.
        tolerance: How far the candidate's score may lie below the current version's.
    """

    embodiments: tuple[Name, ...] = ()
    episodes: int = Field(default=32, ge=1, le=10_000)
    seed: int = Field(default=20_000, ge=0, le=2**63 - 1)
    tolerance: float = Field(default=0.05, ge=0, le=1)


class CampaignRequest(Message):
    """An operator's standing order to improve one skill."""

    skill: Name
    rounds: int = Field(default=16, ge=1, le=100_000)
    quorum: int = Field(default=2, ge=1, le=100_000)
    target: int = Field(
        default=0, ge=0, le=100_000, description="Close as soon as so many came; 0 = every robot"
    )
    deadline_seconds: float = Field(default=600, gt=0, le=31_536_000)
    training: TrainingPlan = TrainingPlan()
    merge: MergePlan = MergePlan()
    gate: GatePlan = GatePlan()

    @model_validator(mode="after")
    def _target_reaches_quorum(self) -> CampaignRequest:
        if self.target and self.target < self.quorum:
            msg = f"target {self.target} is below quorum {self.quorum}"
            raise ValueError(msg)
        return self


class RoundView(Message):
    """A round as robots and operators see it; `waiting_for` says in words why it is where it is."""

    round_id: str
    campaign_id: str
    number: int
    state: RoundState
    base: Digest
    opened_at: datetime
    deadline: datetime
    deltas: int
    samples: int
    bytes: int
    waiting_for: str
    late: int = Field(default=0, description="How many of the deltas were made for earlier rounds.")
    candidate: Digest | None = None
    gate: GateReport | None = None
    metrics: dict[str, float] = Field(default_factory=dict)


class CampaignView(Message):
    """A campaign and its newest rounds, the last at the end: at most 100, in a list of campaigns one.

    `waiting_for` says in words why it is where it is.
    """

    campaign_id: str
    state: Literal["running", "finished", "stopped", "failed"]
    reason: str = ""
    waiting_for: str = ""
    order: CampaignRequest
    created_at: datetime
    rounds: tuple[RoundView, ...] = ()

    @property
    def rounds_ended(self) -> int:
        """How many of its rounds have ended, shown here or not."""
        if not self.rounds:
            return 0
        last = self.rounds[-1]
        return last.number if last.state in {"published", "rejected", "failed"} else last.number - 1


class Assignment(Message):
    """What a robot is asked to do now: train from `base` as `training` says and push to `round_id`.

    A delta that the robot still owes to one of the last `max_staleness` rounds is welcome, too.
    """

    campaign_id: str
    round_id: str
    number: int
    rounds: int
    base: VersionView
    deadline: datetime
    training: TrainingPlan
    learning_rate: float
    max_staleness: int = 0


class DeltaReceipt(Message):
    """The hub has the delta, durably. `duplicate` when it had it already.

    Attributes:
        round_id: The round in which it counts, `staleness` rounds after the one it was made for.
    """

    round_id: str
    digest: Digest
    status: Literal["admitted", "duplicate"]
    staleness: int = 0


class AuditEntry(Message):
    """One entry of the audit log: who did what to what, chained by `hash` to `previous`."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, str | int]
    previous: str
    hash: str


class Event(Message):
    """One line of the hub's event stream; `id` grows by one, so a listener can resume."""

    id: int
    kind: str
    at: datetime
    data: dict[str, Any]
