"""Run a skill in plain numpy: what a robot needs to use a skill, without torch or Ray.

What the network computes is its kind's (`skills.networks`); the torch twin with the same output is
`fleet.networks`, and a test holds both together.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.bounds import bounded
from skills.errors import ArtefactError, ContractError
from skills.skill import Skill

__all__ = ["Policy"]

Array = NDArray[np.float32]


class Policy:
    """The deterministic policy of a skill: the actor's mean, clipped to the action box [-1, 1].

    A network with memory remembers from one `act` to the next; `begin` a job with an empty one.
    """

    def __init__(self, skill: Skill) -> None:
        self.contract = skill.manifest.contract
        self._actor = skill.manifest.network.actor(skill.tensors)
        self._deviation = np.exp(bounded("log_std", skill.tensors["log_std"]))
        self._memory: Array | None = None

    def begin(self) -> Policy:
        """The same policy with an empty memory of its own, for one job, or for several side by side."""
        fresh = copy(self)
        fresh._memory = None  # noqa: SLF001 - of its own class
        return fresh

    def act(self, observation: NDArray[Any]) -> Array:
        """Action for one observation (size,) or many (n, size); float32, each number in [-1, 1].

        Raises:
            ContractError: The observation has another size than the contract's, or NaN or infinite numbers;
                or there are more or fewer of them than in the step before.
            ArtefactError: The network overflows: no robot is told to move.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
            seen = np.asarray(observation, dtype=np.float32)
            self._check(seen)
            rows = np.atleast_2d(seen)
            mean, memory = self._actor.mean(rows, self._remembered(len(rows)))
        if not (np.isfinite(mean).all() and np.isfinite(memory).all()):
            raise ArtefactError(
                "the network overflows on this observation.",
                where="actor",
                remedy="Use another version of the skill.",
                code="not_finite",
            )
        self._memory = memory
        action: Array = np.clip(mean, -1, 1).reshape(*seen.shape[:-1], -1)
        return action

    def explore(self, observation: NDArray[Any], rng: np.random.Generator) -> Array:
        """Action as in training, which begins with this skill's exploration; see `act`."""
        mean = self.act(observation)
        noise = self._deviation * rng.standard_normal(mean.shape, dtype=np.float32)
        action: Array = np.clip(mean + noise, -1, 1)
        return action

    def _check(self, seen: Array) -> None:
        if seen.ndim > 2 or seen.shape[-1:] != (self.contract.observation_size,):
            raise ContractError(
                f"observation of shape {seen.shape} instead of {self.contract.observation_size} numbers.",
                where="observation",
                remedy="Compare the robot's sensors with the contract in the skill's manifest.",
            )
        if not np.isfinite(seen).all():
            raise ContractError(
                "the observation has NaN or infinite numbers.",
                where="observation",
                remedy="Look at the robot's sensors; it was not told to move.",
                code="not_finite",
            )

    def _remembered(self, count: int) -> Array:
        if self._memory is None:
            return np.zeros((count, self._actor.memory_size), dtype=np.float32)
        if self._actor.memory_size and len(self._memory) != count:
            raise ContractError(
                f"{count} observations after {len(self._memory)} in the step before.",
                where="observation",
                remedy="Begin new jobs with `policy.begin()`.",
            )
        return self._memory
