"""What a job is: a plain description goes in, a plain result comes out. Blobs go through the store.

A kind of job is one class here: what it is told, what comes out, and how it is done on a bench. Light, so
that the web process may know it: the bench (`hub.workers.bench`) brings the heavy libraries.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from envs.examination import Checked, CheckLimits, examined
from hub.queue.leases import JobAbandonedError
from hub.storage.objects import ObjectStore, open_store
from hub.workers.metering import Meter, Spent
from skills.container import digest_of
from skills.errors import ContractError, ZunftError
from skills.manifest import Manifest, Name
from skills.messages.leaderboards import BoardPlan, ControllerScore
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill

if TYPE_CHECKING:
    from envs.task import Task
    from hub.workers.bench import Bench

__all__ = [
    "BenchPlan",
    "CheckJob",
    "Checked",
    "ControllersJob",
    "DeltaPart",
    "Gate",
    "GateJob",
    "Gated",
    "Job",
    "JobAbandonedError",
    "Jobs",
    "Least",
    "MergeJob",
    "MergeResult",
    "Pool",
    "ScoreJob",
    "Scored",
    "ScoredControllers",
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


Pool = Literal["merging", "rendering"]
"""Which machines a job is for: those with memory and near the store, or those that simulate."""
Result = TypeVar("Result", bound=BaseModel)


class Job(_Plain, Generic[Result]):
    """A job with its result; a subclass names that, `class SomeJob(Job[Made])`, and is known by its own name.

    Done twice, a job gives the same bits.
    """

    kinds: ClassVar[dict[str, type[Job[Any]]]] = {}
    """What may be asked of a worker, by name."""
    pool: ClassVar[Pool] = "rendering"
    """Which nodes of a cluster are for it, where nodes have pools: most jobs play episodes."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Be known, as soon as the class is there."""
        if "[" not in cls.__name__:
            cls.kinds[cls.__name__] = cls

    @abstractmethod
    def do(self, bench: Bench) -> Result:
        """Do it, here and now.

        Raises:
            MergeError, ArtefactError, CodecError, ContractError, NotFoundError: It cannot be done.
            StoreError, WorkersAwayError: Not now.
        """

    @classmethod
    def result(cls) -> type[Result]:
        """What comes out."""
        named: Any = cls.__mro__[1]
        found: type[Result] = named.__pydantic_generic_metadata__["args"][0]
        return found


class TaskSource(_Plain):
    """Where the archive of a published task lies: its digest, in a region's store."""

    digest: str
    region: str = ""


class CheckJob(Job[Checked]):
    """Examine a published bundle in a process of its own; to break the limits is a finding."""

    task: TaskSource
    limits: CheckLimits

    def do(self, bench: Bench) -> Checked:
        """See `Job`."""
        return examined(bench.bundles.archive(self.task), self.limits, bench.spool)


class DeltaPart(_Plain):
    """One admitted delta, as a merge needs it.

    Attributes:
        samples: Environment steps behind it.
        success: What its robot reported.
        norm: Euclidean length of its network's weights.
        staleness: Rounds that it came late.
        robots: How many are behind it: more than one of a hall.
    """

    digest: str
    size: int
    samples: int
    success: float | None
    norm: float
    staleness: int
    robots: int = 1


class MergeResult(_Plain):
    """A candidate, which is in the store.

    Attributes:
        optimiser_after: Digest of the server optimiser's state, also in the store.
        root: How far each delta was trusted, by digest; None where the rule does not ask.
        device: What merged.
        metrics: See `hub.workers.merge_round.write_candidate`.
        seconds: How long it took.
        spent: What it took of the machine.
    """

    digest: str
    size: int
    manifest: Manifest
    optimiser_after: str
    root: dict[str, float] | None
    device: str
    metrics: dict[str, float]
    seconds: float
    spent: Spent = Spent()


class MergeJob(Job[MergeResult]):
    """Merge a round's deltas into the next version; candidate and optimiser's state go into the store.

    Attributes:
        base: Digest of the version that the update is added to.
        training: What robots were asked for: which tensors deltas have, and what the next version carries.
        version: Number of the new version.
        optimiser_before: Digest of the server optimiser's state; None: see `hub.workers.merge_round`.
        region: In whose store all of this lies; empty: in the hub's own.
        gate: How a rule that asks the gate measures.
        task: The skill's task, where it was published through the hub.
    """

    pool: ClassVar[Pool] = "merging"
    round_id: str
    base: str
    deltas: tuple[DeltaPart, ...]
    training: TrainingPlan
    plan: MergePlan
    gate: GatePlan
    version: int
    optimiser_before: str | None
    region: str = ""
    task: TaskSource | None = None

    def do(self, bench: Bench) -> MergeResult:
        """See `Job`."""
        started, meter = time.monotonic(), Meter()
        store, merger = bench.store(self.region), bench.merger(self.region)
        root = merger.trust(self, bench.gate(self.task))
        with merger.candidate(self, root=root) as made:
            store.put_file(made.state, made.state_file)
            store.put_file(made.skill.digest, made.skill_file)
            return MergeResult(
                digest=made.skill.digest,
                size=made.skill.size,
                manifest=made.skill.manifest,
                optimiser_after=made.state,
                root=root,
                device=bench.engine.name,
                metrics=made.metrics,
                seconds=time.monotonic() - started,
                spent=meter.spent(),
            )


class Least(_Plain):
    """What a version must reach to become the first stable one.

    Attributes:
        success: At least so much; None: more than doing nothing.
    """

    success: float | None


class Gated(_Plain):
    """What the gate found, and its word for it.

    Attributes:
        envelope: The attestation that the gate's own key signed, see `skills.attestations`.
        spent: What it took of the machine.
    """

    report: GateReport
    envelope: str = Field(repr=False)
    spent: Spent = Spent()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.report.seconds


class GateJob(Job[Gated]):
    """Measure a version, and the current one beside it where there is one; both lie in the region's store.

    Attributes:
        best: A better version than the current one, which the candidate is held to as well.
        kept: By embodiment, the version that its robots stay with: there the candidate is held to that.
        failed_on: Embodiments on which an earlier gate did not see it to be as good.
        least: The minimum that the candidate is held to; None: it need not be.
        task: The skill's task, where it was published through the hub.
        merged: The merge that made the candidate, where each delta's part in it is to be measured, too.
        root: How far each delta was trusted in it, where its rule asks.
    """

    candidate: str
    current: str | None
    plan: GatePlan
    best: str | None = None
    kept: dict[Name, str] = Field(default_factory=dict)
    failed_on: tuple[Name, ...] = ()
    merged: MergeJob | None = None
    root: dict[str, float] | None = None
    least: Least | None = None
    region: str = ""
    task: TaskSource | None = None

    def do(self, bench: Bench) -> Gated:
        """See `Job`."""
        from hub.workers.measuring import measured  # noqa: PLC0415 - only a bench does this

        meter = Meter()
        return measured(self, bench).model_copy(update={"spent": meter.spent()})


class Scored(_Plain):
    """What a version scored; its replay is in the region's store.

    Attributes:
        score: Over all embodiments.
        replay: Digest of the replay; None where the task has no scene.
        replay_size: Its bytes.
        made_with: See `hub.workers.scoring.made_with`.
    """

    score: ScoreView
    by_embodiment: dict[str, ScoreView]
    replay: str | None
    replay_size: int
    made_with: str
    seconds: float


class ScoreJob(Job[Scored]):
    """Score a version for the leaderboard of its task; it lies in the region's store, as will its replay.

    Attributes:
        task_digest: Of the task as the hub knows it: another one is refused.
        task: Where the bundle lies, where it was published through the hub.
    """

    skill: str
    task_digest: str
    plan: BoardPlan
    region: str = ""
    task: TaskSource | None = None

    def do(self, bench: Bench) -> Scored:
        """See `Job`."""
        from envs.evaluate import pool  # noqa: PLC0415 - only a bench does this
        from hub.workers.scoring import made_with, score_skill, score_view  # noqa: PLC0415

        started = time.monotonic()
        skill = bench.merger(self.region).skill(self.skill)
        task = _task_as_known(bench, self.task, skill.manifest.task, self.task_digest)
        found = score_skill(skill, task, self.plan.draws(), recorded=True)
        replay = digest_of(found.replay) if found.replay else None
        if replay and found.replay:
            bench.store(self.region).put(replay, found.replay)
        return Scored(
            score=score_view(pool(found.by_embodiment.values())),
            by_embodiment={robot: score_view(score) for robot, score in found.by_embodiment.items()},
            replay=replay,
            replay_size=len(found.replay or b""),
            made_with=made_with(),
            seconds=time.monotonic() - started,
        )


class ScoredControllers(_Plain):
    """What a task's own controllers scored; none where it brings none."""

    controllers: tuple[ControllerScore, ...]


class ControllersJob(Job[ScoredControllers]):
    """Score a task's controllers for its leaderboard.

    Attributes:
        name: The task's.
        task_digest: Of the task as the hub knows it: another one is refused.
        task: Where the bundle lies, where it was published through the hub.
    """

    name: str
    task_digest: str
    plan: BoardPlan
    task: TaskSource | None = None

    def do(self, bench: Bench) -> ScoredControllers:
        """See `Job`."""
        from hub.workers.scoring import score_controllers  # noqa: PLC0415 - only a bench does this

        task = _task_as_known(bench, self.task, self.name, self.task_digest)
        return ScoredControllers(controllers=score_controllers(task, self.plan.draws()))


def _task_as_known(bench: Bench, source: TaskSource | None, name: str, digest: str) -> Task:
    """The task, if it is the one that the hub knows; raises ContractError."""
    from envs.task import load_task  # noqa: PLC0415 - only a bench does this

    task = load_task(bench.bundles.folder(source) if source else name)
    if task.digest != digest:
        raise ContractError(
            f"whoever measures has another task {task.name} than the hub.",
            where="task",
            remedy="Give all machines of this hub the same version of the task.",
        )
    return task


class StoreAddress(_Plain):
    """Where a store is, and its credentials."""

    url: str
    access_key: str = Field(default="", repr=False)
    secret_key: str = Field(default="", repr=False)


class BenchPlan(_Plain):
    """What a bench is set up with, and whoever does jobs is told: no database, no key of the hub, no token.

    Attributes:
        stores: The object stores by region.
        spool: Folder for what a merge lays down meanwhile; None: the machine's own for temporary files.
        gate_key_file: Where the gate's own key lies, on the machine that does the jobs.
        device: What merges, see `hub.merging.choose_engine`.
        on_ray: Whether jobs go on to a Ray cluster.
        ray_address: Of that cluster, or of the one that merges.
        ray_pool_label: By which jobs choose that cluster's nodes; empty: they do not.
        background: Whether workers on this machine give way to everything else that computes.
    """

    stores: dict[str, StoreAddress]
    spool: Path | None
    gate_key_file: Path
    device: str
    on_ray: bool = False
    ray_address: str = ""
    ray_pool_label: str = ""
    log_level: str = "INFO"
    background: bool = False

    def open_store(self, region: str = "") -> ObjectStore:
        """The store of a region, or the hub's own.

        Raises:
            StoreError: The address or the credentials cannot be used.
        """
        found = self.stores[region]
        return open_store(found.url, access_key=found.access_key, secret_key=found.secret_key)


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
    """Whoever does jobs. Safe to call from many threads at once."""

    def run(self, job: Job[Result], stopped: Callable[[], bool] = never) -> Result:
        """Have it done.

        Args:
            job: What is to be done.
            stopped: Asked a few times a second where a job can be ended half-way; once true, it is.

        Raises:
            MergeError, ArtefactError, CodecError, ContractError, NotFoundError: It cannot be done.
            StoreError, WorkersAwayError: Not now.
            WorkerDiedError, JobAbandonedError: Whoever tried it died, several times; it was stopped.
        """

    def close(self) -> None:
        """End all work and all who do it."""
