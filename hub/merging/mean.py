"""The weighted mean of deltas, one delta in memory at a time.

A running mean, not a sum: it never leaves the range of its inputs, so it cannot overflow, and the
mean of one delta is that delta bit for bit. Floating-point addition depends on its order, so
`merge_mean` adds in the order of the deltas' keys; then the order of arrival changes no bit, and any
process can rebuild the merge. Which deltas count and with what weight is the engine's decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hub.merging.errors import MergeError
from skills.container import check_finite, check_shapes
from skills.manifest import Parameters

__all__ = ["Contribution", "MergeError", "StreamingMean", "merge_mean"]

CHUNK = 2**14  # numbers: stays in a core's cache, and torch does not split it among threads


@dataclass(frozen=True)
class Contribution:
    """One delta's weight, and how to read its tensors when its turn comes."""

    weight: float
    load: Callable[[], Mapping[str, NDArray[Any]]]


def merge_mean(
    shapes: Parameters, contributions: Mapping[str, Contribution], *, device: str = "cpu"
) -> dict[str, NDArray[np.float64]]:
    """Weighted mean of the contributions, the same bits for any order of the mapping.

    Args:
        shapes: Name and shape of every tensor.
        contributions: Delta digest to contribution; added in the order of the digests.
        device: Where torch adds: `cpu` or `cuda`. Both give the same bits.

    Raises:
        MergeError: No contributions, or a weight that is not positive and finite.
        ArtefactError: Wrong or non-finite tensors, or whatever a `load` raises.
    """
    mean = StreamingMean(shapes, device=device)
    for _, contribution in sorted(contributions.items()):
        mean.add(contribution.load(), contribution.weight)
    return mean.result()


class StreamingMean:
    """Weighted mean of tensors that come one set at a time; memory is that of one set in float64.

    `add` and `result` may alternate. The result does not depend on the order of `add` beyond
    rounding; use `merge_mean` where it must not depend on it at all.
    """

    def __init__(self, shapes: Parameters, *, device: str = "cpu") -> None:
        # Minus zero is the neutral element: -0.0 + x is x, also for x = -0.0.
        self._mean = {
            name: torch.from_numpy(np.full(prod(shape), -0.0)).to(device) for name, shape in shapes.items()
        }
        self._stage = np.empty(CHUNK)
        self._shapes = dict(shapes)
        self._weight = Fraction(0)

    def add(self, tensors: Mapping[str, NDArray[Any]], weight: float) -> None:
        """Fold one delta in; a refused one changes nothing.

        Args:
            tensors: Exactly the tensors of `shapes`; float64, or what converts to it.
            weight: Positive and finite, such as a capped number of samples.

        Raises:
            MergeError: Bad weight.
            ArtefactError: Wrong names or shapes, NaN or infinite numbers.
        """
        if not (isfinite(weight) and weight > 0):
            raise MergeError(
                f"weight {weight} is not a positive finite number.",
                where="weight",
                remedy="Weigh a delta by its samples.",
            )
        check_shapes(tensors, self._shapes, "delta")
        check_finite(tensors, "delta")
        total = self._weight + Fraction(weight)
        keep, take = float(self._weight / total), float(Fraction(weight) / total)
        for name, mean in self._mean.items():
            self._blend(mean, np.ravel(tensors[name]), keep, take)
        self._weight = total

    def result(self) -> dict[str, NDArray[np.float64]]:
        """The mean so far, as arrays of its own.

        Raises:
            MergeError: Nothing was added.
        """
        if not self._weight:
            raise MergeError("there is no delta to merge.", remedy="Wait for the quorum.")
        return {
            name: mean.cpu().numpy().copy().reshape(self._shapes[name]) for name, mean in self._mean.items()
        }

    def _blend(self, mean: torch.Tensor, tensor: NDArray[Any], keep: float, take: float) -> None:
        """Mean <- keep * mean + take * tensor, each operation rounded by itself.

        A fused multiply-add would round vector lanes and loop tails, or two machines, differently.
        It never overflows: rounding keep and take adds less than an ulp to their sum, and a product with
        the largest number, all ones, loses one.
        """
        for part in _parts(tensor.size):
            staged = self._stage[: part.stop - part.start]
            np.multiply(tensor[part], take, out=staged, dtype=np.float64)
            mean[part].mul_(keep).add_(torch.from_numpy(staged).to(mean.device))


def _parts(size: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))
