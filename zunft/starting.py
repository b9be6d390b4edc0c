"""Version 1 of a skill: an untrained network that fits a task's contract."""

from __future__ import annotations

from envs.task import load_task
from skills.initial import initial_skill
from skills.manifest import Manifest, Network
from skills.skill import Skill

__all__ = ["HIDDEN", "new_skill"]

HIDDEN = (64, 64)


def new_skill(task_name: str, *, seed: int, hidden: tuple[int, ...] = HIDDEN) -> Skill:
    """Make it; equal seeds give equal files.

    Raises:
        ContractError: There is no such task.
    """
    task = load_task(task_name)
    network = Network(inputs=task.contract.observation_size, outputs=task.contract.action_size, hidden=hidden)
    manifest = Manifest(
        name=task.name,
        version=1,
        task=task.name,
        task_digest=task.digest,
        contract=task.contract,
        network=network,
        origin="initial",
        summary=task.title,
    )
    return initial_skill(manifest, seed=seed)
