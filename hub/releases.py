"""Releases and rollbacks by hand: an operator moves a channel; what was never measured is measured first.

The gate that compares candidates of a campaign is the engine's business, see `hub.steps`.
"""

from __future__ import annotations

from hub.auth import Principal
from hub.catalogue import Catalogue
from hub.database import Database
from hub.jobs.job import GateJob, Jobs
from hub.regions import region_of
from hub.tasks.sources import task_source
from skills.messages import Channel, GatePlan, VersionView

__all__ = ["Releases"]


class Releases:
    """Moves channels by an operator's order."""

    def __init__(self, database: Database, catalogue: Catalogue, jobs: Jobs) -> None:
        self._database = database
        self._catalogue = catalogue
        self._jobs = jobs

    def move(self, name: str, channel: Channel, number: int, *, by: Principal) -> VersionView:
        """Point a channel at a version. May take as long as a measurement.

        Raises:
            NotFoundError: No such skill or version.
            ForbiddenError: It is another organisation's.
            ContractError: It would become stable and cannot be measured here.
            JobAbandonedError, StoreError, WorkersAwayError: Not now.
        """
        version = self._catalogue.own_version(name, str(number), by)
        if channel == "stable" and version.score is None:
            with self._database.read() as session:
                region, task = region_of(session, name), task_source(session, name, version.manifest)
            job = GateJob(candidate=version.digest, current=None, plan=GatePlan(), region=region, task=task)
            report = self._jobs.run(job)
            self._catalogue.record_score(version.digest, report.candidate)
        return self._catalogue.move_channel(name, channel, number, by=by)
