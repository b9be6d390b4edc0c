"""Control variates in a robot's training: what its own gradient has that the guild's has not is taken out.

SCAFFOLD (Karimireddy et al. 2020), with gradients clipped and fed to a local Adam: each step uses
g - c_i + c, where c_i is the mean of this robot's clipped gradients in its last round, and c the mean of all
robots'. How c comes about is the hub's; what travels is named in `skills.parts`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from skills.container import Tensors

__all__ = ["Correction"]


class Correction:
    """The control variates of one round of one robot.

    Args:
        weights: The parameters that are corrected, by tensor name.
        own: c_i, of this robot's last round; None where it has none: nothing is corrected.
        guild: c, of all robots' last round; None in the first.

    Attributes:
        parameters: What is corrected.
        count: Gradients noted so far.
    """

    def __init__(
        self, weights: Mapping[str, nn.Parameter], own: Tensors | None, guild: Tensors | None
    ) -> None:
        self.parameters = list(weights.values())
        self._names = list(weights)
        self._shift: list[Tensor] | None = None
        if own is not None and guild is not None:
            self._shift = [
                torch.from_numpy((guild[name] - own[name]).astype(np.float32)) for name in self._names
            ]
        self._sums = [torch.zeros_like(weight) for weight in self.parameters]
        self.count = 0

    def apply(self) -> None:
        """Note the clipped gradients, then correct them."""
        gradients = [weight.grad for weight in self.parameters if weight.grad is not None]
        torch._foreach_add_(self._sums, gradients)
        self.count += 1
        if self._shift is not None:
            torch._foreach_add_(gradients, self._shift)

    def noted(self) -> Tensors:
        """The mean of the clipped gradients so far, float32, by tensor name: this round's c_i."""
        return {
            name: (total / max(1, self.count)).numpy().astype(np.float32)
            for name, total in zip(self._names, self._sums, strict=True)
        }
