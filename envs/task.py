"""A task bundle: a folder with `task.toml` (contract, seams, reward, success) and `scene.xml`.

Data only: reading a bundle runs none of its content. What the figures mean in an observation or a
reward is `envs.terms`; putting an arm into the scene is `envs.embodiment`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skills.errors import ContractError
from skills.manifest import Contract

__all__ = ["Bell", "Command", "Range", "Reward", "SeamShapes", "Start", "Success", "Task", "load_task"]

BUNDLES = Path(__file__).parent / "tasks"
BUNDLE_LIMIT = 16 * 1024 * 1024
"""Bytes: more in one bundle is refused before it is read."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range = tuple[Positive, Positive]
"""Least and greatest value of a uniform draw."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Command(_Section):
    """How an action moves the set-point of the impedance control."""

    lead: Positive
    lead_tilt: Positive
    look_ahead: tuple[int, int, int]


class Arc(_Section):
    """A bend in the plane of the work-piece (or, `sloped`, in the vertical plane)."""

    curvature: Range


class Corner(_Section):
    """A straight seam that turns once."""

    angle: Range
    radius: Range
    begin: Range


class Weave(_Section):
    """A seam whose direction swings like a sine."""

    amplitude: Range
    wavelength: Range


class SeamShapes(_Section):
    """Length of a seam, its table's spacing, and the figures of each family (straight has none)."""

    length: Positive
    spacing: Positive
    lead_in: Positive
    arc_middle: Positive
    arc: Arc
    corner: Corner
    weave: Weave
    sloped: Arc


class Start(_Section):
    """How far the torch is from the seam when it starts, at most."""

    across: Positive
    height: Positive
    tilt: Positive


class Success(_Section):
    """Tolerances that must hold at once, for `share` of the steps after `grace`."""

    cross: Positive
    standoff: Positive
    angle: Positive
    speed: Positive
    smoothing: Positive
    grace: int = Field(ge=0)
    share: float = Field(gt=0, le=1)
    abort: Positive


class Bell(_Section):
    """weight * exp(-(x / width)^2) - slope * |x|."""

    width: Positive
    weight: Positive
    slope: float = Field(default=0.0, ge=0)


class Reward(_Section):
    """The bells of a step's reward and the price of changing the action."""

    position: Bell
    cross: Bell
    standoff: Bell
    angle: Bell
    speed: Bell
    jerk: float = Field(ge=0)


class Task(_Section):
    """One task bundle, checked.

    Attributes:
        digest: `sha256:<hex>` over names and contents of all the bundle's files.
        scene: Path of the MJCF that an arm is put into.
    """

    name: str
    title: str
    horizon: int = Field(gt=0, le=100_000)
    contract: Contract
    command: Command
    seam: SeamShapes
    start: Start
    success: Success
    reward: Reward
    digest: str
    scene: Path

    @property
    def dt(self) -> float:
        """Seconds between two actions."""
        return 1.0 / self.contract.control_hz

    @model_validator(mode="after")
    def _some_steps_count(self) -> Task:
        if self.success.grace >= self.horizon:
            raise ValueError(f"grace {self.success.grace} leaves no step of {self.horizon} to judge")
        return self


@lru_cache(maxsize=32)
def load_task(name_or_path: str | Path) -> Task:
    """Read a bundle of this package by name, or any bundle by its folder.

    Raises:
        ContractError: There is no such bundle, or it breaks the format.
    """
    is_name = re.fullmatch(r"[a-z0-9-]+", str(name_or_path)) is not None
    folder = BUNDLES / str(name_or_path) if is_name else Path(name_or_path)
    if not (folder / "task.toml").is_file() or not (folder / "scene.xml").is_file():
        known = ", ".join(sorted(path.parent.name for path in BUNDLES.glob("*/task.toml")))
        raise ContractError(
            f"no task bundle {str(name_or_path)!r}.",
            where="task",
            remedy=f"A bundle is a folder with task.toml and scene.xml; this package has: {known}.",
        )
    try:
        figures = tomllib.loads((folder / "task.toml").read_text(encoding="utf-8"))
        return Task(**figures, digest=_digest_folder(folder), scene=folder / "scene.xml")
    except (TypeError, ValueError, ValidationError) as error:
        raise ContractError(
            f"task.toml is not a task: {error}",
            where=str(folder / "task.toml"),
            remedy="Compare it with the bundle weld-seam; docs/tasks/weld-seam.md explains each figure.",
        ) from error


def _digest_folder(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if sum(path.stat().st_size for path in files) > BUNDLE_LIMIT:
        raise ValueError(f"the bundle is larger than {BUNDLE_LIMIT} bytes")
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"
