"""A workshop: one robot where it works - its arm, how this one differs, and the seams it gets.

Data only, one TOML file each. What the figures do to the physics is `envs.embodiment`, what they do
to seams and sensing is `envs.vector`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from envs.seams import FAMILIES, SeamFamily
from skills.errors import ContractError

__all__ = ["FLEET", "Workshop", "fresh_workshop", "load_workshop"]

FOLDER = Path(__file__).parent / "workshops"
FLEET = ("vessel-heads", "frame-corners", "weave-bench", "pipe-rack")
"""The four workshops of the demo's fleet: a UR5e, a Panda, an iiwa and an xArm 7."""

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Workshop(BaseModel):
    """One robot's arm, its peculiarities and its work.

    Attributes:
        embodiment: Name of an arm in `envs/arms`.
        seams: Families that its jobs are drawn from, evenly.
        speed: Least and greatest ordered travel speed, m/s.
        heading: Least and greatest direction of the work-piece, rad about the vertical.
        delay: Control steps that pass before the robot executes a command.
        impedance: Stiffness against the nominal; the damping follows its square root.
        damping: Viscous joint damping against the nominal.
        friction: Dry friction of each joint, N m.
        payload: Mass carried with the torch beyond its own, kg.
        tool_offset: Error of the calibrated tip, job frame, m.
        yaw_error: Error of the seam sensor's rotation about the torch, rad.
        noise: Standard deviation of the sensed seam position, per axis, m.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    embodiment: str = Field(min_length=1, max_length=64)
    seams: tuple[SeamFamily, ...] = Field(default=FAMILIES, min_length=1)
    speed: tuple[Finite, Finite] = (0.05, 0.10)
    heading: tuple[Finite, Finite] = (-np.pi, np.pi)
    delay: int = Field(default=0, ge=0, le=5)
    impedance: Finite = Field(default=1.0, ge=0.2, le=3)
    damping: Finite = Field(default=1.0, ge=0, le=5)
    friction: Finite = Field(default=0.0, ge=0, le=5)
    payload: Finite = Field(default=0.0, ge=0, le=5)
    tool_offset: tuple[Finite, Finite, Finite] = (0.0, 0.0, 0.0)
    yaw_error: Finite = 0.0
    noise: Finite = Field(default=0.0003, ge=0, le=0.01)

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Workshop:
        if not 0 < self.speed[0] <= self.speed[1] <= 0.25:
            raise ValueError(f"speed {self.speed} is not a range within 0 and 0.25 m/s")
        if self.heading[0] > self.heading[1]:
            raise ValueError(f"heading {self.heading} is not a range")
        return self


def load_workshop(name_or_path: str | Path) -> Workshop:
    """Read a workshop of this package by name, or any workshop file by its path.

    Raises:
        ContractError: There is no such file, or it is not a workshop.
    """
    is_name = re.fullmatch(r"[a-z0-9-]+", str(name_or_path)) is not None
    path = FOLDER / f"{name_or_path}.toml" if is_name else Path(name_or_path)
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in FOLDER.glob("*.toml")))
        raise ContractError(
            f"no workshop {str(name_or_path)!r}.",
            where="workshop",
            remedy=f"Give the path of a TOML file, or one of: {known}.",
        )
    try:
        return Workshop.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, ValidationError) as error:
        raise ContractError(
            f"not a workshop: {error}", where=str(path), remedy="Compare it with envs/workshops/*.toml."
        ) from error


def fresh_workshop(embodiment: str, seed: int) -> Workshop:
    """A workshop that nobody trained in: all seam families, speeds and headings, drawn peculiarities.

    Odd seeds give a robot that executes one step late, even ones a prompt robot: it is the
    peculiarity that matters most, so a few workshops must hold both in equal parts.
    """
    random = np.random.default_rng([seed, *embodiment.encode()])
    return Workshop(
        name=f"fresh-{embodiment}-{seed}",
        embodiment=embodiment,
        delay=seed % 2,
        impedance=random.uniform(0.8, 1.3),
        damping=random.uniform(1.0, 2.0),
        friction=random.uniform(0.0, 0.5),
        payload=random.uniform(0.0, 1.2),
        tool_offset=tuple(random.uniform(-0.0005, 0.0005, 3)),
        yaw_error=random.uniform(-0.07, 0.07),
    )
