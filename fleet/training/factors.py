"""Learning factors: matrices that move by a product of low rank, with an Adam of its factors.

Any network will do, for none has to know: of W = base + B A, the gradients of B and A follow from that of W
(G A' and B' G). What is sent of them, and how a round's A begins, is `skills.low_rank`'s.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fleet.training.adam import PlainAdam
from skills.container import Tensors
from skills.low_rank import A, B, chosen, first_factor
from skills.messages.low_rank import LowRank

__all__ = ["LearnedFactors"]


class LearnedFactors:
    """Factors of one round.

    Args:
        weights: The guild's parameters, as the round begins, by the skill's names.
        low_rank: Which of them, and how.
        base: Digest of the round's base.

    Raises:
        ContractError: See `skills.low_rank.chosen`.
    """

    def __init__(self, weights: Mapping[str, nn.Parameter], low_rank: LowRank, base: str) -> None:
        shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        self._matrices = {name: weights[name] for name in chosen(shapes, low_rank)}
        self._bases = {name: weight.detach().clone() for name, weight in self._matrices.items()}
        self._left: dict[str, Tensor] = {}
        self._right: dict[str, Tensor] = {}
        for name, weight in self._matrices.items():
            rows, columns = weight.shape
            drawn = first_factor(base, name, (low_rank.rank, columns))
            self._left[name] = torch.zeros(rows, low_rank.rank)
            self._right[name] = torch.from_numpy(drawn).float()
        self._frozen = low_rank.frozen_a
        moved = [*self._left.values(), *([] if self._frozen else self._right.values())]
        self._adam = PlainAdam(moved, eps=1e-5, fused=True)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step from the gradients of the matrices, which are then nobody else's."""
        for name, weight in self._matrices.items():
            if weight.grad is None:
                continue
            left, right, gradient = self._left[name], self._right[name], weight.grad
            left.grad = gradient @ right.T
            if not self._frozen:
                right.grad = left.T @ gradient
            weight.grad = None
        self._adam.param_groups[0]["lr"] = rate
        self._adam.step()
        for name, weight in self._matrices.items():
            torch.addmm(self._bases[name], self._left[name], self._right[name], out=weight.data)

    def tensors(self) -> Tensors:
        """Copies of all factors by the names that a delta has for them."""
        left = {name + B: each.numpy().copy() for name, each in self._left.items()}
        return left | {name + A: each.numpy().copy() for name, each in self._right.items()}
