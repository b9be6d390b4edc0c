"""Steps/s of the vector environment against gymnasium's SyncVectorEnv: `python benchmarks/simulation.py`.

Same task, workshop, actions and number of environments; one process, one thread. Resets are counted.
"""

from __future__ import annotations

import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import SyncVectorEnv, VectorEnv

from envs.single import WeldSeamEnv
from envs.task import load_task
from envs.vector import make_vector_env
from envs.workshop import FLEET, load_workshop

ENVIRONMENTS = 32
STEPS = 101
"""One episode and its reset."""
REPEATS = 3


def main() -> None:
    """Measure each fleet workshop and print a table of ratios."""
    print(f"{describe_machine()}; {ENVIRONMENTS} environments")
    print(f"{'workshop':14} {'arm':7} {'SyncVectorEnv':>14} {'ours':>9} {'ratio':>6} {'two threads':>12}")
    task = load_task("weld-seam")
    for name in FLEET:
        shop = load_workshop(name)
        plain = rate(SyncVectorEnv([partial(WeldSeamEnv, workshop=shop)] * ENVIRONMENTS))
        ours = rate(make_vector_env(task, shop, ENVIRONMENTS))
        double = rate(make_vector_env(task, shop, ENVIRONMENTS, threads=2))
        print(
            f"{name:14} {shop.embodiment:7} {plain:12,.0f}/s {ours:7,.0f}/s {ours / plain:5.1f}x"
            f" {double / plain:11.1f}x"
        )


def rate(env: VectorEnv[Any, Any, Any]) -> float:
    """Environment steps per second, the best of some repeats."""
    actions = np.random.default_rng(0).uniform(-0.2, 0.2, env.action_space.shape).astype(np.float32)
    env.reset(seed=0)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(STEPS):
            env.step(actions)
        seconds.append(time.perf_counter() - start)
    return STEPS * ENVIRONMENTS / min(seconds)


def describe_machine() -> str:
    """Processor and versions."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    packages = ", ".join(f"{name} {version(name)}" for name in ("mujoco", "gymnasium", "numpy"))
    return (
        f"{', '.join(sorted(models)) or platform.processor()}; Python {platform.python_version()}, {packages}"
    )


if __name__ == "__main__":
    main()
