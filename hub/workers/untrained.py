"""The job that makes a skill nobody has practised yet: a bench can read a task, the web process not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hub.workers.job import Job, TaskSource

if TYPE_CHECKING:
    from hub.workers.bench import Bench

__all__ = ["Untrained", "UntrainedJob"]


class Untrained(BaseModel):
    """A skill file; small, for there is no blob of it yet."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    content: bytes


class UntrainedJob(Job[Untrained]):
    """Make version 1 of a skill for a task, with the network that the task advises.

    Attributes:
        name: The task's.
        task: Where the bundle lies, where it was published through the hub.
        seed: Of the weights.
    """

    name: str
    task: TaskSource | None = None
    seed: int = 0

    def do(self, bench: Bench) -> Untrained:
        """See `Job`."""
        from envs.task import load_task  # noqa: PLC0415 - only a bench does this
        from envs.untrained import untrained_skill  # noqa: PLC0415

        task = load_task(bench.bundles.folder(self.task) if self.task else self.name)
        return Untrained(content=untrained_skill(task, seed=self.seed).to_bytes())
