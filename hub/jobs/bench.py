"""Where jobs are done: the store's blobs in, a candidate or a report out. Brings the heavy libraries.

It knows neither database nor key nor web: whoever asks for the job enters its result into the journal.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hub.gate import HeldOutGate
from hub.jobs.job import BenchPlan, Gate, GateJob, Merged, MergeJob
from hub.merger import Merger
from hub.merging import choose_engine
from hub.spool import Spool
from hub.store import ObjectStore
from skills.container import digest_of
from skills.messages import GateReport

__all__ = ["Bench", "open_bench"]


class Bench:
    """Does one job after the other, or several at once."""

    def __init__(self, store: ObjectStore, merger: Merger, gate: Gate) -> None:
        self._store = store
        self._merger = merger
        self._gate = gate

    def merge(self, job: MergeJob) -> Merged:
        """See `hub.jobs.job.Jobs`."""
        started = time.monotonic()
        root = self._merger.trust(job, self._gate)
        made = self._merger.candidate(job, root=root)
        data, state = made.skill.to_bytes(), digest_of(made.optimiser_state)
        self._store.put(state, made.optimiser_state)
        self._store.put(made.skill.digest, data)
        return Merged(
            digest=made.skill.digest,
            size=len(data),
            manifest=made.skill.manifest,
            optimiser_after=state,
            root=root,
            device=self._merger.engine.name,
            metrics=made.metrics,
            seconds=time.monotonic() - started,
        )

    def gate(self, job: GateJob) -> GateReport:
        """See `hub.jobs.job.Jobs`."""
        current = self._merger.skill(job.current) if job.current else None
        return self._gate(self._merger.skill(job.candidate), current, job.plan)


def open_bench(plan: BenchPlan, store: ObjectStore, gate: Gate | None = None) -> Bench:
    """Set a bench up, with its kernels compiled.

    Args:
        plan: With what.
        store: Where the blobs are.
        gate: How candidates are measured; by default in simulation on held-out variations.

    Raises:
        MergeError: The device cannot be used.
    """
    folder = plan.spool or Path(tempfile.gettempdir()) / "zunft-spool"
    merger = Merger(store, Spool(store, folder), choose_engine(plan.device, ray_address=plan.ray_address))
    merger.prepare()
    return Bench(store, merger, gate or HeldOutGate())
