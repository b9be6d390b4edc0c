"""Server optimisers: how a round's merged delta becomes the step that the skill takes.

Pure: state in, state and step out. Where the state is kept between rounds is the engine's business.
Sums are float64; a number that overflows becomes the largest finite one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hub.merging.errors import MergeError
from skills.container import check_shapes

__all__ = ["Adaptive", "Optimiser", "ServerMomentum"]

Array = NDArray[np.float64]
Update = dict[str, Array]
Mean = Mapping[str, NDArray[Any]]

FIRST, SECOND = "first/", "second/"
"""Before a tensor's name in the state: its moments."""


class Optimiser(Protocol):
    """State and merged delta to new state and step."""

    @property
    def kind(self) -> str:
        """Whose state it is: another kind of optimiser cannot go on from it."""

    def moments(self, name: str) -> tuple[str, ...]:
        """What the state has for a tensor: names of float64 tensors of its shape."""

    def update(self, state: Mean | None, mean: Mean) -> tuple[Update, Update]:
        """New state and the step to add to the base; neither argument is changed.

        Each number follows from its own past alone: tensors may be updated one by one, and in pieces.

        Args:
            state: What the last update returned; None at the start.
            mean: This round's merged delta, finite.

        Raises:
            ArtefactError: State and mean have different tensors.
        """


@dataclass(frozen=True)
class ServerMomentum:
    """FedAvgM: v <- momentum * v + mean; step * v is added to the base. The state is v, at first 0.

    Source: Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data Distribution for
    Federated Visual Classification", 2019, section 3 (there with the opposite sign of the mean).
    With momentum 0 and step 1 it is FedAvg, bit for bit.
    """

    momentum: float = 0.0
    step: float = 1.0

    kind: ClassVar = "momentum"

    def __post_init__(self) -> None:
        _check(0 <= self.momentum < 1, "momentum", self.momentum, "0 <= momentum < 1")
        _check(0 < self.step < np.inf, "step", self.step, "positive finite numbers")

    def moments(self, name: str) -> tuple[str, ...]:
        """The velocity; see `Optimiser`."""
        return (name,)

    def update(self, state: Mean | None, mean: Mean) -> tuple[Update, Update]:
        """New velocity and the step; see `Optimiser`."""
        if state is not None:
            check_shapes(state, {name: tensor.shape for name, tensor in mean.items()}, "optimiser state")
        with np.errstate(over="ignore"):  # _finite puts right what overflows
            velocity = {
                name: _finite(_wide(tensor) if state is None else self.momentum * state[name] + tensor)
                for name, tensor in mean.items()
            }
            return velocity, {name: _finite(self.step * tensor) for name, tensor in velocity.items()}


@dataclass(frozen=True)
class Adaptive:
    """FedAdam, FedYogi and FedAdagrad, without bias correction, as in the paper.

        m <- beta1 m + (1 - beta1) mean                                  m = 0 at first
        v <- beta2 v + (1 - beta2) mean^2                     adam       v = tau^2 at first
             v - (1 - beta2) mean^2 sign(v - mean^2)          yogi
             v + mean^2                                       adagrad
        step = learning_rate * m / (sqrt(v) + tau)

    Source: Reddi et al., "Adaptive Federated Optimization", 2021, algorithm 2. Whatever the deltas'
    length, a weight moves by about `learning_rate` in a round, twice as much while they agree.
    """

    kind: Literal["adam", "yogi", "adagrad"]
    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        _check(
            0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "positive finite numbers"
        )
        _check(0 <= self.beta1 < 1, "beta1", self.beta1, "0 <= beta1 < 1")
        _check(0 <= self.beta2 < 1, "beta2", self.beta2, "0 <= beta2 < 1")
        _check(0 < self.tau < np.inf, "tau", self.tau, "positive finite numbers")

    def moments(self, name: str) -> tuple[str, ...]:
        """Both moments; see `Optimiser`."""
        return FIRST + name, SECOND + name

    def update(self, state: Mean | None, mean: Mean) -> tuple[Update, Update]:
        """New moments and the step; see `Optimiser`."""
        if state is None:
            state = {FIRST + name: np.zeros(tensor.shape) for name, tensor in mean.items()}
            state |= {SECOND + name: np.full(tensor.shape, self.tau**2) for name, tensor in mean.items()}
        shapes = {kind + name: tensor.shape for kind in (FIRST, SECOND) for name, tensor in mean.items()}
        check_shapes(state, shapes, "optimiser state")
        after, step = {}, {}
        with np.errstate(over="ignore"):  # _finite puts right what overflows
            for name, tensor in mean.items():
                first = self.beta1 * state[FIRST + name] + (1 - self.beta1) * _wide(tensor)
                second = _finite(self._second(state[SECOND + name], np.square(_wide(tensor))))
                after[FIRST + name], after[SECOND + name] = first, second
                step[name] = _finite(self.learning_rate * first / (np.sqrt(second) + self.tau))
        return after, step

    def _second(self, before: Array, square: Array) -> Array:
        match self.kind:
            case "adam":
                return self.beta2 * before + (1 - self.beta2) * square
            case "yogi":
                return before - (1 - self.beta2) * square * np.sign(before - square)
            case "adagrad":
                return before + square


def _wide(tensor: NDArray[Any]) -> Array:
    return tensor.astype(np.float64)


def _finite(tensor: Array) -> Array:
    """A copy in which what overflowed is the largest finite number."""
    largest = np.finfo(np.float64).max
    return np.clip(tensor, -largest, largest)


def _check(holds: bool, setting: str, value: float, bounds: str) -> None:
    if not holds:
        raise MergeError(
            f"{setting} {value} is outside {bounds}.", where=setting, remedy="Choose another value."
        )
