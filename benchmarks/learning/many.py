"""Robots in like workshops: how many steps of each it takes until all can do the job."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.learning.experiment import Experiment, Variant
from benchmarks.learning.summary import Aim
from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["LIKE"]


def _share(robots: int, most: float) -> Callable[[Callable[[str, str], float]], bool]:
    return lambda of: of(f"guild of {robots}", "steps") <= most * of("guild of 1", "steps")


LIKE = Experiment(
    title="Robots in like workshops: steps of each until .80 in workshops of nobody's",
    task="weld-seam",
    robots=16,
    rounds=40,
    seeds=5,
    training=TrainingPlan(iterations=1),
    merge=MergePlan(),
    variants={f"guild of {robots}": Variant("until", robots=robots) for robots in (1, 2, 4, 8, 16)},
    aims=(
        Aim("four robots take half the steps of one, or less", _share(4, 1 / 2)),
        Aim("eight take a third, or less", _share(8, 1 / 3)),
    ),
    unseen=8,
)
