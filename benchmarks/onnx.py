"""Skills and their ONNX files on all tasks, robots and kinds of network: jobs done, how far apart, how fast.

Skills are fitted to the tasks' controllers in a second each; how good they are is not what is asked here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.bundle import bundle_names
from envs.evaluate import evaluate
from envs.task import Task, load_task
from envs.workshop import fresh_workshop
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.onnx_policy import OnnxPolicy
from skills.player import Player
from skills.policy import Policy
from tests.skills.taught import taught

SEED, CALLS = 5, 2000


class Both:
    """Acts as the skill, and keeps how far its ONNX file was from that."""

    def __init__(self, ours: Policy, theirs: OnnxPolicy, apart: list[float]) -> None:
        self._ours, self._theirs, self.apart = ours, theirs, apart

    def begin(self) -> Both:
        """With empty memories."""
        return Both(self._ours.begin(), self._theirs.begin(), self.apart)

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """As the skill."""
        action = self._ours.act(observation)
        self.apart.append(float(np.abs(self._theirs.act(observation) - action).max()))
        return action


def main() -> None:
    """Compare, and print a line a task and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=32, help="on each robot")
    jobs = parser.parse_args().jobs
    print(f"{jobs} jobs on each robot of a task.\n")
    print(
        "| task | network | jobs | done by the skill | by its ONNX file | ending otherwise | farthest apart |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in bundle_names():
        task = load_task(name)
        for network in _networks(task):
            print(_compared(task, network, jobs), flush=True)
    print(f"\n{_speed()}")


def _networks(task: Task) -> Sequence[Network]:
    sizes = {"inputs": task.contract.observation_size, "outputs": task.contract.action_size}
    return (
        Mlp(**sizes, hidden=(128,)),
        Mlp(**sizes, hidden=(128,), history=2),
        Gru(**sizes, memory=64, hidden=128),
    )


def _compared(task: Task, network: Network, jobs: int) -> str:
    ours: list[bool] = []
    theirs: list[bool] = []
    apart: list[float] = []
    for robot in task.file.embodiments:
        workshop = fresh_workshop(task.file, robot, seed=3)
        skill = taught(task, workshop, network)
        plain, exported = Policy(skill), OnnxPolicy.of_skill(skill)
        ours += evaluate(Both(plain, exported, apart), task, workshop, jobs, SEED).each
        theirs += evaluate(exported, task, workshop, jobs, SEED).each
    other = sum(a != b for a, b in zip(ours, theirs, strict=True))
    kind = network.kind if getattr(network, "history", 1) == 1 else f"{network.kind}, history"
    return (
        f"| {task.name} | {kind} | {len(ours)} | {sum(ours)} | {sum(theirs)} | {other} | {max(apart):.1e} |"
    )


def _speed() -> str:
    """Processor time of an action for one robot, in turns."""
    task = load_task("weld-seam")
    skill = taught(
        task, fresh_workshop(task.file, "ur5e", seed=3), Mlp(inputs=37, outputs=5, hidden=(64, 64))
    )
    seen = np.zeros(37, np.float32)
    players: dict[str, Player] = {"numpy": Policy(skill), "ONNX Runtime": OnnxPolicy.of_skill(skill)}
    best = dict.fromkeys(players, np.inf)
    for _ in range(10):
        for name, player in players.items():
            best[name] = min(best[name], _seconds(lambda player=player: player.act(seen)))  # type: ignore[misc]
    said = ", ".join(f"{name} {seconds * 1e6:.0f} us" for name, seconds in best.items())
    return f"An action for one robot, 64x64, processor time: {said}."


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - began) / CALLS


if __name__ == "__main__":
    main()
