"""Jobs with their seconds observed, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from hub.jobs.job import Checked, CheckJob, GateJob, Jobs, Merged, MergeJob, Scored, ScoreJob, never
from hub.metrics import Metrics
from skills.messages import GateReport

__all__ = ["Timed"]


class Timed:
    """The same `hub.jobs.job.Jobs`; what counts is the work itself, not the wait for a worker."""

    def __init__(self, jobs: Jobs, metrics: Metrics) -> None:
        self._jobs = jobs
        self._metrics = metrics

    def merge(self, job: MergeJob, stopped: Callable[[], bool] = never) -> Merged:
        """Have it done."""
        done = self._jobs.merge(job, stopped)
        self._metrics.merge_seconds.labels(job.plan.rule).observe(done.seconds)
        return done

    def gate(self, job: GateJob, stopped: Callable[[], bool] = never) -> GateReport:
        """Have it done."""
        report = self._jobs.gate(job, stopped)
        self._metrics.gate_seconds.observe(report.seconds)
        return report

    def score(self, job: ScoreJob, stopped: Callable[[], bool] = never) -> Scored:
        """Have it done."""
        found = self._jobs.score(job, stopped)
        self._metrics.score_seconds.observe(found.seconds)
        return found

    def check(self, job: CheckJob, stopped: Callable[[], bool] = never) -> Checked:
        """Have it done."""
        return self._jobs.check(job, stopped)

    def close(self) -> None:
        """End all work."""
        self._jobs.close()
