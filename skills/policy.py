"""Run a skill in plain numpy: what a robot needs to use a skill, without torch or Ray.

The torch network with the same output is `fleet.network`; a test holds both together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.errors import ContractError
from skills.skill import Skill

__all__ = ["Policy"]

Array = NDArray[np.float32]


class Policy:
    """The deterministic policy of a skill: the actor's mean, clipped to the action box [-1, 1]."""

    def __init__(self, skill: Skill) -> None:
        self.contract = skill.manifest.contract
        layers = len(skill.manifest.network.hidden) + 1
        tensors = skill.tensors
        # (in, out) and contiguous: the batched product below then runs without a copy.
        self._weights = [np.ascontiguousarray(tensors[f"actor.{i}.weight"].T) for i in range(layers)]
        self._biases = [tensors[f"actor.{i}.bias"] for i in range(layers)]
        self._relu = skill.manifest.network.activation == "relu"

    def act(self, observation: NDArray[Any]) -> Array:
        """Action for one observation (size,) or many (n, size); float32, each number in [-1, 1].

        Raises:
            ContractError: The observation has another size than the contract's.
        """
        hidden = np.asarray(observation, dtype=np.float32)
        if hidden.shape[-1:] != (self.contract.observation_size,):
            raise ContractError(
                f"observation of shape {hidden.shape} instead of {self.contract.observation_size} numbers.",
                where="observation",
                remedy="Compare the robot's sensors with the contract in the skill's manifest.",
            )
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = hidden @ weight + bias
            hidden = np.maximum(hidden, 0) if self._relu else np.tanh(hidden)
        mean: Array = hidden @ self._weights[-1] + self._biases[-1]
        return np.clip(mean, -1, 1)
