"""How a robot finds itself: what is usual at home, how far each job was from it, and whether it is worn.

Kept in the robot's folder, job by job; nothing here speaks to a hub. What is measured is
`fleet.health.figures`', what is told `fleet.health.sharing`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from skills.health import Cusum, Floats, alarm_limit, distances, precision_of, shrunk_covariance, widened
from skills.messages.health import LOGGED, HealthModel, HealthState

__all__ = ["HOME", "Health", "judged", "renewed"]

HOME = 30
"""Jobs by which a robot knows its own centre. They must be healthy: it is new, or was just looked after."""
Row = tuple[float, ...]


class Health(BaseModel):
    """What a robot knows of its machine in one skill.

    Attributes:
        figures: Names, in the order of each row.
        number: Of the last job; counts on for ever.
        home: The first jobs, until their mean is the centre.
        kept: The last jobs, less the centre once there is one; their numbers end with `number`.
        sound: Number of the last job that the guild may learn from: before anything seemed to move.
        apart: The CUSUM's state.
        told: Distances of the last jobs, for people.
        state: As the hub hears it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    figures: tuple[str, ...] = ()
    number: int = 0
    home: tuple[Row, ...] = ()
    kept: tuple[Row, ...] = ()
    sound: int = 0
    apart: Row = ()
    told: tuple[float, ...] = ()
    state: HealthState = HealthState()

    @property
    def knows_home(self) -> bool:
        """Whether it has a centre."""
        return len(self.home) == HOME


def judged(
    health: Health, names: Sequence[str], row: Floats, model: HealthModel | None, now: datetime
) -> Health:
    """With one more job (figures,), judged by the guild's model; without one, by the robot's own jobs."""
    if health.figures != tuple(names):
        health = renewed(health).model_copy(update={"figures": tuple(names)})
    if not health.knows_home:
        return _at_home(health, row)
    number, home = health.number + 1, np.array(health.home)
    apart = row - home.mean(axis=0)
    fits = model is not None and model.figures == health.figures
    precision = precision_of(model.covariance if model and fits else shrunk_covariance(home))
    precision = widened(precision, home)
    before = Cusum(np.array(health.apart), health.state.height)
    cusum = before.after(apart, precision)
    distance = float(distances(row[None], home.mean(axis=0), precision, home=HOME)[0])
    limit = alarm_limit(len(row), HOME)
    state = health.state.model_copy(
        update={
            "jobs": health.state.jobs + 1,
            "distance": min(distance, 1e9),
            "height": cusum.height,
            "limit": limit,
        }
    )
    if cusum.height > limit and not state.worn_since:
        worst = int(np.argmax(cusum.state * (precision @ cusum.state)))
        state = state.model_copy(update={"worn_since": now, "figure": health.figures[worst]})
    is_sound = not state.worn_since and cusum.height <= limit / 2
    return health.model_copy(
        update={
            "number": number,
            "kept": (*health.kept, tuple(apart.tolist()))[-LOGGED:],
            "sound": number if is_sound else health.sound,
            "apart": tuple(cusum.state.tolist()),
            "told": (*health.told, distance)[-LOGGED:],
            "state": state,
        }
    )


def renewed(health: Health) -> Health:
    """After somebody looked after the machine: it learns anew what is usual; its jobs count on."""
    return Health(figures=health.figures, number=health.number, sound=health.number)


def _at_home(health: Health, row: Floats) -> Health:
    """One more of the jobs by which it learns what is usual at home."""
    home = (*health.home, tuple(row.tolist()))
    found = {"home": home, "number": health.number + 1}
    if len(home) < HOME:
        return health.model_copy(update=found)
    rows = np.array(home)
    apart = tuple(map(tuple, (rows - rows.mean(axis=0)).tolist()))
    zero = (0.0,) * len(row)
    return health.model_copy(update={**found, "kept": apart, "sound": health.number + 1, "apart": zero})
