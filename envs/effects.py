"""Which figures of a task change nothing: whatever their value, the same is sensed, measured and rewarded.

What follows from it is the contract checker's business, `envs.examine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.task import Task
from envs.values import Floats
from envs.variation import Variation
from envs.vector import TaskVectorEnv
from envs.workshop import Figure, Workshop, fresh_workshop
from skills.player import Player

__all__ = ["without_effect"]

COPIES = 16
"""Jobs side by side: what acts only now and then, such as the friction of a grip, must get a chance to."""
MOST_VALUES = 4
"""Of a figure with a list of them, the first: a figure that does nothing is run to the end for each."""
MOST_FOUND = 3
"""After so many it looks no further: these cost about as much as scoring the controllers does."""


def without_effect(task: Task, robot: str, players: Sequence[Player], steps: int, seed: int) -> list[str]:
    """Names of the first figures whose least and greatest value, or whose listed values, do the same.

    Args:
        task: A bundle.
        robot: On which embodiment; the figures that are not looked at are drawn.
        players: Act one after the other; both sides get the same actions.
        steps: Of each player.
        seed: Of the jobs, and of the figures that are drawn.

    Raises:
        ContractError: The task does not compile on this robot.
    """
    shop = fresh_workshop(task.bundle, robot, seed)
    found = []
    for name, variation in {**task.bundle.robots, **task.bundle.jobs}.items():
        shops = [
            shop.model_copy(update={"figures": {**shop.figures, name: figure}})
            for figure in _figures(variation, per_job=name in task.bundle.jobs)
        ]
        if shops and not any(_differ(task, (shops[0], each), players, steps, seed) for each in shops[1:]):
            found.append(name)
        if len(found) == MOST_FOUND:
            break
    return found


def _figures(variation: Variation, *, per_job: bool) -> list[Figure]:
    """What a workshop may say of it; nothing of a figure that is always the same."""
    values = variation.drawn.values[:MOST_VALUES] if variation.drawn else ()
    if any(isinstance(each, str) for each in values):
        return [(str(each),) for each in values] if len(values) > 1 else []
    rows = np.array(values, dtype=np.float64)[:, None] if values else _extremes(variation)
    if len(np.unique(rows, axis=0)) < 2:
        return []
    if per_job:
        return [(*row, *row) for row in rows.tolist()]
    return [row[0] if len(row) == 1 else tuple(row) for row in rows.tolist()]


def _extremes(variation: Variation) -> Floats:
    """Least and greatest of what is drawn, else of what a workshop may say, (2, components)."""
    if variation.drawn is not None:
        low, high = (np.array(side, dtype=np.float64) for side in variation.drawn.bounds)
    else:
        low, high = (np.full(variation.size, each) for each in variation.limits or (0.0, 0.0))
    return np.stack([low, high])


def _differ(
    task: Task, shops: tuple[Workshop, Workshop], players: Sequence[Player], steps: int, seed: int
) -> bool:
    """Whether anything is sensed, measured or rewarded otherwise in one than in the other."""
    sides = [TaskVectorEnv(task, shop, COPIES) for shop in shops]
    for number, each in enumerate(players):
        player = each.begin()
        seen = [env.reset(seed=seed + number)[0] for env in sides]
        for _ in range(steps):
            if not _equal(seen) or not _equal([env.quantities.values for env in sides]):
                return True
            actions = player.act(seen[0])
            seen, gained = zip(*(env.step(actions)[:2] for env in sides), strict=True)
            if not _equal(gained):
                return True
    return False


def _equal(pair: Sequence[NDArray[Any]]) -> bool:
    return np.array_equal(pair[0], pair[1])
