"""What a compiled bundle costs, against four yardsticks in one run: `python benchmarks/simulation.py`.

The same task written by hand, Gymnasium's SyncVectorEnv over single environments, bare `mj_step` of the
same robot and substeps without any observation, and two threads. One process; processor time, so that a
busy machine disturbs little, but for the two threads, whose wall time counts.
"""

from __future__ import annotations

import argparse
import copy
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import mujoco
import numpy as np
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from benchmarks.weld_seam_by_hand import HandWritten
from envs.bundle import bundle_names
from envs.scripted import controller, controller_names
from envs.single import TaskEnv
from envs.start import settle
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import FLEET, fleet_workshops, load_workshop

ENVIRONMENTS = 32
REPEATS = 10

Actions = list[NDArray[np.float32]]


def main() -> None:
    """Measure weld-seam in each fleet workshop, then every task in its first one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    repeats = parser.parse_args().repeats
    print(f"{describe_machine()}; {ENVIRONMENTS} environments")
    print(
        f"{'workshop':14} {'bundle':>9} {'by hand':>8} {'SyncVectorEnv':>14} {'bare mj_step':>13}"
        f" {'2 threads':>10}"
    )
    for name in FLEET:
        print(f"{name:14} {compare(name, repeats)}", flush=True)
    print(f"\n{'task':14} {'robot':10} {'bundle':>9} {'bare mj_step':>13} {'compiled in':>12}")
    for task in bundle_names():
        print(f"{task:14} {survey(task, repeats)}", flush=True)


def compare(workshop: str, repeats: int) -> str:
    """One workshop's rate and its ratios to the yardsticks."""
    task, shop = load_task("weld-seam"), load_workshop(workshop)
    env, double = (
        TaskVectorEnv(task, shop, ENVIRONMENTS),
        TaskVectorEnv(task, shop, ENVIRONMENTS, threads=2),
    )
    by_hand = HandWritten(task, shop, ENVIRONMENTS)
    plain = SyncVectorEnv([partial(TaskEnv, "weld-seam", workshop=shop)] * ENVIRONMENTS)
    actions = record(env)
    bare = bare_loop(env)

    def begin() -> None:
        env.reset(seed=0)
        by_hand.take_over(env, copy.deepcopy(env._noise))  # noqa: SLF001
        double.reset(seed=0)

    times = [[] for _ in range(5)]  # type: list[list[float]]
    for number in range(repeats):
        begin()
        times[0].append(clock(lambda: play(env.step, actions)))
        times[1].append(clock(lambda: play(by_hand.step, actions)))
        times[2].append(clock(bare))
        times[3].append(clock(lambda: play(double.step, actions), time.perf_counter))
        if number < 2:
            plain.reset(seed=0)
            times[4].append(clock(lambda: play(plain.step, actions)))
    ours, hand, least, two, sync = (min(each) for each in times)
    rate = ENVIRONMENTS * len(actions) / ours
    return f"{rate:7,.0f}/s {hand / ours:7.2f}x {sync / ours:13.1f}x {least / ours:12.2f}x {ours / two:9.1f}x"


def survey(name: str, repeats: int) -> str:
    """One task's rate, its ratio to the bare physics, and how long its compilation takes."""
    settle.cache_clear()
    start = time.perf_counter()
    task = load_task(name)
    shop = fleet_workshops(task.file)[0]
    env = TaskVectorEnv(task, shop, ENVIRONMENTS)
    compiled = time.perf_counter() - start
    actions, bare = record(env), bare_loop(env)
    ours, least = [], []
    for _ in range(repeats):
        env.reset(seed=0)
        ours.append(clock(lambda: play(env.step, actions)))
        least.append(clock(bare))
    rate = ENVIRONMENTS * len(actions) / min(ours)
    return f"{shop.embodiment:10} {rate:7,.0f}/s {min(least) / min(ours):12.2f}x {compiled:10.2f} s"


def record(env: TaskVectorEnv) -> Actions:
    """What the best controller does for one episode without a reset, so that everybody does the same work."""
    policy = controller(controller_names(env.task)[-1], env.task)
    seen, _ = env.reset(seed=0)
    actions = []
    for _ in range(env.task.horizon - 1):
        actions.append(policy.act(seen))
        seen, *_ = env.step(actions[-1])
    return actions


def bare_loop(env: TaskVectorEnv) -> Callable[[], None]:
    """As many physics steps of one simulation as all make in `record`, from the middle of a job."""
    data = env.cells.snapshot(0)
    steps = ENVIRONMENTS * (env.task.horizon - 1) * env.cells.substeps
    return lambda: mujoco.mj_step(env.cells.model, data, nstep=steps)


def play(step: Callable[[NDArray[np.float32]], object], actions: Actions) -> None:
    """Replay."""
    for action in actions:
        step(action)


def clock(run: Callable[[], None], read: Callable[[], float] = time.process_time) -> float:
    """Seconds that it takes."""
    start = read()
    run()
    return read() - start


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
