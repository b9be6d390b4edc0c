"""What a job is: a plain description goes in, a plain result comes out. Blobs go through the store.

Light, so that the web process may know it: whoever does jobs (`hub.jobs.bench`) brings the heavy libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from envs.examination import Checked, CheckLimits
from hub.store import ObjectStore, open_store
from skills.errors import ZunftError
from skills.leaderboards import BoardPlan
from skills.manifest import Manifest
from skills.messages import GatePlan, GateReport, MergePlan, ScoreView
from skills.skill import Skill

__all__ = [
    "BenchPlan",
    "CheckJob",
    "Checked",
    "DeltaPart",
    "Gate",
    "GateJob",
    "Job",
    "JobAbandonedError",
    "Jobs",
    "Least",
    "MergeJob",
    "Merged",
    "Request",
    "Result",
    "ScoreJob",
    "Scored",
    "StoreAddress",
    "TaskSource",
    "WorkerDiedError",
    "WorkersAwayError",
    "never",
]

Gate = Callable[[Skill, Skill | None, GatePlan], GateReport]
"""Candidate, current version (None: there is none), plan. May take minutes; called where jobs are done."""


class _Plain(BaseModel):
    """Goes over a pipe or to another machine as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskSource(_Plain):
    """Where the archive of a published task lies: its digest, in a region's store."""

    digest: str
    region: str = ""


class CheckJob(_Plain):
    """Examine a published bundle in a process of its own."""

    kind: Literal["check"] = "check"
    task: TaskSource
    limits: CheckLimits


class DeltaPart(_Plain):
    """One admitted delta, as a merge needs it.

    Attributes:
        samples: Environment steps behind it.
        success: What its robot reported.
        norm: Its Euclidean length.
        staleness: Rounds that it came late.
    """

    digest: str
    size: int
    samples: int
    success: float | None
    norm: float
    staleness: int


class MergeJob(_Plain):
    """Merge a round's deltas into the next version.

    Attributes:
        base: Digest of the version that the update is added to.
        version: Number of the new version.
        optimiser_before: Digest of the server optimiser's state; None at the start.
        region: In whose store all of this lies; empty: in the hub's own.
        gate: How a rule that asks the gate measures.
        task: The skill's task, where it was published through the hub.
    """

    kind: Literal["merge"] = "merge"
    round_id: str
    base: str
    deltas: tuple[DeltaPart, ...]
    plan: MergePlan
    gate: GatePlan
    version: int
    optimiser_before: str | None
    region: str = ""
    task: TaskSource | None = None


class Merged(_Plain):
    """A candidate, which is in the store.

    Attributes:
        optimiser_after: Digest of the server optimiser's state, also in the store.
        root: How far each delta was trusted, by digest; None where the rule does not ask.
        device: What merged.
        metrics: See `hub.candidate.write_candidate`.
        seconds: How long it took.
    """

    digest: str
    size: int
    manifest: Manifest
    optimiser_after: str
    root: dict[str, float] | None
    device: str
    metrics: dict[str, float]
    seconds: float


class Least(_Plain):
    """What a version must reach to become the first stable one.

    Attributes:
        success: At least so much; None: more than doing nothing.
    """

    success: float | None


class GateJob(_Plain):
    """Measure a version, and the current one beside it where there is one; both lie in the region's store.

    Attributes:
        least: The minimum that the candidate is held to; None: it need not be.
        task: The skill's task, where it was published through the hub.
    """

    kind: Literal["gate"] = "gate"
    candidate: str
    current: str | None
    plan: GatePlan
    least: Least | None = None
    region: str = ""
    task: TaskSource | None = None


class ScoreJob(_Plain):
    """Score a version for the leaderboard of its task; it lies in the region's store.

    Attributes:
        task_digest: Of the task as the hub knows it: another one is refused.
        task: Where the bundle lies, where it was published through the hub.
    """

    kind: Literal["score"] = "score"
    skill: str
    task_digest: str
    plan: BoardPlan
    region: str = ""
    task: TaskSource | None = None


class Scored(_Plain):
    """What a version scored; its replay is in the region's store.

    Attributes:
        score: Over all embodiments.
        replay: Digest of the replay; None where the task has no scene.
        replay_size: Its bytes.
        made_with: See `hub.scoring.made_with`.
    """

    score: ScoreView
    by_embodiment: dict[str, ScoreView]
    replay: str | None
    replay_size: int
    made_with: str
    seconds: float


Job = MergeJob | GateJob | ScoreJob | CheckJob
Result = Merged | GateReport | Scored | Checked


class Request(_Plain):
    """A job on its way to whoever does it."""

    job: Job = Field(discriminator="kind")


class StoreAddress(_Plain):
    """Where a store is, and its credentials."""

    url: str
    access_key: str = Field(default="", repr=False)
    secret_key: str = Field(default="", repr=False)


class BenchPlan(_Plain):
    """What a bench is set up with, and whoever does jobs is told: no database, no key, no token.

    Attributes:
        stores: The object stores by region.
        spool: Folder for what a merge lays down meanwhile; None: the machine's own for temporary files.
        device: What merges, see `hub.merging.choose_engine`.
        on_ray: Whether jobs go on to a Ray cluster.
        ray_address: Of that cluster, or of the one that merges.
        background: Whether workers on this machine give way to everything else that computes.
    """

    stores: dict[str, StoreAddress]
    spool: Path | None
    device: str
    on_ray: bool = False
    ray_address: str = ""
    log_level: str = "INFO"
    background: bool = False

    def open_store(self, region: str = "") -> ObjectStore:
        """The store of a region, or the hub's own.

        Raises:
            StoreError: The address or the credentials cannot be used.
        """
        found = self.stores[region]
        return open_store(found.url, access_key=found.access_key, secret_key=found.secret_key)


class JobAbandonedError(ZunftError):
    """Nobody waits for this job any longer: the hub is going down, or another process has taken it over."""

    code = "hub_stopping"
    status = 503


class WorkerDiedError(ZunftError):
    """Whoever did the job ended without an answer, again and again: killed, or out of memory."""

    code = "worker_died"
    status = 500


class WorkersAwayError(ZunftError):
    """Who should do the job does not answer; it comes back, and then the same job may be done."""

    code = "workers_away"
    status = 503


def never() -> bool:
    """The answer to whether a job was given up, where nobody gives it up."""
    return False


class Jobs(Protocol):
    """Whoever does jobs. Done twice, a job gives the same bits. Safe to call from many threads at once.

    `stopped` is asked a few times a second where a job can be ended half-way; once true, it is.
    """

    def merge(self, job: MergeJob, stopped: Callable[[], bool] = never) -> Merged:
        """Do it, and keep candidate and optimiser's state in the store.

        Raises:
            MergeError, ArtefactError, CodecError, ContractError, NotFoundError: It cannot be done.
            StoreError, WorkersAwayError: Not now.
            WorkerDiedError: Whoever tried it died, several times.
            JobAbandonedError: It was stopped.
        """

    def gate(self, job: GateJob, stopped: Callable[[], bool] = never) -> GateReport:
        """Do it.

        Raises:
            ContractError, ArtefactError, NotFoundError: It cannot be done.
            StoreError, WorkersAwayError, WorkerDiedError, JobAbandonedError: As for `merge`.
        """

    def score(self, job: ScoreJob, stopped: Callable[[], bool] = never) -> Scored:
        """Do it, and keep the replay in the store.

        Raises:
            ContractError, ArtefactError, NotFoundError: It cannot be done.
            StoreError, WorkersAwayError, WorkerDiedError, JobAbandonedError: As for `merge`.
        """

    def check(self, job: CheckJob, stopped: Callable[[], bool] = never) -> Checked:
        """Do it; a bundle that breaks its limits has a finding that says so.

        Raises:
            NotFoundError, StoreError, WorkersAwayError, WorkerDiedError, JobAbandonedError: As for `gate`.
        """

    def close(self) -> None:
        """End all work and all who do it."""
