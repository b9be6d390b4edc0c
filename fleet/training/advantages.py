"""How much better an action was than expected: generalised advantage estimation, whole rollouts at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleet.training.sampler import Rollout

__all__ = ["advantages"]

Array = NDArray[np.float32]


def advantages(rollout: Rollout, values: Array, discount: float, trace: float) -> Array:
    """Advantages (steps, envs), not normalised (Schulman et al. 2016, eq. 16); 0 where nothing real happened.

    An episode whose time is over is worth what its last observation promises; one that failed, nothing.

    Args:
        rollout: What happened.
        values: Expected discounted returns (steps + 1, envs) of its observations.
        discount: Gamma.
        trace: Lambda.
    """
    following = np.where(rollout.terminated, 0.0, values[1:])
    errors = np.where(rollout.real, rollout.rewards + discount * following - values[:-1], 0.0)
    found, last = np.zeros_like(rollout.rewards), np.zeros_like(rollout.rewards[0])
    for step in reversed(range(len(errors))):
        last = errors[step] + discount * trace * np.where(rollout.done[step], 0.0, last)
        found[step] = last
    return found
