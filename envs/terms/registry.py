"""Which kinds of quantity there are: Zunft's own, and those of packages installed beside it.

A package names a subclass of `Term` under the entry point `zunft.terms`.
"""

from __future__ import annotations

from functools import lru_cache

from envs.terms.base import Term
from envs.terms.coverage import Coverage
from envs.terms.geometry import AxisAngle, Component, Distance, Length, Position
from envs.terms.memory import Peak, Smooth
from envs.terms.path import Path
from envs.terms.sensing import JointVelocity, Sensor
from skills.kinds import known_kinds

__all__ = ["known_terms"]

OWN: tuple[type[Term], ...] = (
    AxisAngle, Component, Coverage, Distance, JointVelocity, Length, Path, Peak, Position, Sensor, Smooth
)  # fmt: skip


@lru_cache(maxsize=1)
def known_terms() -> dict[str, type[Term]]:
    """Each kind's class by its name, sorted.

    Raises:
        ValueError: Two classes claim one name.
    """
    return known_kinds(OWN, "zunft.terms")
