"""A robot that never trained joins the guild, pulls its skill and runs it without torch or Ray.

Runs in a fresh process of its own, so that the absence of the training stack is checked and not claimed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from envs.evaluate import Evaluation, evaluate
from envs.task import load_task
from envs.workshop import Workshop
from fleet.fetch import Needs, pull_skill, vouched_version
from fleet.membership import connect, join
from fleet.robot_folder import RobotFolder
from fleet.trust import Vouching
from skills.errors import ContractError
from skills.messages.robots import EnrolmentToken
from skills.policy import Policy
from zunft.demo.scoreboard import episodes_seed

__all__ = ["Newcomer", "visit"]

TRAINING_STACK = {"ray", "torch"}


@dataclass(frozen=True)
class Newcomer:
    """A robot that never trained, and the workshops in which it is to work."""

    embodiment: str
    workshops: tuple[Workshop, ...]


def visit(
    newcomers: Sequence[Newcomer],
    tokens: Sequence[EnrolmentToken],
    *,
    hub: str,
    skill: str,
    home: Path,
    episodes: int,
    seed: int,
    processes: int,
) -> dict[Workshop, Evaluation]:
    """Let each newcomer join, pull the stable version and be scored, each in a process of its own.

    Raises:
        ZunftError: The hub refused, the skill did not verify, or the training stack was loaded.
    """
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        jobs = [
            pool.submit(_visit, newcomer, token.token, hub, skill, home, episodes, seed)
            for newcomer, token in zip(newcomers, tokens, strict=True)
        ]
        return {workshop: score for job in jobs for workshop, score in job.result().items()}


def _visit(
    newcomer: Newcomer, token: str, hub: str, skill_name: str, home: Path, episodes: int, seed: int
) -> dict[Workshop, Evaluation]:
    bench = RobotFolder(home / newcomer.embodiment)
    join(bench, hub, token=token, name=newcomer.embodiment, embodiment=newcomer.embodiment)
    client = connect(bench)
    version = vouched_version(client, skill_name, "base")
    task = load_task(skill_name)
    if "stable" in version.channels:
        Vouching.by_owner(bench, client).check(version)
    policy = Policy(pull_skill(bench, client, version, Needs(skill_name, task.contract, task.digest)))
    scores = {
        shop: evaluate(policy, task, shop, episodes, episodes_seed(shop, seed)) for shop in newcomer.workshops
    }
    if loaded := TRAINING_STACK & sys.modules.keys():
        raise ContractError(
            f"running a skill loaded {', '.join(sorted(loaded))}.", where="zunft.demo.newcomer"
        )
    return scores
