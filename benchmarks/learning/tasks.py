"""Every task alike: what the guild's skill is worth at home, once that has changed, and tuned there."""

from __future__ import annotations

from benchmarks.learning.experiment import Experiment, Variant
from benchmarks.learning.summary import Aim
from envs.bundle import bundle_names
from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["TASKS"]

OWN = frozenset({"swing-load"})
"""Tasks that have an experiment of their own."""


def _experiment(task: str) -> Experiment:
    return Experiment(
        title=f"At home, and once it has changed: {task}",
        task=task,
        robots=4,
        rounds=16,
        seeds=3,
        training=TrainingPlan(),
        merge=MergePlan(),
        variants={
            "alone": Variant("alone"),
            "guild": Variant("guild"),
            "guild, tuned": Variant("tuned"),
            "alone, then 10,000 steps": Variant("alone after"),
            "guild, then 10,000 steps": Variant("guild after"),
        },
        aims=(
            Aim(
                "changed: the guild at least a specialist + .20",
                lambda of: of("guild", "changed") >= of("alone", "changed") + 0.20,
            ),
            Aim(
                "changed: after 10,000 own steps the guild's not below the specialist",
                lambda of: (
                    of("guild, then 10,000 steps", "changed") >= of("alone, then 10,000 steps", "changed")
                ),
            ),
            Aim(
                "tuned: home at least alone - .005",
                lambda of: of("guild, tuned", "home") >= of("alone", "home") - 0.005,
            ),
            Aim(
                "tuned: unseen loses at most .02",
                lambda of: of("guild, tuned", "unseen") >= of("guild", "unseen") - 0.02,
            ),
        ),
        unseen=16,
        episodes=32,
    )


TASKS = {f"home-{task}": _experiment(task) for task in bundle_names() if task not in OWN}
