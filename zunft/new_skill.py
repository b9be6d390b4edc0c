"""A new skill by its task's name, with a network as the command line says it; made by `envs.untrained`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skills.errors import RequestError
from skills.skill import Skill

if TYPE_CHECKING:
    from envs.task import Task

__all__ = ["new_skill", "read_network"]


def new_skill(task: str | Task, *, seed: int, network: dict[str, object] | None = None) -> Skill:
    """Version 1 of a skill: an untrained network that fits a task's contract; equal seeds, equal files.

    Args:
        task: Or its name.
        seed: Of the weights.
        network: Kind and sizes; None for what the task advises.

    Raises:
        ContractError: There is no such task.
        RequestError: There is no such network.
    """
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo, which `zunft hub` does without
    from envs.untrained import untrained_skill  # noqa: PLC0415

    found = load_task(task) if isinstance(task, str) else task
    return untrained_skill(found, seed=seed, network=network)


def read_network(kind: str, sizes: list[str] | None) -> dict[str, object] | None:
    """What `--network KIND` and `--size NAME=NUMBER[,NUMBER]` say; None where they say nothing.

    Raises:
        RequestError: Something else was written.
    """
    found: dict[str, object] = {"kind": kind} if kind else {}
    for each in sizes or ():
        name, _, numbers = each.partition("=")
        try:
            values = tuple(int(number) for number in numbers.split(","))
        except ValueError as error:
            raise RequestError(
                f"{each!r} is no size.", where="--size", remedy="Write hidden=64,64."
            ) from error
        found[name] = values if len(values) > 1 else values[0]
    return found or None
