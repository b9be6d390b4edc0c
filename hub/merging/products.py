"""The inner loop of the Gram matrix on a processor, compiled by Numba: products of all pairs, one reading.

Inputs are tables as in `hub.merging.kernels`. What is read is widened once into a tile of all inputs in a
core's second cache; while pairs of that tile are multiplied, the numbers of the next one are fetched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hub.merging.kernels import KIND_FLOAT16, KIND_FLOAT32, KIND_FLOAT64, kernel, read, reduction

__all__ = ["products"]

TILE = 2**16  # float64 numbers of all inputs together: half a mebibyte, in a core's second cache
PART = 512  # numbers multiplied at a time, so that the rows in use stay in the first cache
LINE = 64  # bytes that travel from memory at once


@intrinsic
def _prefetch(context: Any, address: Any) -> Any:  # noqa: ARG001
    """Have the line at an address brought into the second cache; any address will do."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To read, to be kept in the second cache, data.
        builder.call(prefetch, [builder.inttoptr(args[0], cgutils.voidptr_t), flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return types.void(types.uint64), generate


@kernel
def _fetch(source: Any, start: int, count: int) -> None:
    """Have `count` numbers from `start` on brought near."""
    kind = source[0]
    size = 4 if kind == KIND_FLOAT32 else 8 if kind == KIND_FLOAT64 else 2 if kind == KIND_FLOAT16 else 1
    for at in range(size * start, size * (start + count), LINE):
        _prefetch(source[1] + np.uint64(at))


@reduction
def _dots(raw: Any, i: int, k: int, start: int, stop: int, gram: Any) -> None:
    """Rows i and i + 1 times rows k to k + 3: eight products, so that each number loaded is used often."""
    a0, a1 = raw[i, start:stop], raw[i + 1, start:stop]
    b0, b1 = raw[k, start:stop], raw[k + 1, start:stop]
    b2, b3 = raw[k + 2, start:stop], raw[k + 3, start:stop]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
    for j in range(a0.size):
        x, y = a0[j], a1[j]
        p, q, r, s = b0[j], b1[j], b2[j], b3[j]
        s00 += x * p
        s01 += x * q
        s02 += x * r
        s03 += x * s
        s10 += y * p
        s11 += y * q
        s12 += y * r
        s13 += y * s
    gram[i, k] += s00
    gram[i, k + 1] += s01
    gram[i, k + 2] += s02
    gram[i, k + 3] += s03
    gram[i + 1, k] += s10
    gram[i + 1, k + 1] += s11
    gram[i + 1, k + 2] += s12
    gram[i + 1, k + 3] += s13


@kernel
def products(table: Any, start: int, stop: int, gram: Any) -> None:
    """Gram <- gram + inner products below the diagonal; its rows are filled up to a multiple of 4."""
    count = gram.shape[0]
    tile = max(PART, TILE // count // PART * PART)
    raw = np.zeros((count, tile))
    for at in range(start, stop, tile):
        n = min(tile, stop - at)
        for i in range(table.shape[0]):
            read(table[i], at, raw[i, :n])
        for part in range(0, n, PART):
            end = min(part + PART, n)
            following = at + tile + part
            for i in range(0, count, 2):
                for row in range(i, min(i + 2, table.shape[0])):
                    if following < stop:
                        _fetch(table[row], following, min(end - part, stop - following))
                for k in range(0, i + 2, 4):
                    _dots(raw, i, k, part, end, gram)
