"""Reward, success and failure: tolerances and bounds on quantities, for all simulations at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.format import Condition, Reward
from envs.quantities import Quantities
from envs.values import Floats

__all__ = ["Conditions", "RewardOf"]


class RewardOf:
    """The reward of one step, (count,)."""

    def __init__(self, reward: Reward, quantities: Quantities) -> None:
        tolerances = reward.tolerance
        self._product = reward.combine == "product"
        self._read = quantities.lengths(each.of for each in tolerances).read
        self._target = np.array([each.target for each in tolerances])
        self._within = np.array([each.within for each in tolerances])
        self._inverse = 1.0 / np.array([each.width for each in tolerances])
        self._weight = np.array([each.weight for each in tolerances])
        self._slope = np.array([each.slope for each in tolerances])
        self._costs = [(quantities.view(cost.of), cost.weight) for cost in reward.cost]

    def now(self) -> Floats:
        """Gain less costs."""
        away = np.abs(self._read() - self._target)
        if self._within.any():
            away = np.maximum(away - self._within, 0.0)
        bells = np.exp(np.square(away * self._inverse) * -1.0)
        bells *= self._weight
        bells -= self._slope * away
        if self._product:
            bells += 1.0 - self._weight
        gain: Floats = bells.prod(axis=1) if self._product else bells.sum(axis=1)
        for vector, weight in self._costs:
            gain -= weight * np.einsum("ij,ij->i", vector, vector)
        return gain


class Conditions:
    """Several conditions at once."""

    def __init__(self, conditions: Sequence[Condition], quantities: Quantities) -> None:
        self._some = bool(conditions)
        self._count = len(quantities.values)
        self._read = quantities.lengths(each.of for each in conditions).read
        bounds = np.array([each.bounds for each in conditions]).reshape(-1, 2)
        self._low, self._high = bounds[:, 0], bounds[:, 1]

    def all_hold(self) -> NDArray[np.bool_]:
        """Where all of them hold, (count,)."""
        found: NDArray[np.bool_] = np.all(self._hold(), axis=1)
        return found

    def any_holds(self) -> NDArray[np.bool_]:
        """Where at least one holds, (count,)."""
        if not self._some:
            return np.zeros(self._count, np.bool_)
        found: NDArray[np.bool_] = np.any(self._hold(), axis=1)
        return found

    def _hold(self) -> NDArray[np.bool_]:
        found = self._read()
        good: NDArray[np.bool_] = (found > self._low) & (found < self._high)
        return good
