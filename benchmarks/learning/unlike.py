"""Robots that are unlike in what no sensor tells: ways to learn together, and what their parts are worth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from benchmarks.learning.experiment import Experiment, Variant
from benchmarks.learning.summary import Aim
from envs.task import load_task
from skills.messages.plans import MergePlan, TrainingPlan
from skills.messages.training import Imitation

__all__ = ["PARTS", "UNLIKE", "WORKSHOPS"]

Of = Callable[[str, str], float]

MERGE = MergePlan(momentum=0.5, step=1.5)
"""Server step for robots whose deltas are nearly orthogonal: their mean is short."""
LESSONS = Imitation(batch=4160, minibatch=1560)
"""64 jobs of the hanging load a lesson, 24 a gradient step."""
TAUGHT = {"learner": LESSONS, "variates": True, "moments": True}
OURS = ("guild, variates", "lessons", "lessons, then practice")


def _best(of: Of) -> str:
    """The one of our ways, of those that were run, that does best where nobody trained: aims are for it."""
    found: dict[str, float] = {}
    for method in OURS:
        with suppress(KeyError):
            found[method] = of(method, "unseen")
    return max(found, key=found.__getitem__, default=OURS[0])


def _above(other: str, place: str, more: float) -> Callable[[Of], bool]:
    return lambda of: of(_best(of), place) >= of(other, place) + more


UNLIKE = Experiment(
    title="Robots that are unlike in what no sensor tells: a hanging load",
    task="swing-load",
    robots=8,
    rounds=60,
    seeds=5,
    training=TrainingPlan(iterations=1, share="policy"),
    merge=MERGE,
    variants={
        "alone": Variant("alone"),
        "guild, variates": Variant("guild", {"variates": True}),
        "guild, plain": Variant("guild"),
        "lessons": Variant("lessons", TAUGHT),
        "lessons, then practice": Variant("both", TAUGHT),
        "pooled": Variant("pooled"),
    },
    aims=(
        Aim("home at least alone - .02", _above("alone", "home", -0.02)),
        Aim("unseen at least .82", lambda of: of(_best(of), "unseen") >= 0.82),
        Aim("unseen at least alone + .40", _above("alone", "unseen", 0.40)),
        Aim("unseen at least pooled - .02", _above("pooled", "unseen", -0.02)),
        Aim("unseen at least the best fixed controller + .25", _above("controller feedback", "unseen", 0.25)),
    ),
)

WORKSHOPS = Experiment(
    title="Unlike robots: how many workshops it takes",
    task="swing-load",
    robots=8,
    rounds=60,
    seeds=5,
    training=TrainingPlan(iterations=1, share="policy", variates=True),
    merge=MERGE,
    variants={f"guild of {robots}": Variant("guild", robots=robots) for robots in (1, 2, 4, 8, 16)},
    aims=(
        Aim(
            "unseen rises at each doubling",
            lambda of: all(
                of(f"guild of {2 * few}", "unseen") > of(f"guild of {few}", "unseen") for few in (1, 2, 4, 8)
            ),
        ),
    ),
)

ADVISED = load_task("swing-load").file.training.learner
AS_IS = "as it is"
WITHOUT = {
    "without variates": Variant("guild", {"variates": False}),
    "Adam begun anew": Variant("guild", {"learner": ADVISED.model_copy(update={"keep_moments": False})}),
    "server step 1": Variant("guild", merge={"step": 1.0}),
    "no server momentum": Variant("guild", merge={"momentum": 0.0}),
    "critic shared": Variant("guild", {"share": "all"}),
    "history of 4 instead of gru": Variant("guild", network={"kind": "mlp", "history": 4}),
    "no memory": Variant("guild", network={"kind": "mlp"}),
}

PARTS = Experiment(
    title="What each part is worth: 40 rounds of unlike robots",
    task="swing-load",
    robots=8,
    rounds=40,
    seeds=3,
    training=UNLIKE.training.model_copy(update={"variates": True}),
    merge=MERGE,
    variants={
        AS_IS: Variant("guild"),
        "moments held by the hub": Variant("guild", {"moments": True}),
        "two iterations a round": Variant("guild", {"iterations": 2}),
        **WITHOUT,
    },
    aims=tuple(
        Aim(
            f"{name}: .03 less than as it is",
            lambda of, name=name: of(AS_IS, "unseen") >= of(name, "unseen") + 0.03,  # type: ignore[misc]
        )
        for name in WITHOUT
    ),
)
