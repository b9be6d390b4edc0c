"""Version 1 of a skill: an untrained network that fits a task's contract."""

from __future__ import annotations

from envs.task import Task, load_task
from skills.initial import initial_skill
from skills.manifest import Manifest, Network
from skills.skill import Skill

__all__ = ["HIDDEN", "new_skill"]

HIDDEN = (64, 64)


def new_skill(task: str | Task, *, seed: int, hidden: tuple[int, ...] = HIDDEN) -> Skill:
    """Make it; equal seeds give equal files.

    Raises:
        ContractError: There is no such task.
    """
    found = task if isinstance(task, Task) else load_task(task)
    network = Network(
        inputs=found.contract.observation_size, outputs=found.contract.action_size, hidden=hidden
    )
    manifest = Manifest(
        name=found.name,
        version=1,
        task=found.name,
        task_digest=found.digest,
        contract=found.contract,
        network=network,
        origin="initial",
        summary=found.title,
    )
    return initial_skill(manifest, seed=seed)
