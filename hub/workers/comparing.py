"""The job that holds two versions to each other: on the same jobs arm by arm, and by their numbers.

The jobs are none of a gate's: whatever was chosen by those would look better in them. What follows for a
release is the gate's to say.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hub.workers.job import Job, TaskSource
from skills.messages.comparisons import ArmComparison, TensorDistance, WeightsDistance

if TYPE_CHECKING:
    from hub.workers.bench import Bench

__all__ = ["CompareJob", "Held", "distance", "paired"]

SEED = 70_000
"""Apart from those of gates, boards, trials and explanations."""
MOST_TENSORS = 8
NORMAL_95 = 1.959963984540054


class Held(BaseModel):
    """What came out."""

    model_config = ConfigDict(frozen=True)

    arms: tuple[ArmComparison, ...]
    weights: WeightsDistance
    seconds: float


class CompareJob(Job[Held]):
    """Run both versions on held-out robots and jobs, the same for both.

    Attributes:
        left: Digest of the earlier version.
        right: Of the later one.
        name: Of their task.
        region: Whose store has them.
        task: Where the bundle lies, where it was published through the hub.
    """

    left: str
    right: str
    name: str
    region: str = ""
    task: TaskSource | None = None

    def do(self, bench: Bench) -> Held:
        """See `Job`."""
        from envs.causes import draws_for_causes  # noqa: PLC0415 - only a bench does this
        from envs.evaluate import evaluate_held_out  # noqa: PLC0415
        from envs.task import load_task  # noqa: PLC0415
        from skills.policy import Policy  # noqa: PLC0415

        started = time.monotonic()
        task = load_task(bench.bundles.folder(self.task) if self.task else self.name)
        merger = bench.merger(self.region)
        both = [merger.skill(digest) for digest in (self.left, self.right)]
        left, right = (evaluate_held_out(Policy(each), task, draws_for_causes(SEED)) for each in both)
        return Held(
            arms=tuple(paired(arm, left[arm].each, right[arm].each) for arm in left),
            weights=distance(both[0].tensors, both[1].tensors),
            seconds=time.monotonic() - started,
        )


def paired(arm: str, left: tuple[bool, ...], right: tuple[bool, ...]) -> ArmComparison:
    """Two versions on one arm: whether each succeeded, job by job.

    The interval is Bonett and Price's (2012) for a difference of paired proportions: Wald's with one more win
    and loss in two more jobs, so that it says something where no pair differs, too.
    """
    both = list(zip(left, right, strict=True))
    jobs, wins, losses = len(both), both.count((False, True)), both.count((True, False))
    more, less = (wins + 1) / (jobs + 2), (losses + 1) / (jobs + 2)
    half = NORMAL_95 * math.sqrt((more + less - (more - less) ** 2) / (jobs + 2))
    return ArmComparison(
        embodiment=arm,
        jobs=jobs,
        left=sum(left),
        right=sum(right),
        wins=wins,
        losses=losses,
        difference=(wins - losses) / jobs,
        low=max(-1.0, more - less - half),
        high=min(1.0, more - less + half),
    )


def distance(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> WeightsDistance:
    """How far two skills' tensors lie apart, relative to the first's; zero where both are all zero."""
    shared = [name for name in left if name in right and left[name].shape == right[name].shape]
    norms = {name: _norm(left[name]) for name in shared}
    moved = {name: _norm(right[name].astype(np.float64) - left[name]) for name in shared}
    each = [TensorDistance(name=name, relative=_over(moved[name], norms[name])) for name in shared]
    each.sort(key=lambda one: (-one.relative, one.name))
    return WeightsDistance(
        relative=_over(math.hypot(*moved.values()), math.hypot(*norms.values())),
        largest=tuple(each[:MOST_TENSORS]),
        others=len(left.keys() | right.keys()) - len(shared),
    )


def _norm(tensor: NDArray[Any]) -> float:
    return float(np.linalg.norm(tensor.astype(np.float64).ravel()))


def _over(moved: float, norm: float) -> float:
    """Of a tensor that was zero the distance stands for itself."""
    return moved / norm if norm else moved
