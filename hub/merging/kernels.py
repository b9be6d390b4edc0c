"""The inner loops on a processor, compiled by Numba: reading any encoding, sums and sorting.

Each kernel walks over its range in tiles that stay in a core's cache, so every input is read from memory
once and nothing is expanded whole. Inputs come as tables of addresses: whoever calls (`hub.merging.cpu`)
has checked lengths and types and keeps the arrays alive. Kernels release Python's lock.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from skills.codecs import BLOCK

__all__ = [
    "KIND_FLOAT16",
    "KIND_FLOAT32",
    "KIND_FLOAT64",
    "KIND_INT8",
    "address",
    "dropped_sum",
    "kernel",
    "near_median_mean",
    "read",
    "reduction",
    "sign_election",
    "sorted_mean",
    "weighted_sum",
]

KIND_FLOAT32, KIND_FLOAT64, KIND_FLOAT16, KIND_INT8 = range(4)
"""Encodings: first column of a table. The others: address of the numbers, address of the scales."""

SUM_TILE = 2**13  # numbers whose float64 sums stay in a core's second cache
ROW_TILE = 512
GOLDEN, MIX_A, MIX_B = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)

kernel = njit(nogil=True, cache=True, error_model="numpy")
# Only these may add in another order than written, so that a core adds many numbers at a time.
reduction = njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})


@intrinsic
def _pointer(context: Any, address: Any) -> Any:  # noqa: ARG001
    """An address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


@intrinsic
def _widen_half(context: Any, bits: Any) -> Any:  # noqa: ARG001
    """The number that 16 bits stand for in IEEE 754 binary16."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate


@kernel
def address(array: Any) -> Any:
    """Where an array's numbers begin; many times faster than numpy's own answer."""
    return array.ctypes.data


@kernel
def _copy(numbers: Any, row: Any) -> None:
    for j in range(row.size):
        row[j] = numbers[j]


@kernel
def _copy_half(bits: Any, row: Any) -> None:
    for j in range(row.size):
        row[j] = _widen_half(bits[j])


@kernel
def _add(numbers: Any, factor: float, row: Any) -> None:
    for j in range(row.size):
        row[j] += factor * numbers[j]


@kernel
def _add_four(a: Any, b: Any, c: Any, d: Any, p: float, q: float, r: float, s: float, row: Any) -> None:
    """Four `_add` one after another, with a quarter of the traffic on the row."""
    for j in range(row.size):
        row[j] = (((row[j] + p * a[j]) + q * b[j]) + r * c[j]) + s * d[j]


@kernel
def _add_half(bits: Any, factor: float, row: Any) -> None:
    for j in range(row.size):
        row[j] += factor * np.float64(_widen_half(bits[j]))


@kernel
def _divide(numbers: Any, divisor: float, out: Any) -> None:
    for j in range(out.size):
        out[j] = numbers[j] / divisor


@kernel
def _keep_greatest(row: Any, threshold: float, stretch: float) -> None:
    for j in range(row.size):
        row[j] = stretch * row[j] if abs(row[j]) >= threshold else 0.0


@kernel
def _add_agreeing(numbers: Any, factor: float, balance: Any, total: Any, weight: Any) -> None:
    """Sum up the numbers, and the factors, whose sign is that of the balance."""
    for j in range(numbers.size):
        agrees = (numbers[j] > 0) & (balance[j] > 0) | (numbers[j] < 0) & (balance[j] < 0)
        total[j] += factor * numbers[j] if agrees else 0.0
        weight[j] += factor if agrees else 0.0


@kernel
def _divide_scaled(total: Any, weight: Any, scale: float, out: Any) -> None:
    for j in range(out.size):
        out[j] = scale * (total[j] / weight[j]) if weight[j] > 0 else 0.0


@kernel
def _add_kept(numbers: Any, factor: float, key: Any, first: Any, limit: Any, row: Any) -> None:
    """As `_add` for the places whose draw (SplitMix64, Steele et al. 2014) is not below the limit."""
    for j in range(numbers.size):
        bits = key + (first + np.uint64(j)) * GOLDEN
        bits = (bits ^ (bits >> np.uint64(30))) * MIX_A
        bits = (bits ^ (bits >> np.uint64(27))) * MIX_B
        bits ^= bits >> np.uint64(31)
        row[j] += factor * numbers[j] if bits >= limit else 0.0


@kernel
def _exchange(lower: Any, upper: Any) -> None:
    for j in range(lower.size):
        a, b = lower[j], upper[j]
        lower[j] = min(a, b)
        upper[j] = max(a, b)


@reduction
def _finite(row: Any) -> Any:
    """Whether no number is NaN or infinite: x - x is 0 for all others."""
    rest = row[0] - row[0]
    for j in range(row.size):
        rest += row[j] - row[j]
    return rest == 0


@kernel
def read(source: Any, start: int, row: Any) -> None:
    """Row <- numbers from `start` on."""
    kind, stop = source[0], start + row.size
    if kind == KIND_FLOAT32:
        _copy(numba.carray(_pointer(source[1]), stop, np.float32)[start:], row)
    elif kind == KIND_FLOAT64:
        _copy(numba.carray(_pointer(source[1]), stop, np.float64)[start:], row)
    elif kind == KIND_FLOAT16:
        _copy_half(numba.carray(_pointer(source[1]), stop, np.uint16)[start:], row)
    else:
        row[:] = 0
        _add_blocks(source, start, 1.0, row)


@kernel
def _accumulate(source: Any, start: int, factor: float, row: Any) -> None:
    """Row <- row + factor * numbers from `start` on, each operation rounded by itself."""
    kind, stop = source[0], start + row.size
    if kind == KIND_FLOAT32:
        _add(numba.carray(_pointer(source[1]), stop, np.float32)[start:], factor, row)
    elif kind == KIND_FLOAT64:
        _add(numba.carray(_pointer(source[1]), stop, np.float64)[start:], factor, row)
    elif kind == KIND_FLOAT16:
        _add_half(numba.carray(_pointer(source[1]), stop, np.uint16)[start:], factor, row)
    else:
        _add_blocks(source, start, factor, row)


@kernel
def _add_blocks(source: Any, start: int, factor: float, row: Any) -> None:
    stop = start + row.size
    codes = numba.carray(_pointer(source[1]), stop, np.int8)
    scales = numba.carray(_pointer(source[2]), (stop + BLOCK - 1) // BLOCK, np.float32)
    at = start
    while at < stop:
        block = at // BLOCK
        end = min((block + 1) * BLOCK, stop)
        _add(codes[at:end], factor * np.float64(scales[block]), row[at - start : end - start])
        at = end


@kernel
def _accumulate_four(sources: Any, start: int, factors: Any, row: Any) -> None:
    """Four `_accumulate` one after another; faster where all four are float32 or all are int8."""
    kind, stop = sources[0, 0], start + row.size
    same = sources[1, 0] == kind and sources[2, 0] == kind and sources[3, 0] == kind
    if same and kind == KIND_FLOAT32:
        a = numba.carray(_pointer(sources[0, 1]), stop, np.float32)[start:]
        b = numba.carray(_pointer(sources[1, 1]), stop, np.float32)[start:]
        c = numba.carray(_pointer(sources[2, 1]), stop, np.float32)[start:]
        d = numba.carray(_pointer(sources[3, 1]), stop, np.float32)[start:]
        _add_four(a, b, c, d, factors[0], factors[1], factors[2], factors[3], row)
    elif same and kind == KIND_INT8:
        _add_four_blocks(sources, start, factors, row)
    else:
        for i in range(4):
            _accumulate(sources[i], start, factors[i], row)


@kernel
def _add_four_blocks(sources: Any, start: int, factors: Any, row: Any) -> None:
    stop = start + row.size
    a = numba.carray(_pointer(sources[0, 1]), stop, np.int8)
    b = numba.carray(_pointer(sources[1, 1]), stop, np.int8)
    c = numba.carray(_pointer(sources[2, 1]), stop, np.int8)
    d = numba.carray(_pointer(sources[3, 1]), stop, np.int8)
    at, scaled = start, np.empty(4)
    while at < stop:
        block = at // BLOCK
        end = min((block + 1) * BLOCK, stop)
        for i in range(4):
            scale = numba.carray(_pointer(sources[i, 2]), block + 1, np.float32)[block]
            scaled[i] = factors[i] * np.float64(scale)
        part = row[at - start : end - start]
        _add_four(
            a[at:end], b[at:end], c[at:end], d[at:end], scaled[0], scaled[1], scaled[2], scaled[3], part
        )
        at = end


@kernel
def _gather(table: Any, rows: Any, single: Any, start: int, n: int, raw: Any, buffer: Any) -> bool:
    """Buffer <- rows @ the n numbers from `start` on; False when an input is NaN or infinite.

    `single[r]` is the one input that row r takes, or -1 when it mixes several; `raw` holds all inputs then.
    """
    finite = True
    if raw.shape[0]:
        for i in range(table.shape[0]):
            read(table[i], start, raw[i, :n])
            finite &= _finite(raw[i, :n])
    mixed = np.empty(n)
    for r in range(rows.shape[0]):
        row, i = buffer[r, :n], single[r]
        if i >= 0:
            read(table[i], start, row)
            finite &= _finite(row)
            if rows[r, i] != 1.0:
                row *= rows[r, i]
            continue
        mixed[:] = 0
        for k in range(table.shape[0]):
            if rows[r, k] != 0.0:
                _add(raw[k, :n], rows[r, k], mixed)
        _copy(mixed, row)
    return finite


@kernel
def weighted_sum(table: Any, factors: Any, start: int, stop: int, out: Any) -> bool:
    """Out <- sum of factor * input, in float64 and in the order of the table; whether it is finite."""
    sums = np.empty(min(SUM_TILE, stop - start))
    finite = True
    for at in range(start, stop, SUM_TILE):
        row = sums[: min(SUM_TILE, stop - at)]
        row[:] = -0.0  # the neutral element: -0.0 + x is x, also for x = -0.0
        fours = len(factors) // 4 * 4
        for i in range(0, fours, 4):
            _accumulate_four(table[i : i + 4], at, factors[i : i + 4], row)
        for i in range(fours, len(factors)):
            _accumulate(table[i], at, factors[i], row)
        _copy(row, out[at : at + row.size])
        finite &= _finite(out[at : at + row.size])
    return finite


@kernel
def dropped_sum(
    table: Any, factors: Any, keys: Any, limit: Any, offset: int, start: int, stop: int, out: Any
) -> bool:
    """As `weighted_sum`, without the places of input i whose draw from keys[i] is below the limit."""
    finite = True
    raw, sums = np.empty(ROW_TILE), np.empty(ROW_TILE)
    for at in range(start, stop, ROW_TILE):
        n = min(ROW_TILE, stop - at)
        row, numbers = sums[:n], raw[:n]
        row[:] = -0.0
        for i in range(table.shape[0]):
            read(table[i], at, numbers)
            finite &= _finite(numbers)
            _add_kept(numbers, factors[i], keys[i], np.uint64(offset + at), limit, row)
        _copy(row, out[at : at + n])
        finite &= _finite(out[at : at + n])
    return finite


@kernel
def sorted_mean(
    table: Any,
    rows: Any,
    single: Any,
    pairs: Any,
    low: int,
    high: int,
    start: int,
    stop: int,
    tile: int,
    out: Any,
) -> bool:
    """Out <- mean of the ranks low..high-1 of each coordinate of rows @ inputs.

    `pairs` is a sorting network; `tile` numbers of all rows stay in a core's first cache.
    """
    finite = True
    buffer = np.empty((rows.shape[0], tile), out.dtype)
    raw = np.empty((table.shape[0] if (single < 0).any() else 0, tile))
    sums = np.empty(tile)
    for at in range(start, stop, tile):
        n = min(tile, stop - at)
        total = sums[:n]
        finite &= _gather(table, rows, single, at, n, raw, buffer)
        for p in range(pairs.shape[0]):
            _exchange(buffer[pairs[p, 0], :n], buffer[pairs[p, 1], :n])
        total[:] = -0.0
        for r in range(low, high):
            _add(buffer[r, :n], 1.0, total)
        _divide(total, np.float64(high - low), out[at : at + n])
        finite &= _finite(out[at : at + n])
    return finite


@kernel
def near_median_mean(
    table: Any, rows: Any, single: Any, pairs: Any, count: int, start: int, stop: int, tile: int, out: Any
) -> bool:
    """Out <- mean of the `count` numbers nearest the median of each coordinate of rows @ inputs."""
    m = rows.shape[0]
    finite = True
    buffer = np.empty((m, tile), out.dtype)
    raw = np.empty((table.shape[0] if (single < 0).any() else 0, tile))
    sums, first = np.empty(tile), np.empty(tile, np.int64)
    for at in range(start, stop, tile):
        n = min(tile, stop - at)
        finite &= _gather(table, rows, single, at, n, raw, buffer)
        for p in range(pairs.shape[0]):
            _exchange(buffer[pairs[p, 0], :n], buffer[pairs[p, 1], :n])
        lower, upper = buffer[(m - 1) // 2], buffer[m // 2]
        sums[:n] = 0
        first[:n] = 0
        # Sorted, the nearest numbers lie side by side; the window moves on while its next number is nearer.
        for r in range(m - count):
            for j in range(n):
                middle = (np.float64(lower[j]) + np.float64(upper[j])) / 2
                first[j] += middle - buffer[r, j] > buffer[r + count, j] - middle
        for r in range(m):
            for j in range(n):
                if first[j] <= r < first[j] + count:
                    sums[j] += buffer[r, j]
        _divide(sums[:n], np.float64(count), out[at : at + n])
        finite &= _finite(out[at : at + n])
    return finite


@kernel
def sign_election(
    table: Any, weights: Any, stretch: Any, thresholds: Any, scale: float, start: int, stop: int, out: Any
) -> bool:
    """Out <- scale * mean of the numbers with the heavier sign; below its threshold a number is 0."""
    count = table.shape[0]
    finite = True
    raw = np.empty((count, ROW_TILE))
    balances, totals, counted = np.empty(ROW_TILE), np.empty(ROW_TILE), np.empty(ROW_TILE)
    for at in range(start, stop, ROW_TILE):
        n = min(ROW_TILE, stop - at)
        balance, total, weight = balances[:n], totals[:n], counted[:n]
        balance[:] = 0
        total[:] = 0
        weight[:] = 0
        for i in range(count):
            read(table[i], at, raw[i, :n])
            finite &= _finite(raw[i, :n])
            _keep_greatest(raw[i, :n], thresholds[i], stretch[i])
            _add(raw[i, :n], weights[i], balance)
        for i in range(count):
            _add_agreeing(raw[i, :n], weights[i], balance, total, weight)
        _divide_scaled(total, weight, scale, out[at : at + n])
        finite &= _finite(out[at : at + n])
    return finite
