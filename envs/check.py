"""Hold a stranger's environment, such as a real robot's, to a task's contract before anything runs.

It sends a few actions of zero (the nominal feed without correction) and nothing else. Whether the
robot is any good at the task is `envs.evaluate`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from skills.errors import ContractError
from skills.manifest import Contract

__all__ = ["check_env"]

ZERO_STEPS = 3
STEP_LENGTH = 5


def check_env(env: gymnasium.Env[Any, Any], contract: Contract) -> None:
    """Accept an environment that senses and obeys as the contract says.

    Raises:
        ContractError: The first thing that is wrong, where, and what to do about it.
    """
    _check_space(env.observation_space, contract.observation_size, "observation_space")
    _check_space(env.action_space, contract.action_size, "action_space")
    _check_bounds(env.action_space)
    started = env.reset(seed=0)
    if not isinstance(started, tuple) or len(started) != 2 or not isinstance(started[1], dict):
        raise _error("reset() does not return (observation, info).", "reset", "Return both, info a dict.")
    _check_observation(started[0], contract, "reset")
    zero = np.zeros(contract.action_size, dtype=np.float32)
    for number in range(ZERO_STEPS):
        if _check_step(env.step(zero), contract, f"step {number + 1}"):
            _check_observation(env.reset(seed=number + 1)[0], contract, "reset")


def _check_space(space: Any, size: int, where: str) -> None:
    if not isinstance(space, Box):
        raise _error(f"it is {space}, not a Box.", where, "Flatten it to one Box of float32.")
    if space.shape != (size,):
        raise _error(
            f"it has shape {space.shape} instead of ({size},).",
            where,
            "List the contract's channels in its order; `contract` in the manifest names them.",
        )
    if space.dtype != np.float32:
        raise _error(f"it has dtype {space.dtype}.", where, "Make it float32.")


def _check_bounds(space: Any) -> None:
    if not (np.all(space.low == -1.0) and np.all(space.high == 1.0)):
        raise _error(
            "its bounds are not -1 and 1.",
            "action_space",
            "Skills act within [-1, 1]; multiply by the channel's scale on the robot's side.",
        )


def _check_observation(observation: Any, contract: Contract, where: str) -> None:
    if not isinstance(observation, np.ndarray) or observation.shape != (contract.observation_size,):
        found = getattr(observation, "shape", type(observation).__name__)
        raise _error(
            f"the observation is {found} instead of an array of {contract.observation_size} numbers.",
            where,
            "Concatenate the contract's channels into one numpy array.",
        )
    if observation.dtype != np.float32:
        raise _error(f"the observation has dtype {observation.dtype}.", where, "Return float32.")
    if not np.isfinite(observation).all():
        raise _error(
            f"{_channel_at(contract, int(np.flatnonzero(~np.isfinite(observation))[0]))} is not finite.",
            where,
            "Hold the last good value when a sensor drops out.",
        )


def _check_step(result: Any, contract: Contract, where: str) -> bool:
    """Check what step() returned; true when the episode is over."""
    if not isinstance(result, tuple) or len(result) != STEP_LENGTH:
        raise _error(
            "step() does not return five values.",
            where,
            "Return (observation, reward, terminated, truncated, info).",
        )
    observation, reward, terminated, truncated, info = result
    _check_observation(observation, contract, where)
    if not isinstance(reward, float | int | np.floating) or not np.isfinite(reward):
        raise _error(f"the reward is {reward!r}.", where, "Return one finite float.")
    if not isinstance(terminated, bool | np.bool_) or not isinstance(truncated, bool | np.bool_):
        raise _error("terminated and truncated are not booleans.", where, "Return True or False.")
    if not isinstance(info, dict):
        raise _error(f"info is a {type(info).__name__}.", where, "Return a dict, empty if need be.")
    return bool(terminated or truncated)


def _channel_at(contract: Contract, index: int) -> str:
    for channel in contract.observation:
        if index < channel.size:
            return f"{channel.name}[{index}]"
        index -= channel.size
    return f"number {index}"


def _error(message: str, where: str, remedy: str) -> ContractError:
    return ContractError(message, where=where, remedy=remedy)
