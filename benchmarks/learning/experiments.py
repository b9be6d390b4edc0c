"""The comparisons: what is compared with what, at which knobs, and what each set out to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.learning.setting import Setting
from benchmarks.learning.summary import Aim
from skills.messages.plans import MergePlan, TrainingPlan
from skills.messages.training import Imitation

__all__ = ["EXPERIMENTS", "Experiment", "Variant"]

UNLIKE = MergePlan(momentum=0.5, step=1.5)
"""Server step for robots whose deltas are nearly orthogonal: their mean is short."""


LESSONS = Imitation(batch=4160, minibatch=1560)
"""64 jobs of the hanging load a lesson, 24 a gradient step."""


@dataclass(frozen=True)
class Variant:
    """A method of `benchmarks.learning.methods` with what it does otherwise than the experiment says."""

    method: str
    training: Mapping[str, Any]
    robots: int | None = None


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
        merge: Of a guild.
        variants: By the name in tables.
        aims: What it set out to show.
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

    def setting(self, seed: int, variant: str = "") -> Setting:
        """What a variant runs with at one seed; without one, what all have in common."""
        common = Setting(self.task, seed, self.robots, self.rounds, self.training, self.merge)
        if not variant:
            return common
        chosen = self.variants[variant]
        training = self.training.model_copy(update=dict(chosen.training))
        return replace(common, robots=chosen.robots or self.robots, training=training)


OURS = ("guild, variates", "lessons")


def _best(of: Callable[[str, str], float]) -> str:
    """The one of our ways that does best where nobody trained; aims are for that one."""
    return max(OURS, key=lambda method: of(method, "unseen"))


UNLIKE_ROBOTS = Experiment(
    title="Robots that are unlike in what no sensor tells: a hanging load",
    task="swing-load",
    robots=8,
    rounds=60,
    seeds=5,
    training=TrainingPlan(iterations=1, share="policy"),
    merge=UNLIKE,
    variants={
        "alone": Variant("alone", {}),
        "guild, variates": Variant("guild", {"variates": True}),
        "guild, plain": Variant("guild", {}),
        "lessons": Variant("lessons", {"learner": LESSONS, "variates": True, "moments": True}),
        "pooled": Variant("pooled", {}),
    },
    aims=(
        Aim(
            "home at least alone - .02",
            lambda of: of(_best(of), "home") >= of("alone", "home") - 0.02,
        ),
        Aim("unseen at least .82", lambda of: of(_best(of), "unseen") >= 0.82),
        Aim(
            "unseen at least alone + .40",
            lambda of: of(_best(of), "unseen") >= of("alone", "unseen") + 0.40,
        ),
        Aim(
            "unseen at least pooled - .02",
            lambda of: of(_best(of), "unseen") >= of("pooled", "unseen") - 0.02,
        ),
        Aim(
            "unseen at least the best fixed controller + .25",
            lambda of: of(_best(of), "unseen") >= of("controller feedback", "unseen") + 0.25,
        ),
    ),
)

HOW_MANY = Experiment(
    title="Unlike robots: how many workshops it takes",
    task="swing-load",
    robots=8,
    rounds=60,
    seeds=3,
    training=TrainingPlan(iterations=1, share="policy", variates=True),
    merge=UNLIKE,
    variants={f"guild of {robots}": Variant("guild", {}, robots) for robots in (2, 4, 8, 16)},
    aims=(
        Aim(
            "unseen rises at each doubling",
            lambda of: all(
                of(f"guild of {2 * few}", "unseen") > of(f"guild of {few}", "unseen") for few in (2, 4, 8)
            ),
        ),
    ),
)

LIKE_ROBOTS = Experiment(
    title="Robots in like workshops: how many robots are worth",
    task="weld-seam",
    robots=4,
    rounds=8,
    seeds=3,
    training=TrainingPlan(),
    merge=MergePlan(),
    variants={f"guild of {robots}": Variant("guild", {}, robots) for robots in (1, 2, 4, 8)},
    aims=(
        Aim(
            "unseen rises at each doubling",
            lambda of: all(
                of(f"guild of {2 * few}", "unseen") > of(f"guild of {few}", "unseen") for few in (1, 2, 4)
            ),
        ),
    ),
)

EXPERIMENTS: dict[str, Experiment] = {
    "unlike": UNLIKE_ROBOTS,
    "workshops": HOW_MANY,
    "like": LIKE_ROBOTS,
}
