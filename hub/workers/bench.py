"""Where jobs are done: what a job needs at hand. Brings the heavy libraries; `hub.workers.job` has the work.

It knows neither database nor key nor web: whoever asks for the job enters its result into the journal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hub.merging import Engine, choose_engine
from hub.storage.objects import ObjectStore
from hub.storage.spool import Spool
from hub.workers.bundles import Bundles
from hub.workers.gate import HeldOutGate
from hub.workers.job import BenchPlan, Gate, TaskSource
from hub.workers.merger import Merger, prepare

__all__ = ["Bench", "open_bench"]


class Bench:
    """What jobs find here: stores, bundles of tasks, an engine, a gate. Several may be done at once.

    Args:
        stores: The store of a region.
        spool: Folder for what a job lays down meanwhile.
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
        self.store = cache(stores)
        self.spool = spool
        self.engine = engine
        self.bundles = Bundles(self.store, spool)
        self._gate = gate
        self._on = on

    def gate(self, task: TaskSource | None) -> Gate:
        """What measures on a published task; on the skill's own where that is None."""
        return self._gate if task is None else self._on(self.bundles.folder(task))

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
        return Bench(stores, folder, engine, gate, lambda _: gate)
    held_out = HeldOutGate()
    return Bench(stores, folder, engine, held_out, held_out.on)
