"""What only the twin knows: for a critic in training and for a bundle's oracle, never for a skill.

Observations without a sensor: quantities, and figures that no robot is told, over their scales.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.figures import Figures
from envs.format import TaskFile
from envs.quantities import Quantities
from envs.senses import LIMIT

__all__ = ["Twin"]


class Twin:
    """The entries of `[[twin]]` in all simulations."""

    def __init__(self, file: TaskFile, quantities: Quantities, figures: Figures) -> None:
        self._sources = [
            (
                (quantities.view(each.of) if each.of in quantities.outputs else figures.of(each.of))[
                    :, slice(*each.part or (None,))
                ],
                1.0 / each.scale,
            )
            for each in file.twin
        ]

    def infos(self) -> dict[str, NDArray[np.float32]]:
        """`twin` (count, size) as it is now; nothing where the task declares none."""
        if not self._sources:
            return {}
        known = np.concatenate([source * gain for source, gain in self._sources], axis=1)
        return {"twin": np.clip(known, -LIMIT, LIMIT).astype(np.float32)}
