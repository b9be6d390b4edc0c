"""The job that measures a version on many robots and ranks what goes with its failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hub.workers.job import Job, TaskSource
from skills.messages.causes import Cause

if TYPE_CHECKING:
    from hub.workers.bench import Bench

__all__ = ["ExplainJob", "Explained"]

SEED = 60_000
"""Apart from those of gates, boards and trials."""


class Explained(BaseModel):
    """What came out."""

    model_config = ConfigDict(frozen=True)

    episodes: int
    success: float
    seconds: float
    causes: tuple[Cause, ...]


class ExplainJob(Job[Explained]):
    """Measure a version on held-out robots and jobs, and say which figures go with failure.

    Attributes:
        digest: Of the version.
        name: Of its task.
        region: Whose store has the version.
        task: Where the bundle lies, where it was published through the hub.
    """

    digest: str
    name: str
    region: str = ""
    task: TaskSource | None = None

    def do(self, bench: Bench) -> Explained:
        """See `Job`."""
        from envs.causes import causes_of, draws_for_causes, measured  # noqa: PLC0415 - only a bench does this
        from envs.task import load_task  # noqa: PLC0415
        from skills.policy import Policy  # noqa: PLC0415

        started = time.monotonic()
        task = load_task(bench.bundles.folder(self.task) if self.task else self.name)
        skill = bench.merger(self.region).skill(self.digest)
        episodes = measured(Policy(skill), task, draws_for_causes(SEED))
        return Explained(
            episodes=len(episodes.success),
            success=float(episodes.success.mean()),
            seconds=time.monotonic() - started,
            causes=causes_of(episodes),
        )
