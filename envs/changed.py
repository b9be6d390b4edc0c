"""A workshop after something in it changed: a new payload, a worn tool, a turned sensor, another cable.

The robot and the kind of its jobs stay; how it differs from its data sheet is drawn anew.
"""

from __future__ import annotations

from envs.variation import Varied
from envs.workshop import Workshop, fresh_workshop

__all__ = ["changed_workshop"]


def changed_workshop(task: Varied, home: Workshop, seed: int) -> Workshop:
    """The same workshop with other peculiarities, from the ranges that robots in training have.

    What a workshop says of its jobs by itself, such as which seams it gets, stays; what was drawn for it as
    a window of a range, such as its cables, is drawn anew.

    Args:
        task: Declares what is drawn.
        home: As it was.
        seed: Equal seeds, equal changes.
    """
    drawn = fresh_workshop(task, home.embodiment, seed)
    kept = {
        name: figure
        for name, figure in home.figures.items()
        if name in task.jobs and name not in drawn.figures
    }
    name = f"{home.name[:40]}-changed-{seed}"
    return Workshop(name=name, task=task.name, embodiment=home.embodiment, figures={**kept, **drawn.figures})
