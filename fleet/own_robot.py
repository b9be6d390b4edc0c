"""A robot's own `gymnasium.Env` or driver, named on the command line: loaded, checked, guarded, and tried.

How code is found is `fleet.own_code`'s; nothing comes from a hub. What a task asks of
an environment is `envs.check`'s to say; training in one is `fleet.twin`'s. Needs no torch and no Ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np

from envs.check import check_env
from envs.evaluate import Evaluation
from envs.task import Task
from fleet.own_code import Wanted, made, refusal
from fleet.place import RobotError
from skills.errors import ContractError, ZunftError
from skills.player import Player

__all__ = ["Env", "Guarded", "load_env", "rehearse"]

Env = gymnasium.Env[Any, Any]


ENV = Wanted("--env", "make_env", "a gymnasium.Env")
PATIENCE = 10  # an episode may last so many times the task's horizon


class Guarded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A robot's environment whose failures have a name, whatever its maker raises: `RobotError`."""

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Raises:
            RobotError: The robot failed, or a sensor gives no number.
        """
        with _named("reset"):
            observation, info = self.env.reset(**options)
        _check_sensed(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act once.

        Raises:
            RobotError: The robot failed, or a sensor gives no number.
        """
        with _named("step"):
            observation, reward, terminated, truncated, info = self.env.step(action)
        _check_sensed(observation)
        return observation, reward, terminated, truncated, info


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except ZunftError:
        raise
    except Exception as error:
        raise RobotError(
            f"the robot's environment failed ({type(error).__name__}: {error}).",
            where=f"env.{what}",
            remedy="Look at the robot and its controller.",
        ) from error


def _check_sensed(observation: Any) -> None:
    if not np.isfinite(observation).all():
        raise RobotError("an observation is not finite.", where="env", remedy="Look at the robot's sensors.")


def load_env(reference: str, task: Task) -> Env:
    """Import `package.module:make_env`, call it, and hold what it returns to the task's contract.

    Raises:
        ContractError: No such module or function, it fails, or it returns something else than an
            environment that fits the contract.
    """
    env = made(reference, ENV)
    if not isinstance(env, gymnasium.Env):
        raise refusal(reference, f"it returned {type(env).__name__}, not a gymnasium.Env.", ENV)
    check_env(env, task.contract)
    return Guarded(env)


def rehearse(env: Env, policy: Player, task: Task, episodes: int, seed: int) -> Evaluation:
    """Run a skill in the robot's own environment and count the episodes that end with `info["success"]`.

    Raises:
        ContractError: The environment does not say whether an episode succeeded.
    """
    limit = PATIENCE * task.horizon
    return Evaluation.count(
        sum(_episode(env, policy, limit, seed + number) for number in range(episodes)), episodes
    )


def _episode(env: Env, policy: Player, limit: int, seed: int) -> bool:
    policy = policy.begin()
    observation, _ = env.reset(seed=seed)
    for _ in range(limit):
        observation, _, terminated, truncated, info = env.step(policy.act(observation))
        if terminated or truncated:
            return _success(info)
    return False


def _success(info: dict[str, Any]) -> bool:
    if "success" not in info:
        raise ContractError(
            "the last step of an episode does not say whether it succeeded.",
            where='info["success"]',
            remedy="Add it to the info of the step that ends an episode.",
        )
    return bool(info["success"])
