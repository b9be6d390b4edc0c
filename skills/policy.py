"""Run a skill in plain numpy: what a robot needs to use a skill, without torch or Ray.

The torch network with the same output is `fleet.network`; a test holds both together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.bounds import bounded
from skills.errors import ArtefactError, ContractError
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
        self._deviation = np.exp(bounded("log_std", tensors["log_std"]))
        self._relu = skill.manifest.network.activation == "relu"

    def act(self, observation: NDArray[Any]) -> Array:
        """Action for one observation (size,) or many (n, size); float32, each number in [-1, 1].

        Raises:
            ContractError: The observation has another size than the contract's, or NaN or infinite numbers.
            ArtefactError: The network overflows: no robot is told to move.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
            return self._act(np.asarray(observation, dtype=np.float32))

    def explore(self, observation: NDArray[Any], rng: np.random.Generator) -> Array:
        """Action as in training, which begins with this skill's exploration; see `act`."""
        mean = self.act(observation)
        noise = self._deviation * rng.standard_normal(mean.shape, dtype=np.float32)
        action: Array = np.clip(mean + noise, -1, 1)
        return action

    def _act(self, hidden: Array) -> Array:
        if hidden.shape[-1:] != (self.contract.observation_size,):
            raise ContractError(
                f"observation of shape {hidden.shape} instead of {self.contract.observation_size} numbers.",
                where="observation",
                remedy="Compare the robot's sensors with the contract in the skill's manifest.",
            )
        if not np.isfinite(hidden).all():
            raise ContractError(
                "the observation has NaN or infinite numbers.",
                where="observation",
                remedy="Look at the robot's sensors; it was not told to move.",
                code="not_finite",
            )
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = hidden @ weight + bias
            hidden = np.maximum(hidden, 0) if self._relu else np.tanh(hidden)
        mean: Array = hidden @ self._weights[-1] + self._biases[-1]
        if not np.isfinite(mean).all():
            raise ArtefactError(
                "the network overflows on this observation.",
                where="actor",
                remedy="Use another version of the skill.",
                code="not_finite",
            )
        return np.clip(mean, -1, 1)
