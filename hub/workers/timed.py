"""Jobs with their seconds observed, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from hub.metrics import Metrics
from hub.workers.job import GateJob, Job, Jobs, MergeJob, Result, ScoreJob, never

__all__ = ["Timed"]


class Timed:
    """The same `hub.workers.job.Jobs`; what counts is the work itself, not the wait for a worker."""

    def __init__(self, jobs: Jobs, metrics: Metrics) -> None:
        self._jobs = jobs
        self._metrics = metrics

    def run(self, job: Job[Result], stopped: Callable[[], bool] = never) -> Result:
        """Have it done."""
        done = self._jobs.run(job, stopped)
        seconds: float = getattr(done, "seconds", 0.0)
        match job:
            case MergeJob():
                self._metrics.merge_seconds.labels(job.plan.rule).observe(seconds)
            case GateJob():
                self._metrics.gate_seconds.observe(seconds)
            case ScoreJob():
                self._metrics.score_seconds.observe(seconds)
        return done

    def close(self) -> None:
        """End all work."""
        self._jobs.close()
