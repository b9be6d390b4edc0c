"""Where jobs are done: the store's blobs in, a candidate or a report out. Brings the heavy libraries.

It knows neither database nor key nor web: whoever asks for the job enters its result into the journal.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from envs.evaluate import pool
from envs.examination import examined
from envs.task import load_task
from hub.gate import HeldOutGate
from hub.jobs.bundles import Bundles
from hub.jobs.job import (
    BenchPlan,
    Checked,
    CheckJob,
    Gate,
    GateJob,
    Merged,
    MergeJob,
    Scored,
    ScoreJob,
    TaskSource,
)
from hub.merger import Merger, prepare
from hub.merging import Engine, choose_engine
from hub.minimum import held_to, idle_skill
from hub.scoring import made_with, score_skill, score_view
from hub.spool import Spool
from hub.store import ObjectStore
from skills.container import digest_of
from skills.errors import ContractError
from skills.messages import GateReport

__all__ = ["Bench", "open_bench"]


class Bench:
    """Does one job after the other, or several at once.

    Args:
        stores: The store of a region.
        spool: Folder for what a merge lays down meanwhile.
        engine: What merges.
        gate: How candidates are measured.
        on: The same on the task in a folder.
    """

    def __init__(
        self,
        stores: Callable[[str], ObjectStore],
        spool: Path,
        engine: Engine,
        gate: Gate,
        on: Callable[[Path], Gate],
    ) -> None:
        self._store = cache(stores)
        self._spool = spool
        self._engine = engine
        self._gate = gate
        self._on = on
        self._bundles = Bundles(self._store, spool)

    def merge(self, job: MergeJob) -> Merged:
        """See `hub.jobs.job.Jobs`."""
        started = time.monotonic()
        store, merger = self._store(job.region), self._merger(job.region)
        root = merger.trust(job, self._gate_for(job.task))
        with merger.candidate(job, root=root) as made:
            store.put_file(made.state, made.state_file)
            store.put_file(made.skill.digest, made.skill_file)
            return Merged(
                digest=made.skill.digest,
                size=made.skill.size,
                manifest=made.skill.manifest,
                optimiser_after=made.state,
                root=root,
                device=self._engine.name,
                metrics=made.metrics,
                seconds=time.monotonic() - started,
            )

    def gate(self, job: GateJob) -> GateReport:
        """See `hub.jobs.job.Jobs`."""
        merger = self._merger(job.region)
        candidate = merger.skill(job.candidate)
        current = merger.skill(job.current) if job.current else None
        gate = self._gate_for(job.task)
        report = gate(candidate, current, job.plan)
        if job.least is None:
            return report
        return held_to(job.least, report, lambda: gate(idle_skill(candidate), None, job.plan).candidate)

    def check(self, job: CheckJob) -> Checked:
        """See `hub.jobs.job.Jobs`."""
        return examined(self._bundles.archive(job.task), job.limits, self._spool)

    def score(self, job: ScoreJob) -> Scored:
        """See `hub.jobs.job.Jobs`."""
        started = time.monotonic()
        skill = self._merger(job.region).skill(job.skill)
        task = load_task(self._bundles.folder(job.task) if job.task else skill.manifest.task)
        if task.digest != job.task_digest:
            raise ContractError(
                f"whoever measures has another task {task.name} than the hub.",
                where="task",
                remedy="Give all machines of this hub the same version of the task.",
            )
        found = score_skill(skill, task, job.plan.draws(), recorded=True)
        replay = digest_of(found.replay) if found.replay else None
        if replay and found.replay:
            self._store(job.region).put(replay, found.replay)
        return Scored(
            score=score_view(pool(found.by_embodiment.values())),
            by_embodiment={robot: score_view(score) for robot, score in found.by_embodiment.items()},
            replay=replay,
            replay_size=len(found.replay or b""),
            made_with=made_with(),
            seconds=time.monotonic() - started,
        )

    def _gate_for(self, task: TaskSource | None) -> Gate:
        return self._gate if task is None else self._on(self._bundles.folder(task))

    def _merger(self, region: str) -> Merger:
        store = self._store(region)
        return Merger(Spool(store, self._spool), self._engine)


def open_bench(plan: BenchPlan, stores: Callable[[str], ObjectStore], gate: Gate | None = None) -> Bench:
    """Set a bench up, with its kernels compiled.

    Args:
        plan: With what.
        stores: Where the blobs of a region are.
        gate: How candidates are measured; by default in simulation on held-out variations.

    Raises:
        MergeError: The device cannot be used.
    """
    folder = plan.spool or Path(tempfile.gettempdir()) / "zunft-spool"
    engine = choose_engine(plan.device, ray_address=plan.ray_address)
    prepare(engine)
    if gate is not None:
        return Bench(stores, folder, engine, gate, lambda _: gate)
    held_out = HeldOutGate()
    return Bench(stores, folder, engine, held_out, held_out.on)
