"""Steps with moments that the guild holds: every robot of a round scales its gradients alike.

Where each keeps an Adam of its own, each scales the shared weights' gradients by what its own job makes
large, and their mean is no step of the guild's. Here the second moment stands still during a round, and the
first begins where the guild's is. What becomes of them at the hub is left to its merge: it takes their mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from skills.container import Tensors

__all__ = ["HeldMoments", "next_moments"]

KEEP_FIRST, KEEP_SECOND, EPSILON = 0.9, 0.99, 1e-5


class HeldMoments:
    """The steps of one round: m <- .9 m + .1 g, w <- w - rate * m / (s + 1e-5).

    Args:
        weights: What is moved, by tensor name; each parameter's `grad` is g.
        first: m at the start of the round.
        root: s, the root of the second moment.
    """

    def __init__(self, weights: Mapping[str, nn.Parameter], first: Tensors, root: Tensors) -> None:
        self._weights = list(weights.values())
        self._data = [weight.detach() for weight in self._weights]
        self._first = [torch.tensor(first[name]) for name in weights]
        self._scale = [torch.tensor(root[name]).clamp(min=0) + EPSILON for name in weights]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the weights, and empty their gradients: no other optimiser is to use them again."""
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        torch._foreach_lerp_(self._first, gradients, 1 - KEEP_FIRST)
        torch._foreach_addcdiv_(self._data, self._first, self._scale, value=-learning_rate)
        for weight in self._weights:
            weight.grad = None


def next_moments(variate: Tensors, first: Tensors, root: Tensors, steps: int) -> tuple[Tensors, Tensors]:
    """What a robot sends after a round, so that the guild's next moments are the means over robots.

    They are .9^steps m + (1 - .9^steps) c, and the root of .99 s^2 + .01 c^2.

    Args:
        variate: c, the mean of its clipped gradients.
        first: m at the start of the round; empty in the first, for 0.
        root: s; empty in the first round, which sends |c|.
        steps: Gradient steps of the round.
    """
    kept = KEEP_FIRST**steps
    ahead = {name: kept * first.get(name, np.zeros_like(c)) + (1 - kept) * c for name, c in variate.items()}
    old, new = KEEP_SECOND**0.5, (1 - KEEP_SECOND) ** 0.5
    # By hypot, for squares of such small numbers vanish.
    spread = {name: np.hypot(old * root[name], new * c) if root else np.abs(c) for name, c in variate.items()}
    return _single(ahead), _single(spread)


def _single(tensors: Tensors) -> Tensors:
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
