"""What the guild by a hub and the guild by Flower have in common."""

from __future__ import annotations

from benchmarks.learning.setting import Setting
from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["MEGABYTE", "ROBOTS", "ROUNDS", "TASK", "Figures", "common"]

TASK, ROBOTS, ROUNDS = "weld-seam", 4, 6
MEGABYTE = 10**6

Figures = dict[str, float]


def common(seed: int, quick: bool) -> Setting:
    """Workshops, rounds and training of one seed."""
    return Setting(
        task=TASK,
        seed=seed,
        robots=ROBOTS,
        rounds=2 if quick else ROUNDS,
        training=TrainingPlan(iterations=1) if quick else TrainingPlan(),
        merge=MergePlan(),
        unseen=4 if quick else 16,
        episodes=8 if quick else 32,
    )
