"""The one way in which tests wait for what another thread or process does: asked again, up to a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 180.0
"""Seconds that nothing takes, also on a machine that is busy with much else."""
PAUSE = 0.02

T = TypeVar("T")


def eventually(
    look: Callable[[], T | None],
    what: Callable[[], object] | str = "it",
    *,
    alive: Callable[[], bool] = lambda: True,
) -> T:
    """The first answer that is true.

    Args:
        look: What is asked.
        what: What is waited for; or says, at the end, what there was instead.
        alive: Whether that may still come: a process that died is waited for no longer.

    Raises:
        AssertionError: It did not come.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        late = time.monotonic() > deadline
        if late or not alive():
            said = what if isinstance(what, str) else what()
            raise AssertionError(f"waited in vain ({'for long' if late else 'for the dead'}): {said}")
        time.sleep(PAUSE)
    return found
