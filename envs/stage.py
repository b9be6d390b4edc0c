"""What a term may use when it is compiled: the simulations, the table, the job frames and the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The file format is made of the terms, which get a stage: at run time the stage knows none of them.
    from envs.figures import Figures
    from envs.frame import Frame
    from envs.physics import Cells
    from envs.table import Table

__all__ = ["Stage"]


@dataclass(frozen=True)
class Stage:
    """One vector environment's parts.

    Attributes:
        count: Simulations side by side.
        dt: Seconds of a control step.
    """

    count: int
    dt: float
    cells: Cells
    frame: Frame
    figures: Figures
    table: Table
