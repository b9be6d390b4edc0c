"""The larger hall as one more loop of a hub: what `zunft hub` puts beside its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hub.services import Services
from skills.errors import ConflictError

if TYPE_CHECKING:
    from zunft.halls.bridge import Bridge

__all__ = ["larger_hall"]

IDLE_SECONDS = 5.0


def larger_hall(services: Services) -> dict[str, Callable[[], float]]:
    """What to do again and again: nothing, until this hall has joined another one."""
    return {"larger hall": partial(_turn, services, [])}


def _turn(services: Services, made: list[Bridge]) -> float:
    """One step, of one process of this hub at a time; returns after how many seconds to look again."""
    if services.halls.memberships.current() is None:
        return IDLE_SECONDS
    # Imported here: a hub that has joined no other does without the fleet's modules.
    from zunft.halls.bridge import Bridge  # noqa: PLC0415
    from zunft.halls.joining import HallFolder  # noqa: PLC0415

    folder = HallFolder(services.settings.data_dir, services.halls.memberships.key)
    if not made:
        made.append(Bridge(services.halls, folder, stopped=services.storage.stopping))
    try:
        with folder.locked("bridge"):
            return made[0].step()
    except ConflictError:
        return IDLE_SECONDS  # another process of this hub is at it
