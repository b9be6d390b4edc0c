"""Skills that can do something, made in a second: random features, a last layer fitted to a controller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.scripted import Scripted, controllers
from envs.task import Task
from envs.vector import make_vector_env
from envs.workshop import Workshop
from skills.container import Tensors
from skills.initial import initial_skill
from skills.manifest import Manifest
from skills.networks.base import Network
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["taught"]

Floats = NDArray[Any]
RIDGE = 0.1


def taught(task: Task, workshop: Workshop, network: Network, *, jobs: int = 8) -> Skill:
    """What the task's last controller does, then once more along the way that the skill itself takes."""
    manifest = Manifest(
        name=task.name,
        version=1,
        task=task.name,
        task_digest=task.digest,
        contract=task.contract,
        network=network,
    )
    skill = initial_skill(manifest, seed=0)
    master = next(each for each in reversed(list(controllers(task).values())) if not each.told)
    shown: list[tuple[Floats, Floats]] = []
    for look in range(2):
        shown += _watch(task, workshop, skill, master, jobs, look)
        skill = Skill(manifest, _fitted(skill, shown))
    return skill


def _watch(
    task: Task, workshop: Workshop, skill: Skill, master: Scripted, jobs: int, look: int
) -> list[tuple[Floats, Floats]]:
    """Features and the master's actions, step by step; in the first look the master leads."""
    features = skill.manifest.network.actor(_headless(skill))
    env = make_vector_env(task, workshop, jobs, seed=look)
    seen, _ = env.reset()
    memory = np.zeros((jobs, features.memory_size), np.float32)
    leader, policy, found = master.begin(), Policy(skill).begin(), []
    for _ in range(task.horizon):
        wanted = leader.act(seen)
        feature, memory = features.mean(seen.astype(np.float32), memory)
        found.append((feature, wanted))
        done = policy.act(seen)
        seen = np.nan_to_num(env.step(done if look else wanted)[0])
    return found


def _head(skill: Skill) -> str:
    return next(name for name, tensor in skill.tensors.items() if _is_head(name, tensor, skill)).split(".w")[
        0
    ]


def _is_head(name: str, tensor: Floats, skill: Skill) -> bool:
    acts = not name.startswith("critic.") and name.endswith(".weight")
    return acts and len(tensor) == skill.manifest.network.outputs


def _headless(skill: Skill) -> Tensors:
    """With the last hidden layer as what comes out."""
    head = _head(skill)
    width = skill.tensors[f"{head}.weight"].shape[1]
    return skill.tensors | {
        f"{head}.weight": np.eye(width, dtype=np.float32),
        f"{head}.bias": np.zeros(width, np.float32),
    }


def _fitted(skill: Skill, shown: list[tuple[Floats, Floats]]) -> Tensors:
    features = np.concatenate([each for each, _ in shown]).astype(np.float64)
    known = np.hstack([features, np.ones((len(features), 1))])
    wanted = np.concatenate([each for _, each in shown])
    found = np.linalg.solve(known.T @ known + RIDGE * np.eye(known.shape[1]), known.T @ wanted)
    head, weights = _head(skill), found.astype(np.float32)
    return skill.tensors | {f"{head}.weight": weights[:-1].T.copy(), f"{head}.bias": weights[-1].copy()}
