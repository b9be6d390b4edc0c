"""A robot's own `gymnasium.Env` or driver, named on the command line: loaded, checked, guarded, and tried.

It runs only what whoever owns the robot installed there; nothing comes from a hub. What a task asks of
an environment is `envs.check`'s to say; training in one is `fleet.twin`'s. Needs no torch and no Ray.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from envs.check import check_env
from envs.evaluate import Evaluation, Player
from envs.task import Task
from fleet.place import RobotError
from fleet.runtime.robot import Robot
from skills.errors import ContractError, ZunftError

__all__ = ["Env", "Guarded", "load_env", "load_player", "load_robot", "rehearse"]

Env = gymnasium.Env[Any, Any]


class _Wanted(NamedTuple):
    option: str
    function: str
    what: str


ENV = _Wanted("--env", "make_env", "a gymnasium.Env")
PLAYER = _Wanted("--player", "make_player", "an object with begin() and act(observation)")
METHODS = ("connect", "observe", "send", "hold", "disconnect")
ROBOT = _Wanted("--robot", "make_robot", f"an object with {', '.join(METHODS)}")
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
    env = _made(reference, ENV)
    if not isinstance(env, gymnasium.Env):
        raise _refusal(reference, f"it returned {type(env).__name__}, not a gymnasium.Env.", ENV)
    check_env(env, task.contract)
    return Guarded(env)


def load_player(reference: str) -> Player:
    """Import `package.module:make_player`, and call it: whoever acts, such as a person with a joystick.

    Raises:
        ContractError: No such module or function, it fails, or it returns something that cannot act.
    """
    player = _made(reference, PLAYER)
    if not (callable(getattr(player, "begin", None)) and callable(getattr(player, "act", None))):
        raise _refusal(reference, f"{type(player).__name__} has no begin() and act(observation).", PLAYER)
    return player  # type: ignore[return-value]  # looked at just now


def load_robot(reference: str) -> Robot:
    """Import `package.module:make_robot`, and call it: a driver with the five methods; nothing moves yet.

    Raises:
        ContractError: No such module or function, it fails, or it returns something else.
    """
    robot = _made(reference, ROBOT)
    missing = [name for name in METHODS if not callable(getattr(robot, name, None))]
    if missing:
        raise _refusal(reference, f"{type(robot).__name__} has no {', '.join(missing)}.", ROBOT)
    return robot  # type: ignore[return-value]  # looked at just now


def _made(reference: str, wanted: _Wanted) -> object:
    make = _find(reference, wanted)
    try:
        return make()
    except Exception as error:
        raise _refusal(reference, f"calling it failed ({type(error).__name__}: {error}).", wanted) from error


def _find(reference: str, wanted: _Wanted) -> Callable[[], object]:
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise _refusal(reference, "this does not name a function.", wanted)
    # The robot's own code lies where the command is started; last, so that it shadows none of ours.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        text = f"the module cannot be imported ({type(error).__name__}: {error})."
        raise _refusal(reference, text, wanted) from error
    make = getattr(module, name, None)
    if not callable(make):
        raise _refusal(reference, f"{module.__file__} has no function {name!r}.", wanted)
    return make  # type: ignore[no-any-return]


def _refusal(reference: str, message: str, wanted: _Wanted) -> ContractError:
    return ContractError(
        message,
        where=f"{wanted.option} {reference}",
        remedy=f"Write package.module:{wanted.function}, a function without arguments that returns "
        f"{wanted.what}.",
    )


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
