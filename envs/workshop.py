"""A workshop: one robot where it works - its embodiment, how it differs, and the jobs it gets.

Data only, one TOML file each: figures by the names that the task declares. What they do is
`envs.figures` and whoever reads them there.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from envs.values import Finite
from envs.variation import Range, Variation, Varied
from skills.errors import ContractError

__all__ = ["FLEET", "Figure", "Workshop", "data_sheet", "fleet_workshops", "fresh_workshop", "load_workshop"]

FOLDER = Path(__file__).parent / "workshops"
FLEET = ("vessel-heads", "frame-corners", "weave-bench", "pipe-rack")
"""The four workshops of the demo's weld-seam fleet: a UR5e, a Panda, an iiwa and an xArm 7."""
FLEET_SEED = 9_000
"""Of the workshops drawn for tasks without such files; apart from the seeds of gates and demos."""

Figure = Finite | tuple[Finite, ...] | tuple[str, ...]
"""Of the robot: a number, or one per component. Of its jobs: least and greatest value, or a list of words."""


class Workshop(BaseModel):
    """One robot's embodiment, its peculiarities and its work.

    Attributes:
        task: Whose figures these are.
        embodiment: Name of an arm or another robot in `envs/arms`.
        figures: What differs from the data sheet and from the task's own ranges.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    task: str = Field(min_length=1, max_length=64)
    embodiment: str = Field(min_length=1, max_length=64)
    figures: dict[str, Figure] = Field(default={}, max_length=64)

    def __hash__(self) -> int:
        """By content, as it is compared."""
        return hash((self.name, self.task, self.embodiment, *self.figures.items()))


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


def data_sheet(task: Varied, embodiment: str) -> Workshop:
    """A robot as its data sheet says, with every kind of job."""
    return Workshop(name=f"data-sheet-{embodiment}", task=task.name, embodiment=embodiment)


def fresh_workshop(task: Varied, embodiment: str, seed: int, *, held_out: bool = False) -> Workshop:
    """A workshop that nobody trained in: every kind of job, drawn peculiarities.

    Figures with a list of values take them in turn with the seed: so a few workshops of consecutive
    seeds hold robots with and without delay in equal parts. Figures of the jobs with a `window` get one.

    Args:
        task: Declares what is drawn.
        embodiment: Of the robot.
        seed: Equal seeds, equal workshops.
        held_out: For the gate: figures with a held-out range are drawn from it.
    """
    random = np.random.default_rng([seed, *embodiment.encode()])
    figures: dict[str, Figure] = {}
    for name, variation in task.robots.items():
        given = _range(variation, held_out=held_out)
        if given is not None:
            figures[name] = _draw(given, seed, random)
    for name, variation in task.jobs.items():
        given = _range(variation, held_out=held_out)
        if given is not None and variation.window:
            figures[name] = _window(given, variation.window, seed, random)
        elif held_out and variation.held_out:
            low, high = variation.held_out.bounds
            figures[name] = variation.held_out.values or (*low, *high)
    kind = "held-out" if held_out else "fresh"
    return Workshop(
        name=f"{kind}-{embodiment}-{seed}", task=task.name, embodiment=embodiment, figures=figures
    )


def fleet_workshops(task: Varied, count: int = 4, seed: int = FLEET_SEED) -> list[Workshop]:
    """The workshops that a fleet trains in: those made for the task first, then drawn ones.

    The robots take turns: those of the made workshops, or the task's first four.
    """
    made = [shop for shop in map(load_workshop, FLEET) if shop.task == task.name]
    robots = [shop.embodiment for shop in made] or list(task.embodiments[:4])
    drawn = [
        fresh_workshop(task, robots[number % len(robots)], seed + number)
        for number in range(len(made), count)
    ]
    return [*made, *drawn][:count]


def _range(variation: Variation, *, held_out: bool) -> Range | None:
    return variation.held_out if held_out and variation.held_out else variation.drawn


def _window(given: Range, width: float, seed: int, random: np.random.Generator) -> Figure:
    """A part of a range, so wide as a share of it; of values such that follow each other."""
    if given.values:
        count = max(1, round(width * len(given.values)))
        begin = seed % (len(given.values) - count + 1)
        return given.values[begin : begin + count]
    low, high = np.array(given.bounds)
    begin = low + random.uniform(0, 1, len(low)) * (1 - width) * (high - low)
    return (*begin.tolist(), *np.minimum(begin + width * (high - low), high).tolist())


def _draw(given: Range, seed: int, random: np.random.Generator) -> Figure:
    if given.values:
        return given.values[seed % len(given.values)]  # type: ignore[return-value]
    low, high = given.bounds
    if len(low) == 1:
        return float(random.uniform(low[0], high[0]))
    return tuple(random.uniform(low, high).tolist())
