"""What an experiment is: a question, methods that are compared at equal terms, and what it set out to show.

Which there are is left to `benchmarks.learning.experiments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.learning.setting import Setting
from benchmarks.learning.summary import Aim
from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["Experiment", "Variant"]


@dataclass(frozen=True)
class Variant:
    """A method of `benchmarks.learning.methods` with what it does otherwise than the experiment says.

    Attributes:
        method: Its name there.
        training: Changes of the campaign's.
        merge: Likewise.
        robots: How many train.
        network: Kind and sizes.
    """

    method: str
    training: Mapping[str, Any] = field(default_factory=dict)
    merge: Mapping[str, Any] = field(default_factory=dict)
    robots: int | None = None
    network: dict[str, object] | None = None


@dataclass(frozen=True)
class Experiment:
    """One question.

    Attributes:
        title: The question.
        task: Its name.
        robots: That train.
        rounds: Of a campaign.
        seeds: How many; each has workshops of its own.
        training: Of all variants, unless they say otherwise.
        merge: Of a guild, likewise.
        variants: By the name in tables.
        aims: What it set out to show.
        unseen: Workshops of nobody's to score in.
        episodes: In each workshop that is scored.
    """

    title: str
    task: str
    robots: int
    rounds: int
    seeds: int
    training: TrainingPlan
    merge: MergePlan
    variants: Mapping[str, Variant]
    aims: tuple[Aim, ...] = ()
    unseen: int = 32
    episodes: int = 32

    def setting(self, seed: int, variant: str = "") -> Setting:
        """What a variant runs with at one seed; without one, what all have in common."""
        common = Setting(
            task=self.task,
            seed=seed,
            robots=self.robots,
            rounds=self.rounds,
            training=self.training,
            merge=self.merge,
            unseen=self.unseen,
            episodes=self.episodes,
        )
        if not variant:
            return common
        chosen = self.variants[variant]
        return replace(
            common,
            robots=chosen.robots or self.robots,
            training=self.training.model_copy(update=dict(chosen.training)),
            merge=self.merge.model_copy(update=dict(chosen.merge)),
            network=chosen.network,
        )
