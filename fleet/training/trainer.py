"""What every algorithm is to a robot: a trainer that takes weights, learns, and gives back what is shared.

How one learns is each algorithm's; what a round asks for and what becomes of the weights is left to
`fleet.practice`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from fleet.training.report import TrainingReport
from skills.container import Tensors, check_finite

__all__ = ["Trainer", "seed_process"]


class Trainer(ABC):
    """One robot's learning; trainers in one process do not disturb each other's randomness.

    Same seed, same environments, same calls: same weights, bit for bit.
    """

    def __init__(self, seed: int) -> None:
        # Small matrices: a second thread costs more than it brings, and other robots want the core.
        torch.set_num_threads(1)
        self._generators: tuple[torch.Tensor, Any] = (
            torch.Generator().manual_seed(seed).get_state(),
            np.random.RandomState(seed).get_state(),
        )

    @abstractmethod
    def take(self, tensors: Tensors, base: str = "") -> None:
        """Begin a round from a skill's tensors; what is private stays.

        Args:
            tensors: The skill's.
            base: Its digest, from which factors begin (`skills.low_rank`) where the campaign has some.

        Raises:
            ArtefactError: They do not belong to the network.
        """

    @abstractmethod
    def shared(self) -> Tensors:
        """Copies of all that the guild may have, by the skill's tensor names."""

    @abstractmethod
    def private(self) -> Tensors:
        """Copies of what training needs from round to round and nobody else gets."""

    @abstractmethod
    def restore(self, private: Tensors) -> None:
        """Go on with what `private` gave, perhaps in another process; what does not fit is left aside."""

    @abstractmethod
    def leave(self) -> None:
        """Give up the jobs under way: the environments were, or will be, used for something else.

        What is collected next begins new ones.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the environments."""

    @abstractmethod
    def _iterate(self, learning_rate: float, proximal: float, on_step: Callable[[], None]) -> TrainingReport:
        """Collect and learn once."""

    def train(
        self,
        iterations: int,
        learning_rate: float,
        *,
        proximal: float = 0.0,
        on_iteration: Callable[[TrainingReport], None] | None = None,
        on_step: Callable[[], None] = lambda: None,
    ) -> TrainingReport:
        """Collect and learn `iterations` times.

        Args:
            iterations: Batches.
            learning_rate: Adam's, constant during the call.
            proximal: FedProx's mu; 0 leaves it out.
            on_iteration: Told of each iteration's figures; what it raises stops the training.
            on_step: Called before each step of the environments; what it raises stops the training.

        Raises:
            ArtefactError: Training diverged to weights that are not finite.
            ContractError: The environment gave numbers that are not finite.
        """
        reports = []
        for _ in range(iterations):
            with self._own_randomness():
                reports.append(self._iterate(learning_rate, proximal, on_step))
            if on_iteration:
                on_iteration(reports[-1])
        check_finite(self.shared(), "trained skill")
        return TrainingReport.of(reports)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """RLlib and torch draw from the process's generators: lend them this trainer's for a while."""
        outside = (torch.get_rng_state(), np.random.get_state())  # noqa: NPY002
        seed_process(*self._generators)
        try:
            yield
        finally:
            self._generators = (torch.get_rng_state(), np.random.get_state())  # noqa: NPY002
            seed_process(*outside)


def seed_process(torch_state: torch.Tensor, numpy_state: Any) -> None:
    """Set the process's generators."""
    torch.set_rng_state(torch_state)
    np.random.set_state(numpy_state)  # noqa: NPY002
