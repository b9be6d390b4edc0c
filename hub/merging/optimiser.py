"""Server optimisers: how the mean of a round's deltas becomes the step that the skill takes.

Pure: state in, state and step out. Where the state is kept between rounds is the engine's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.merging.mean import MergeError
from skills.container import check_shapes

__all__ = ["ServerMomentum"]

Update = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class ServerMomentum:
    """FedAvgM: v <- momentum * v + mean; step * v is added to the base.

    Source: Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data Distribution for
    Federated Visual Classification", 2019, section 3 (there with the opposite sign of the mean).
    With momentum 0 and step 1 it is FedAvg, bit for bit.
    """

    momentum: float = 0.0
    step: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise MergeError(f"momentum {self.momentum} is outside 0 <= momentum < 1.", where="momentum")
        if not (0 < self.step < np.inf):
            raise MergeError(f"step {self.step} is not a positive finite number.", where="step")

    def update(
        self, state: Mapping[str, NDArray[np.float64]] | None, mean: Mapping[str, NDArray[np.float64]]
    ) -> tuple[Update, Update]:
        """New velocity and the step to apply; neither argument is changed, no result is infinite.

        Args:
            state: Velocity after the last round; None before the first.
            mean: This round's merged delta, finite.

        Raises:
            ArtefactError: State and mean have different tensors.
        """
        if state is not None:
            check_shapes(state, {name: tensor.shape for name, tensor in mean.items()}, "momentum state")
        with np.errstate(over="ignore"):  # _finite puts right what overflows
            velocity = {
                name: _finite(tensor if state is None else self.momentum * state[name] + tensor)
                for name, tensor in mean.items()
            }
            return velocity, {name: _finite(self.step * tensor) for name, tensor in velocity.items()}


def _finite(tensor: NDArray[np.float64]) -> NDArray[np.float64]:
    """A copy in which what overflowed is the largest finite number."""
    largest = np.finfo(np.float64).max
    return np.clip(tensor, -largest, largest)
