"""The job that steps a version's jobs again and records poses and traces for a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hub.workers.job import Job, TaskSource
from skills.messages.leaderboards import Draw
from skills.messages.plans import GatePlan
from skills.messages.replays import Episode, Shape

if TYPE_CHECKING:
    from hub.workers.bench import Bench

__all__ = ["FilmJob", "Filmed"]


class Filmed(BaseModel):
    """What came out; fields as in `skills.messages.replays.Film`."""

    model_config = ConfigDict(frozen=True)

    measured: int
    succeeded: int
    seconds_a_frame: float
    dt: float
    shapes: tuple[Shape, ...]
    episodes: tuple[Episode, ...]
    controller: str = ""
    theirs: tuple[Episode, ...] = ()


class FilmJob(Job[Filmed]):
    """Step jobs of the gate's first workshop again, with a version and with a controller of the task.

    Attributes:
        digest: Of the version.
        name: Of its task.
        embodiment: On which.
        region: Whose store has the version.
        task: Where the bundle lies, where it was published through the hub.
    """

    digest: str
    name: str
    embodiment: str
    region: str = ""
    task: TaskSource | None = None

    def do(self, bench: Bench) -> Filmed:
        """See `Job`."""
        from envs.filming import (  # noqa: PLC0415 - only a bench does this
            chosen,
            episodes_of,
            film,
            script,
            shapes_of,
            stride_of,
        )
        from envs.task import load_task  # noqa: PLC0415
        from skills.policy import Policy  # noqa: PLC0415

        task = load_task(bench.bundles.folder(self.task) if self.task else self.name)
        draw = filmed_draw()
        mine = film(Policy(bench.merger(self.region).skill(self.digest)), task, self.embodiment, draw)
        wanted, found = chosen(mine), script(task)
        theirs: tuple[Episode, ...] = ()
        if found is not None:
            theirs = episodes_of(film(found[1], task, self.embodiment, draw), task, wanted)
        return Filmed(
            measured=draw.episodes,
            succeeded=int(mine.success.sum()),
            seconds_a_frame=stride_of(task) * task.dt,
            dt=task.dt,
            shapes=shapes_of(task, self.embodiment, draw),
            episodes=episodes_of(mine, task, wanted),
            controller=found[0] if found else "",
            theirs=theirs,
        )


def filmed_draw() -> Draw:
    """As many jobs as a gate's batch has, all in its first workshop."""
    plan = GatePlan()
    return plan.draws(0)[0].model_copy(update={"episodes": plan.episodes})
