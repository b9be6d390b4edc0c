"""Jobs done in the process that asks: for tests, and whoever brings a gate of their own."""

from __future__ import annotations

from collections.abc import Callable

from hub.jobs.bench import Bench
from hub.jobs.job import Checked, CheckJob, GateJob, Merged, MergeJob, Scored, ScoreJob, never
from skills.messages import GateReport

__all__ = ["InProcess"]


class InProcess:
    """`hub.jobs.job.Jobs` on a bench of one's own; a job that has begun is not stopped."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def merge(self, job: MergeJob, stopped: Callable[[], bool] = never) -> Merged:  # noqa: ARG002
        """Do it at once."""
        return self._bench.merge(job)

    def gate(self, job: GateJob, stopped: Callable[[], bool] = never) -> GateReport:  # noqa: ARG002
        """Do it at once."""
        return self._bench.gate(job)

    def score(self, job: ScoreJob, stopped: Callable[[], bool] = never) -> Scored:  # noqa: ARG002
        """Do it at once."""
        return self._bench.score(job)

    def check(self, job: CheckJob, stopped: Callable[[], bool] = never) -> Checked:  # noqa: ARG002
        """Do it at once."""
        return self._bench.check(job)

    def close(self) -> None:
        """There is nothing to end."""
