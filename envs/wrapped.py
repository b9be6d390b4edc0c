"""Any registered Gymnasium environment as a local task: the file that puts a contract around it.

It is no bundle: what runs is the code of an installed package, chosen by its registered name. Nothing that
names a module is taken, so a stranger's file cannot import anything. Running it is `envs.wrapped_env`'s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from envs.controllers.controller import AnyController
from envs.defaults import Training
from envs.variation import Variation
from skills.manifest import Channel, Contract, Name

__all__ = ["WRAPPED", "WrappedFile", "save_wrapped"]

WRAPPED = "zunft.wrapped/1"
EMBODIMENT = "gymnasium"

Registered = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+-v[0-9]+$")]


class WrappedFile(BaseModel):
    """A `task.toml` of format `zunft.wrapped/1`.

    Attributes:
        environment: Its name in Gymnasium's registry.
        success_return: An episode that earns so much is a success, where the environment does not say.
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
    def training(self) -> Training:
        """The usual network and learner."""
        return Training()

    @property
    def scripted(self) -> dict[str, AnyController]:
        """No controller."""
        return {}

    @property
    def oracle(self) -> AnyController:
        """And none that is told."""
        return {}

    @property
    def contract(self) -> Contract:
        """What a skill for it senses and does."""
        return Contract(observation=self.observation, action=self.action, control_hz=self.control_hz)


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
