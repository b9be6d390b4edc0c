"""The engine on a processor: the kernels over all chunks, on all cores.

Chunks are fixed, each is one thread's, and sums over chunks run in their order: the bits do not depend on
how many cores there are or who finished first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hub.merging import kernels
from hub.merging.combination import (
    Combination,
    DroppedSum,
    NearMedianMean,
    SignElection,
    SortedMean,
    WeightedSum,
)
from hub.merging.network import sorting_network
from hub.merging.products import products
from hub.merging.stack import Chunk, Entry, Stack
from skills.codecs import Quantised

__all__ = ["CpuEngine"]

T = TypeVar("T")
FIRST_CACHE = 2**15  # bytes of a core's nearest cache, in which rows are sorted
FEW = 2**18  # numbers in all that one thread merges sooner than two threads start

KINDS = {
    np.dtype(np.float32): kernels.KIND_FLOAT32,
    np.dtype(np.float64): kernels.KIND_FLOAT64,
}


@dataclass(frozen=True)
class _Work:
    """A chunk with the addresses of its inputs."""

    chunk: Chunk
    table: NDArray[np.uint64]


class CpuEngine:
    """Numba kernels on threads. `threads` None: one for each core."""

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1

    def grams(self, stack: Stack) -> NDArray[np.float64]:
        """Inner products of all pairs of updates, for each chunk: (chunks, n, n) in float64."""
        count = len(stack)
        padded = -(-count // 4) * 4

        def work(each: _Work) -> NDArray[np.float64]:
            lower = np.zeros((padded, padded))
            products(each.table, each.chunk.start, each.chunk.stop, lower)
            lower = np.tril(lower[:count, :count])
            return np.asarray(lower + np.tril(lower, -1).T)

        return np.array(self._run(stack, work)).reshape(-1, count, count)

    def combine(self, stack: Stack, combination: Combination) -> tuple[dict[str, NDArray[Any]], bool]:
        """The combination as tensors of `stack.dtype`, and whether all numbers met were finite."""
        result = {name: np.empty(prod(shape), stack.dtype) for name, shape in stack.shapes.items()}
        compute = _compute(combination, stack)
        finite = self._run(stack, lambda each: compute(each, result[each.chunk.name]))
        return {name: result[name].reshape(shape) for name, shape in stack.shapes.items()}, all(finite)

    def _run(self, stack: Stack, work: Callable[[_Work], T]) -> list[T]:
        tables = {name: _table(stack.columns[name]) for name in stack.shapes}
        todo = [_Work(chunk, tables[chunk.name]) for chunk in stack.chunks()]
        if self._threads == 1 or stack.size * len(stack) <= FEW:
            return [work(each) for each in todo]
        return list(_pool(self._threads).map(work, todo))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="zunft-merge")


def _table(column: Sequence[Entry]) -> NDArray[np.uint64]:
    """Kind, address of numbers, address of scales of each entry; the stack keeps the arrays alive."""
    return np.array([_source(entry) for entry in column], np.uint64)


def _source(entry: Entry) -> tuple[int, int, int]:
    if isinstance(entry, Quantised):
        return kernels.KIND_INT8, kernels.address(entry.codes), kernels.address(entry.scales)
    if entry.dtype == np.float16:
        return kernels.KIND_FLOAT16, kernels.address(entry.view(np.uint16)), 0
    return KINDS[entry.dtype], kernels.address(entry), 0


def _compute(combination: Combination, stack: Stack) -> Callable[[_Work, NDArray[Any]], bool]:
    """The kernel for a combination, as a call on a chunk and the flat tensor to write to."""
    match combination:
        case WeightedSum(factors):
            # Who has no part in the sum is not read: rules that leave updates out saw the Gram matrix.
            used = np.flatnonzero(factors) if factors.any() else np.arange(1)
            return lambda each, out: kernels.weighted_sum(
                each.table[used], factors[used], each.chunk.start, each.chunk.stop, out
            )
        case DroppedSum(factors, keys, limit):
            return lambda each, out: kernels.dropped_sum(
                each.table, factors, keys, limit, each.chunk.offset, each.chunk.start, each.chunk.stop, out
            )
        case SignElection(weights, stretch, thresholds, scale):
            return lambda each, out: kernels.sign_election(
                each.table, weights, stretch, thresholds, scale, each.chunk.start, each.chunk.stop, out
            )
        case SortedMean(rows, low, high):
            pairs, tile = sorting_network(len(rows), low, high), _tile(len(rows), stack)
            return lambda each, out: kernels.sorted_mean(
                each.table,
                rows,
                _single(rows),
                pairs,
                low,
                high,
                each.chunk.start,
                each.chunk.stop,
                tile,
                out,
            )
        case NearMedianMean(rows, count):
            pairs, tile = sorting_network(len(rows), 0, len(rows)), _tile(len(rows), stack)
            return lambda each, out: kernels.near_median_mean(
                each.table, rows, _single(rows), pairs, count, each.chunk.start, each.chunk.stop, tile, out
            )


def _tile(rows: int, stack: Stack) -> int:
    fitting = FIRST_CACHE // (rows * np.dtype(stack.dtype).itemsize)
    return max(64, min(512, fitting // 64 * 64))


def _single(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """The only input of each row, or -1."""
    used = rows != 0
    return np.where(used.sum(axis=1) == 1, used.argmax(axis=1), -1)
