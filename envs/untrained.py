"""A skill before anybody practised it: version 1, an untrained network that fits a task's contract.

How its weights are drawn is left to `skills.networks`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from envs.task import Task
from skills.errors import RequestError
from skills.initial import initial_skill
from skills.manifest import Contract, Manifest
from skills.networks.base import Network
from skills.networks.registry import AnyNetwork
from skills.skill import Skill

__all__ = ["untrained_skill"]


def untrained_skill(task: Task, *, seed: int, network: Mapping[str, object] | None = None) -> Skill:
    """Version 1 of a skill; equal seeds, equal files.

    Args:
        task: The task.
        seed: Of the weights.
        network: Kind and sizes; None for what the task advises.

    Raises:
        RequestError: There is no such network.
    """
    manifest = Manifest(
        name=task.name,
        version=1,
        task=task.name,
        task_digest=task.digest,
        contract=task.contract,
        network=_network(task.contract, network or task.file.training.network),
        origin="initial",
        summary=task.title,
    )
    return initial_skill(manifest, seed=seed)


def _network(contract: Contract, wanted: Mapping[str, object]) -> Network:
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
