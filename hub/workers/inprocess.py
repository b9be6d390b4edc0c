"""Jobs done in the process that asks: for tests, and whoever brings a gate of their own."""

from __future__ import annotations

from collections.abc import Callable

from hub.workers.bench import Bench
from hub.workers.job import Job, Result, never

__all__ = ["InProcess"]


class InProcess:
    """`hub.workers.job.Jobs` on a bench of one's own; a job that has begun is not stopped."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def run(self, job: Job[Result], stopped: Callable[[], bool] = never) -> Result:  # noqa: ARG002
        """Do it at once."""
        return job.do(self._bench)

    def close(self) -> None:
        """There is nothing to end."""
