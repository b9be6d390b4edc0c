"""Any registered Gymnasium environment as a local task: a contract around it, for whoever has the package.

Observations and actions become numbers over scales, success is a return that is high enough. It is no
bundle: what runs is the code of an installed package, chosen by its registered name. Nothing that names a
module is taken, so a stranger's file cannot import anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from envs.format import Feedback, Variation
from envs.senses import LIMIT
from skills.errors import ContractError
from skills.manifest import Channel, Contract, Name

__all__ = ["WRAPPED", "WrappedFile", "WrappedVectorEnv", "save_wrapped", "wrap"]

WRAPPED = "zunft.wrapped/1"
EMBODIMENT = "gymnasium"
SAMPLED_STEPS = 2000
LEAST_SCALE = 1e-3

Registered = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+-v[0-9]+$")]


class WrappedFile(BaseModel):
    """A `task.toml` of format `zunft.wrapped/1`.

    Attributes:
        environment: Its name in Gymnasium's registry.
        success_return: An episode that earns so much is a success.
        observation: Channels of the flattened observation, in order.
        action: Channels of the flattened action; -1 and 1 are the bounds of its space.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["zunft.wrapped/1"]
    name: Name
    title: str = Field(min_length=1, max_length=100)
    summary: str = Field(default="", max_length=2000)
    licence: str = Field(min_length=1, max_length=64)
    environment: Registered
    control_hz: float = Field(gt=0, le=1000)
    horizon: int = Field(gt=0, le=100_000)
    success_return: float = Field(allow_inf_nan=False)
    observation: tuple[Channel, ...] = Field(min_length=1, max_length=256)
    action: tuple[Channel, ...] = Field(min_length=1, max_length=256)

    @property
    def embodiments(self) -> tuple[str, ...]:
        """The robot is whatever the environment simulates."""
        return (EMBODIMENT,)

    @property
    def robots(self) -> dict[str, Variation]:
        """Nothing differs from robot to robot that we know of."""
        return {}

    @property
    def jobs(self) -> dict[str, Variation]:
        """Jobs differ by their seeds alone."""
        return {}

    @property
    def scripted(self) -> dict[str, dict[str, tuple[Feedback, ...]]]:
        """No controller."""
        return {}

    @property
    def contract(self) -> Contract:
        """What a skill for it senses and does."""
        return Contract(observation=self.observation, action=self.action, control_hz=self.control_hz)


class WrappedVectorEnv(VectorEnv[Any, Any, Any]):
    """The environment in many copies, one after the other, with the task's scales and its success.

    Raises:
        ContractError: Gymnasium has no such environment here, or it is another than the file says.
    """

    def __init__(self, file: WrappedFile, num_envs: int, seed: int | None) -> None:
        self._file, self.num_envs = file, num_envs
        self._env = SyncVectorEnv([_maker(file)] * num_envs, autoreset_mode=AutoresetMode.NEXT_STEP)
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
        seen, gained, failed, ended, _ = stepped
        self._returns = np.where(self._over, 0.0, self._returns + gained)
        self._over = failed | ended
        infos = {}
        if self._over.any():
            success = self._over & (self._returns >= self._file.success_return)
            infos = {"success": success, "_success": self._over.copy()}
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
        ContractError: There is none of that name here, or its spaces are no Boxes.
    """
    file = WrappedFile(
        format=WRAPPED, name=name, title=environment, environment=environment, licence="see its package",
        control_hz=1.0, horizon=1, success_return=0.0,
        observation=(Channel(name="x", size=1, unit="1", scale=1.0),),
        action=(Channel(name="x", size=1, unit="1", scale=1.0),),
    )  # fmt: skip
    env: Any = _maker(file, limited=False)()
    seen, returns = _wander(env, seed)
    spread = np.maximum(seen.std(axis=0), LEAST_SCALE)
    observed = [
        Channel(name=f"observation_{i}", size=1, unit="1", scale=float(f"{scale:.2g}"))
        for i, scale in enumerate(spread)
    ]
    acted = Channel(name="action", size=int(np.prod(env.action_space.shape or (1,))), unit="1", scale=1.0)
    spec = env.spec
    horizon = spec.max_episode_steps if spec and spec.max_episode_steps else 1000
    idle = _wander(env, seed, still=True)[1]
    # More than noise or doing nothing reaches, but once in some fifty episodes if they are about normal.
    goal = max((float(np.mean(each) + 2 * np.std(each)) for each in (returns, idle) if each), default=0.0)
    changes = {
        "control_hz": float(env.metadata.get("render_fps") or 50),
        "horizon": int(horizon),
        "success_return": round(goal, 2),
        "observation": tuple(observed),
        "action": (acted,),
    }
    env.close()
    return file.model_copy(update=changes)


def save_wrapped(file: WrappedFile, folder: Path) -> None:
    """Write `task.toml` into a new folder."""
    lines = [
        f"{key} = {json.dumps(value)}"
        for key, value in file.model_dump(exclude={"observation", "action"}).items()
    ]
    for side in ("observation", "action"):
        for channel in getattr(file, side):
            lines += ["", f"[[{side}]]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in channel.model_dump().items()]
    folder.mkdir(parents=True)
    (folder / "task.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _wander(env: Any, seed: int, *, still: bool = False) -> tuple[NDArray[np.float64], list[float]]:
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    seen, returns, total = [], [], 0.0
    for _ in range(SAMPLED_STEPS):
        action = np.zeros(env.action_space.shape, np.float32) if still else env.action_space.sample()
        observation, gained, failed, ended, _ = env.step(action)
        seen.append(observation)
        total += float(gained)
        if failed or ended:
            returns.append(total)
            total = 0.0
            observation, _ = env.reset()
    return np.array(seen, dtype=np.float64), returns


def _maker(file: WrappedFile, *, limited: bool = True) -> Callable[[], gymnasium.Env[Any, Any]]:
    steps = file.horizon if limited else None

    def make() -> gymnasium.Env[Any, Any]:
        try:
            env = gymnasium.make(file.environment, max_episode_steps=steps)
        except (gymnasium.error.Error, ImportError) as error:
            raise ContractError(
                f"{file.environment} cannot be made here: {error}",
                where=file.name,
                remedy="Install the package that has it.",
            ) from error
        for space in (env.observation_space, env.action_space):
            if not isinstance(space, gymnasium.spaces.Dict | Box):
                raise ContractError(
                    f"{file.environment} has a space {space}.",
                    where=file.name,
                    remedy="Wrap it in Boxes first.",
                )
        if not (isinstance(env.observation_space, Box) and len(env.observation_space.shape) == 1):
            env = gymnasium.wrappers.FlattenObservation(env)
        return gymnasium.wrappers.RescaleAction(env, np.float32(-1.0), np.float32(1.0))

    return make
