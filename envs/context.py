"""What a term or drive may use when it is compiled: simulations, quantities, job frames and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envs.figures import Figures
from envs.frame import Frame
from envs.quantities import Quantities

if TYPE_CHECKING:
    from envs.physics import Cells  # MuJoCo, without which a bundle is read

__all__ = ["CompileContext"]


@dataclass(frozen=True)
class CompileContext:
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
    quantities: Quantities
