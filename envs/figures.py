"""The figures of one workshop and of the jobs it gets: fixed for the robot, drawn for each episode.

What a figure does is its reader's business: a term, a sensor, the drive.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from envs.embodiment import own_embodiments
from envs.values import Floats, Indices
from envs.variation import Range, Variation, Varied
from envs.workshop import Figure, Workshop
from skills.errors import ContractError

__all__ = ["Figures", "check_workshop", "hull", "robot_figure"]


class Figures:
    """All figures of `count` simulations of one workshop, as arrays (count, components).

    Raises:
        ContractError: The workshop is for another task, or has a figure that the task does not allow.
    """

    def __init__(self, task: Varied, workshop: Workshop, count: int) -> None:
        check_workshop(task, workshop)
        self._task, self._workshop, self.count = task, workshop, count
        self._ranges = {name: _job_range(task, workshop, name) for name in task.jobs}
        self._values = {
            name: np.zeros((count, variation.size)) for name, variation in task.jobs.items()
        } | {
            name: np.tile(robot_figure(task, workshop, name), (count, 1)) for name in task.robots
        }  # fmt: skip

    def draw(self, copies: Indices, random: np.random.Generator) -> None:
        """New jobs for these copies, figure by figure in the order of the file."""
        for name, given in self._ranges.items():
            target = self._values[name]
            if given.values:
                words = self.choices(name)
                values = [words.index(value) if isinstance(value, str) else value for value in given.values]
                target[copies, 0] = np.array(values)[random.integers(len(values), size=len(copies))]
            else:
                low, high = given.bounds
                target[copies] = random.uniform(low, high, (len(copies), len(low)))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def of(self, name: str) -> Floats:
        """A figure by name, live, (count, components).

        Raises:
            ContractError: There is no such figure.
        """
        if name not in self._values:
            raise _unknown(name, self._values)
        return self._values[name]

    def now(self) -> dict[str, Floats]:
        """A copy of each figure, (count, components)."""
        return {name: values.copy() for name, values in self._values.items()}

    def fixed(self, figure: float | str) -> Floats:
        """A figure of the robots, (components,): the same in all simulations.

        Raises:
            ContractError: There is no such figure of the robots.
        """
        if isinstance(figure, str):
            return robot_figure(self._task, self._workshop, figure)
        return np.array([figure], dtype=np.float64)

    def robot(self, name: str, missing: float) -> float:
        """A figure of this robot that is one number; `missing` where the task does not mention it."""
        return float(robot_figure(self._task, self._workshop, name, missing)[0])

    def most(self, name: str) -> float:
        """The greatest that a figure of one number is in this workshop, whatever the job."""
        given = self._ranges.get(name)
        if given is None:
            return float(self.fixed(name)[0])
        return float(max(given.values or given.bounds[1]))

    def choices(self, name: str) -> tuple[str, ...]:
        """The words that a figure of the jobs numbers."""
        variation = self._task.jobs.get(name)
        held_out = variation.held_out if variation else None
        values = (*variation.values, *(held_out.values if held_out else ())) if variation else ()
        return tuple(str(value) for value in values)


def robot_figure(task: Varied, workshop: Workshop, name: str, missing: float | None = None) -> Floats:
    """A figure of the robots as this workshop has it, (components,).

    Args:
        task: Declares it under `robots`.
        workshop: May say its own; else it is the nominal one, or the middle of the range.
        name: Of the figure.
        missing: For a figure that the task does not mention.

    Raises:
        ContractError: There is no such figure, and nothing was given for that case.
    """
    variation = task.robots.get(name)
    if variation is None:
        if missing is None:
            raise _unknown(name, task.robots)
        return np.array([missing])
    own: Figure | None = workshop.figures.get(name)
    value = _nominal(variation) if own is None else own
    return np.atleast_1d(np.asarray(value, dtype=np.float64))


def check_workshop(task: Varied, workshop: Workshop) -> None:
    """Refuse a workshop that does not fit the task.

    Raises:
        ContractError: Names the figure and what would be right.
    """
    if workshop.task != task.name:
        raise ContractError(
            f"the workshop is one for {workshop.task}.",
            where=f"workshop {workshop.name}",
            remedy=f"Choose a workshop for {task.name}, or none: then one is drawn.",
        )
    # A robot of one's own is nobody's to admit; whether its drive fits shows when it is compiled.
    if workshop.embodiment not in task.embodiments and workshop.embodiment not in own_embodiments():
        raise ContractError(
            f"{task.name} admits no {workshop.embodiment}.",
            where=f"workshop {workshop.name}",
            remedy=f"It admits {', '.join(task.embodiments)}.",
        )
    for name, value in workshop.figures.items():
        variation = task.robots.get(name) or task.jobs.get(name)
        if variation is None:
            raise _unknown(name, {**task.robots, **task.jobs})
        _check_figure(f"workshop {workshop.name}: {name}", variation, value, per_job=name in task.jobs)


def _check_figure(where: str, variation: Variation, value: Figure, *, per_job: bool) -> None:
    if variation.values and (per_job or isinstance(variation.values[0], str)):
        known = {*variation.values, *(variation.held_out.values if variation.held_out else ())}
        if not isinstance(value, tuple) or not set(value) <= known:
            raise ContractError(
                f"{value} is not some of {', '.join(map(str, sorted(known, key=str)))}.",
                where=where,
                remedy="Write a list.",
            )
        return
    numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    wanted = 2 * variation.size if per_job else variation.size
    low, high = hull(variation)
    inside = bool(np.all((numbers >= low - 1e-12) & (numbers <= high + 1e-12)))
    ordered = not per_job or bool(np.all(numbers[: variation.size] <= numbers[variation.size :]))
    if len(numbers) != wanted or not inside or not ordered:
        form = "its least and greatest value" if per_job else f"{wanted} number(s)"
        raise ContractError(
            f"{value} is not {form} within {low:g} and {high:g} {variation.unit}.",
            where=where,
            remedy="The task's own ranges stand in its task.toml.",
        )


def hull(variation: Variation) -> tuple[float, float]:
    """The least and the greatest number that a figure may have anywhere."""
    if variation.limits:
        return variation.limits
    numbers: list[float] = []
    for side in (variation.drawn, variation.held_out):
        if side is not None:
            numbers += [float(each) for each in (*side.values, *side.bounds[0], *side.bounds[1])]
    nominal = [] if variation.nominal is None else np.atleast_1d(variation.nominal).tolist()
    return min(numbers + nominal), max(numbers + nominal)


def _job_range(task: Varied, workshop: Workshop, name: str) -> Range:
    variation, own = task.jobs[name], workshop.figures.get(name)
    if own is None:
        if variation.drawn is None:
            return Range(low=variation.nominal, high=variation.nominal)
        return variation.drawn
    values = own if isinstance(own, tuple) else (own,)
    if variation.values:
        return Range(values=values)
    half = len(values) // 2
    return Range(low=values[:half], high=values[half:])


def _nominal(variation: Variation) -> float | tuple[float, ...]:
    if variation.nominal is not None:
        return variation.nominal
    drawn = variation.drawn
    if drawn is None or drawn.values:
        return float(drawn.values[0]) if drawn else 0.0
    low, high = drawn.bounds
    return tuple((a + b) / 2 for a, b in zip(low, high, strict=True))


def _unknown(name: str, known: Iterable[str]) -> ContractError:
    return ContractError(
        f"there is no figure {name!r}.",
        where="figures",
        remedy=f"Declare it under `robots` or `jobs`; known are {', '.join(known) or 'none'}.",
    )
