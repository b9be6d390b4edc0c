"""A new skill for a task: version 1, an untrained network of any kind.

How its weights are drawn is left to `skills.networks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from skills.errors import RequestError
from skills.initial import initial_skill
from skills.manifest import Contract, Manifest
from skills.networks.base import Network
from skills.networks.registry import AnyNetwork
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

    found = load_task(task) if isinstance(task, str) else task
    manifest = Manifest(
        name=found.name,
        version=1,
        task=found.name,
        task_digest=found.digest,
        contract=found.contract,
        network=_network(found.contract, network or found.file.training.network),
        origin="initial",
        summary=found.title,
    )
    return initial_skill(manifest, seed=seed)


def _network(contract: Contract, wanted: dict[str, object]) -> Network:
    ends = {"inputs": contract.observation_size, "outputs": contract.action_size}
    try:
        return TypeAdapter(AnyNetwork).validate_python({**wanted, **ends})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise RequestError(
            f"{first['msg'].removeprefix('Value error, ')}.",
            where=f"--size {name}" if name else "--network",
            remedy="docs/format.md names the kinds and their sizes.",
        ) from error


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
