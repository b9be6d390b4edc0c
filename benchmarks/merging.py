"""Time of the streaming mean against reading its inputs once: `python benchmarks/merging.py`.

Reading is numpy's sum of each delta, the least that any merge must do. Deltas are float64 in memory,
as `skills.delta` decodes them; fetching and decoding are not part of it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hub.merging import Contribution, merge_mean

DELTAS = (4, 16)
WEIGHTS = (100_000, 10_000_000)
REPEATS = 5


def main() -> None:
    """Measure each size and print a table of ratios."""
    print(describe_machine())
    print(f"{'deltas':>6} {'weights':>11} {'read once':>11} {'mean':>11} {'ratio':>6}")
    for weights in WEIGHTS:
        for deltas in DELTAS:
            reading, merging = measure(deltas, weights)
            print(
                f"{deltas:6d} {weights:11,d} {reading * 1e3:8.2f} ms {merging * 1e3:8.2f} ms"
                f" {merging / reading:5.1f}x"
            )


def measure(deltas: int, weights: int) -> tuple[float, float]:
    """Seconds to read and to merge, the best of some repeats each."""
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(weights) for _ in range(deltas)]
    contributions = {f"{i:02d}": Contribution(1000.0 + i, _loader(one)) for i, one in enumerate(inputs)}
    return (
        best_of(lambda: [one.sum() for one in inputs]),
        best_of(lambda: merge_mean({"w": (weights,)}, contributions)),
    )


def best_of(work: Callable[[], object]) -> float:
    """Seconds of the fastest repeat: what the machine can do when nobody disturbs it."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def describe_machine() -> str:
    """Processor, threads and versions."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return (
        f"{', '.join(sorted(models)) or platform.processor()}, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}"
    )


def _loader(delta: NDArray[np.float64]) -> Callable[[], dict[str, NDArray[np.float64]]]:
    return lambda: {"w": delta}


if __name__ == "__main__":
    main()
