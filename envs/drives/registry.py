"""Which drives there are: Zunft's own, and those of packages installed beside it.

A package names a subclass of `Drive` under the entry point `zunft.drives`.
"""

from __future__ import annotations

from functools import lru_cache

from envs.drives.base import Drive
from envs.drives.flight import Flight
from envs.drives.impedance import Impedance
from skills.kinds import known_kinds

__all__ = ["known_drives"]

OWN: tuple[type[Drive], ...] = (Flight, Impedance)


@lru_cache(maxsize=1)
def known_drives() -> dict[str, type[Drive]]:
    """Each kind's class by its name, sorted.

    Raises:
        ValueError: Two classes claim one name.
    """
    return known_kinds(OWN, "zunft.drives")
