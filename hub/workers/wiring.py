"""Who does a hub's jobs: worker processes, a Ray cluster, or this process where somebody brings a gate."""

from __future__ import annotations

from dataclasses import dataclass

from hub.metrics import Metrics
from hub.settings import SPOOL_FOLDER, Settings
from hub.storage.regions import HOME, Stores
from hub.workers.job import BenchPlan, Gate, Jobs, StoreAddress
from hub.workers.processes import WorkerProcesses
from hub.workers.timed import Timed

__all__ = ["WorkersWing", "wire"]


@dataclass(frozen=True)
class WorkersWing:
    """Jobs that somebody waits for, and those in the background, which have a worker of their own."""

    jobs: Jobs
    background: Jobs

    def close(self) -> None:
        """End all jobs."""
        self.jobs.close()
        self.background.close()


def wire(settings: Settings, stores: Stores, gate: Gate | None, metrics: Metrics) -> WorkersWing:
    """No worker is started before there is work."""
    return WorkersWing(
        jobs=Timed(_jobs(settings, stores, gate, metrics), metrics),
        background=Timed(_jobs(settings, stores, gate, metrics, background=True), metrics),
    )


def _jobs(
    settings: Settings, stores: Stores, gate: Gate | None, metrics: Metrics, *, background: bool = False
) -> Jobs:
    """Whoever does jobs; those in the background, one at a time, have a worker of their own."""
    plan = BenchPlan(
        stores={region: _address(settings, region) for region in (HOME, *stores.regions)},
        spool=settings.data_dir.absolute() / SPOOL_FOLDER,
        gate_key_file=settings.gate_key_path.absolute(),
        device=settings.merge_device,
        on_ray=settings.jobs == "ray",
        ray_address=settings.ray_address,
        ray_pool_label=settings.ray_pool_label,
        log_level=settings.log_level,
        background=background,
    )
    if gate is None:
        count, idle = 1 if background else settings.workers, settings.worker_idle_seconds
        return WorkerProcesses(plan, count, idle, on_death=metrics.workers_died.inc)
    from hub.workers.bench import open_bench  # noqa: PLC0415 - what workers need and this process does not
    from hub.workers.inprocess import InProcess  # noqa: PLC0415

    return InProcess(open_bench(plan, stores.of, gate))


def _address(settings: Settings, region: str) -> StoreAddress:
    url, keys = settings.place(region)
    return StoreAddress(
        url=url,
        access_key=keys.access_key.get_secret_value(),
        secret_key=keys.secret_key.get_secret_value(),
    )
