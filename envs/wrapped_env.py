"""A wrapped environment in many copies, with the task's scales and its success; and how its file is found.

Observations and actions become numbers over scales, success is a return that is high enough. An environment
that says itself whether it succeeded is believed: its `success` or `is_success` in an episode's last step
counts, whatever was earned. The file is `envs.wrapped`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Space
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from pydantic import ValidationError

from envs.senses import LIMIT
from envs.wrapped import WRAPPED, WrappedFile
from skills.errors import ContractError
from skills.manifest import Channel

__all__ = ["WrappedVectorEnv", "wrap"]

SAMPLED_EPISODES, SAMPLED_STEPS = 20, 20_000
"""What scales and success are found from: so many episodes, but not more steps."""
OWN_WORDS = ("is_success", "success")
LEAST_SCALE = 1e-3
MOST_CHANNELS = 256
PACKAGES = ("gymnasium_robotics",)
"""Imported for what they register; a task's file names no package."""


class WrappedVectorEnv(VectorEnv[Any, Any, Any]):
    """The environment in many copies, one after the other, with the task's scales and its success.

    Raises:
        ContractError: Gymnasium has no such environment here, or it is another than the file says.
    """

    def __init__(self, file: WrappedFile, num_envs: int, seed: int | None) -> None:
        self._file, self.num_envs = file, num_envs
        self._env = SyncVectorEnv(
            [_maker(file.environment, file.name, file.horizon)] * num_envs,
            autoreset_mode=AutoresetMode.NEXT_STEP,
        )
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_fps": file.control_hz}
        sizes = (file.contract.observation_size, file.contract.action_size)
        found = (self._env.single_observation_space.shape, self._env.single_action_space.shape)
        if found != ((sizes[0],), (sizes[1],)):
            raise ContractError(
                f"{file.environment} has shapes {found}, the task {sizes}.",
                where=file.name,
                remedy="Wrap it again: another version of the package is installed.",
            )
        self.single_observation_space = Box(-LIMIT, LIMIT, (sizes[0],), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (sizes[1],), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._gain = 1.0 / np.repeat([c.scale for c in file.observation], [c.size for c in file.observation])
        self._seed: int | None = seed
        self._returns = np.zeros(num_envs)
        self._over = np.zeros(num_envs, np.bool_)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start in every copy."""
        started: Any = self._env.reset(seed=self._seed if seed is None else seed)
        self._seed = None
        seen = started[0]
        self._returns[:] = 0.0
        self._over[:] = False
        return self._observe(seen), {}

    def step(self, actions: NDArray[np.float32]) -> Any:
        """Move all copies by one step."""
        stepped: Any = self._env.step(np.clip(actions, -1.0, 1.0).astype(np.float32))
        seen, gained, failed, ended, told = stepped
        self._returns = np.where(self._over, 0.0, self._returns + gained)
        self._over = failed | ended
        infos = {}
        if self._over.any():
            success = self._returns >= self._file.success_return
            for word in OWN_WORDS:
                if word in told:
                    success = np.where(told[f"_{word}"], np.asarray(told[word], np.bool_), success)
            infos = {"success": self._over & success, "_success": self._over.copy()}
        return self._observe(seen), np.asarray(gained, dtype=np.float64), failed, ended, infos

    def close_extras(self, **_: Any) -> None:
        """Close the copies."""
        self._env.close()

    def _observe(self, seen: NDArray[Any]) -> NDArray[np.float32]:
        return np.clip(seen * self._gain, -LIMIT, LIMIT).astype(np.float32)


def wrap(environment: str, name: str, *, seed: int = 0) -> WrappedFile:
    """Find out what an environment senses and does: scales and success from random actions.

    Args:
        environment: Its registered name.
        name: Of the task.
        seed: Of the random actions.

    Raises:
        ContractError: There is none of that name here, its spaces are no Boxes, or the task's name is none.
    """
    env: Any = _maker(environment, name)()
    parts, spec = _parts(env.get_wrapper_attr("unflattened"), name), env.spec
    seen, returns = _wander(env, seed)
    idle = _wander(env, seed, still=True)[1]
    goal = max([*returns, *idle], default=0.0)  # more than noise or doing nothing has reached
    acted = Channel(name="action", size=int(np.prod(env.action_space.shape)), unit="1", scale=1.0)
    env.close()
    try:
        return WrappedFile(
            format=WRAPPED,
            name=name,
            title=environment,
            licence="see its package",
            environment=environment,
            control_hz=float(env.metadata.get("render_fps") or 50),
            horizon=int(spec.max_episode_steps or 1000) if spec else 1000,
            success_return=float(np.ceil(goal * 100) / 100),
            observation=_channels(parts, seen),
            action=(acted,),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ContractError(
            f"{first['msg']} (found {first['input']!r}).",
            where=f"{environment}: {'.'.join(map(str, first['loc']))}",
            remedy="A folder's name is lower-case words with hyphens; a Box has at most 4096 numbers.",
        ) from error


def _parts(space: Space[Any], where: str, name: str = "observation") -> Iterator[tuple[str, int]]:
    """Names and sizes of the Boxes of an observation, in the order in which Gymnasium flattens them.

    Raises:
        ContractError: Something else than a Box is in it.
    """
    if isinstance(space, Box):
        yield name, int(np.prod(space.shape))
    elif isinstance(space, Dict):
        for key, inner in space.spaces.items():
            yield from _parts(inner, where, str(key) if name == "observation" else f"{name}_{key}")
    else:
        raise ContractError(
            f"an observation space {space}.", where=f"{where}: {name}", remedy="Wrap it in Boxes first."
        )


def _channels(parts: Iterable[tuple[str, int]], seen: NDArray[np.float64]) -> tuple[Channel, ...]:
    """A channel for each number; where these are too many, one for each Box with one scale."""
    spread, start, found = np.maximum(seen.std(axis=0), LEAST_SCALE), 0, []
    singly = seen.shape[1] <= MOST_CHANNELS
    for name, size in parts:
        scales = spread[start : start + size]
        if singly:
            found += [_channel(f"{name}_{i}", 1, float(scale)) for i, scale in enumerate(scales)]
        else:
            found.append(_channel(name, size, float(np.sqrt(np.mean(scales**2)))))
        start += size
    return tuple(found)


def _channel(name: str, size: int, scale: float) -> Channel:
    return Channel(name=name[:64], size=size, unit="1", scale=float(f"{scale:.2g}"))


def _wander(env: Any, seed: int, *, still: bool = False) -> tuple[NDArray[np.float64], list[float]]:
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    seen: list[Any] = []
    returns: list[float] = []
    total = 0.0
    while len(returns) < SAMPLED_EPISODES and len(seen) < SAMPLED_STEPS:
        action = np.zeros(env.action_space.shape, np.float32) if still else env.action_space.sample()
        observation, gained, failed, ended, _ = env.step(action)
        seen.append(observation)
        total += float(gained)
        if failed or ended:
            returns.append(total)
            total = 0.0
            observation, _ = env.reset()
    return np.array(seen, dtype=np.float64), returns


class _Flattened(gymnasium.wrappers.FlattenObservation[Any, Any, Any]):
    """The environment with its observation as one vector; `unflattened` is the space that it came from."""

    @property
    def unflattened(self) -> Space[Any]:
        """As the environment has it."""
        return self.env.observation_space


def _maker(environment: str, where: str, steps: int | None = None) -> Callable[[], gymnasium.Env[Any, Any]]:
    def make() -> gymnasium.Env[Any, Any]:
        _register(environment)
        try:
            env = gymnasium.make(environment, max_episode_steps=steps)
        except Exception as error:
            raise ContractError(
                f"{environment} cannot be made here ({type(error).__name__}: {error}).",
                where=where,
                remedy="Install the package that has it, in a version for this MuJoCo.",
            ) from error
        space = env.action_space
        if not (isinstance(space, Box) and len(space.shape) == 1 and space.is_bounded()):
            raise ContractError(
                f"{environment} has an action space {space}.",
                where=where,
                remedy="Make it a bounded Box of one dimension first.",
            )
        list(_parts(env.observation_space, where))
        return gymnasium.wrappers.RescaleAction(_Flattened(env), np.float32(-1.0), np.float32(1.0))

    return make


def _register(environment: str) -> None:
    """Let a package that is known to have environments register them, where it is installed."""
    for package in PACKAGES:
        if environment not in gymnasium.registry and find_spec(package) is not None:
            import_module(package)
