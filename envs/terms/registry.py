"""Which kinds of quantity there are: Zunft's own, and those of packages installed beside it.

A package names a subclass of `Term` under the entry point `zunft.terms`. What a bundle says is never
imported: it chooses among kinds that whoever runs it has installed.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points

from envs.terms.base import Term
from envs.terms.coverage import Coverage
from envs.terms.geometry import AxisAngle, Component, Distance, Length, Position
from envs.terms.memory import Peak, Smooth
from envs.terms.path import Path
from envs.terms.sensing import JointVelocity, Sensor

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
    installed = [point.load() for point in entry_points(group="zunft.terms")]
    known: dict[str, type[Term]] = {}
    for term in (*OWN, *installed):
        (kind,) = term.model_fields["kind"].annotation.__args__
        if kind in known:
            raise ValueError(f"two terms are called {kind!r}: {known[kind]} and {term}")
        known[kind] = term
    return dict(sorted(known.items()))
