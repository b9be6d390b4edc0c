"""Where jobs are done: what a job needs at hand. Brings the heavy libraries; `hub.workers.job` has the work.

It knows neither database nor web, and of keys only the gate's: whoever asks for the job enters its result
into the journal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import hub.workers.comparing
import hub.workers.explaining
import hub.workers.filming
import hub.workers.untrained  # noqa: F401 - a kind of job is known once it is imported
from envs.task import Task, load_task
from hub.merging import Engine, choose_engine
from hub.storage.objects import ObjectStore
from hub.storage.spool import Spool
from hub.workers.bundles import Bundles
from hub.workers.gate import HeldOutGate
from hub.workers.gate_key import read_gate_key
from hub.workers.job import BenchPlan, Gate, TaskSource
from hub.workers.merger import Merger, prepare
from skills.signing import SigningKey

__all__ = ["Bench", "open_bench"]


class Bench:
    """What jobs find here: stores, bundles of tasks, an engine, a gate. Several may be done at once.

    Args:
        stores: The store of a region.
        spool: Folder for what a job lays down meanwhile.
        engine: What merges.
        gate: How candidates are measured.
        on: The same on the task in a folder; None: it measures whatever the task.
        gate_key_file: Where the key lies with which the gate signs what it found.
    """

    def __init__(
        self,
        stores: Callable[[str], ObjectStore],
        spool: Path,
        engine: Engine,
        gate: Gate,
        on: Callable[[Path], Gate] | None,
        gate_key_file: Path,
    ) -> None:
        self.store = cache(stores)
        self.spool = spool
        self.engine = engine
        self.bundles = Bundles(self.store, spool)
        self._gate = gate
        self._on = on
        self._gate_key_file = gate_key_file

    def gate(self, task: TaskSource | None) -> Gate:
        """What measures on a published task; on the skill's own where that is None."""
        return self._gate if task is None or self._on is None else self._on(self.bundles.folder(task))

    def measured_task(self, task: TaskSource | None, name: str) -> Task | None:
        """The task that this gate measures on; None where somebody brings a gate."""
        if self._on is None:
            return None
        return load_task(self.bundles.folder(task) if task else name)

    def gate_key(self) -> SigningKey:
        """The gate's own key.

        Raises:
            NotFoundError: It is not on this machine.
        """
        return read_gate_key(self._gate_key_file)

    def merger(self, region: str) -> Merger:
        """What merges blobs of a region."""
        return Merger(Spool(self.store(region), self.spool), self.engine)


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
        return Bench(stores, folder, engine, gate, None, plan.gate_key_file)
    held_out = HeldOutGate()
    return Bench(stores, folder, engine, held_out, held_out.on, plan.gate_key_file)
