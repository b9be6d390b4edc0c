"""The engine on a Ray cluster: the parameters are cut into shards, each merged by one worker.

A worker uses its GPU where the cluster has some, else one core. Shards are whole chunks and sums over
chunks run in their order, so on processors the bits are those of `hub.merging.cpu`. Ray moves the numbers
between the cluster's own processes; nothing of its wire format is stored or offered to anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import prod
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from hub.merging.combination import Combination
from hub.merging.cpu import CpuEngine
from hub.merging.device import DeviceEngine
from hub.merging.stack import Chunk, Stack

__all__ = ["ClusterEngine"]

SHARD = 8  # chunks


class ClusterEngine:
    """Workers of a running cluster at `address`, or of one started here when it is empty."""

    name = "ray"

    def __init__(self, address: str = "") -> None:
        if not ray.is_initialized():
            # "local", not None: Ray would look for whatever cluster ran here last.
            ray.init(
                address=address or "local",
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        self._workers = gpus or max(1, int(resources.get("CPU", 1)))
        self._grams = ray.remote(num_gpus=1 if gpus else 0)(_grams)
        self._combine = ray.remote(num_gpus=1 if gpus else 0)(_combine)

    def grams(self, stack: Stack) -> NDArray[np.float64]:
        """Inner products of all pairs of updates, for each chunk: (chunks, n, n) in float64."""
        shards = _shards(stack.chunks())
        found = list(self._in_order(self._grams.remote(stack.part(shard)) for shard in shards))
        return np.concatenate([np.zeros((0, len(stack), len(stack))), *found])

    def combine(self, stack: Stack, combination: Combination) -> tuple[dict[str, NDArray[Any]], bool]:
        """The combination as tensors of `stack.dtype`, and whether all numbers met were finite."""
        result = {name: np.empty(prod(shape), stack.dtype) for name, shape in stack.shapes.items()}
        shards = _shards(stack.chunks())
        finite = True
        tasks = (self._combine.remote(stack.part(shard), combination) for shard in shards)
        for shard, (parts, sound) in zip(shards, self._in_order(tasks), strict=True):
            finite &= sound
            for i, chunk in enumerate(shard):
                result[chunk.name][chunk.start : chunk.stop] = parts[str(i)]
        return {name: result[name].reshape(shape) for name, shape in stack.shapes.items()}, finite

    def _in_order(self, tasks: Iterator[Any]) -> Iterator[Any]:
        """Results in the order of the tasks; few are under way at a time, so few shards are copied."""
        running = list(islice(tasks, 2 * self._workers))
        while running:
            yield ray.get(running.pop(0))
            running += islice(tasks, 1)


def _shards(chunks: Sequence[Chunk]) -> list[Sequence[Chunk]]:
    return [chunks[start : start + SHARD] for start in range(0, len(chunks), SHARD)]


def _worker() -> CpuEngine | DeviceEngine:
    return DeviceEngine("cuda") if torch.cuda.is_available() else CpuEngine(threads=1)


def _grams(part: Stack) -> NDArray[np.float64]:
    return _worker().grams(part)


def _combine(part: Stack, combination: Combination) -> tuple[dict[str, NDArray[Any]], bool]:
    return _worker().combine(part, combination)
