"""The engine on any torch device: chunk after chunk is copied there, decoded, combined and copied back.

Everything is float64 until the result is rounded, as in the processor's kernels, so the two agree within
one rounding of the result's type. Device memory is that of one chunk of all updates.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hub.merging.combination import (
    Combination,
    DroppedSum,
    NearMedianMean,
    SignElection,
    SortedMean,
    WeightedSum,
)
from hub.merging.kernels import GOLDEN, MIX_A, MIX_B
from hub.merging.stack import Chunk, Entry, Stack
from skills.codecs import BLOCK, Quantised

__all__ = ["DeviceEngine"]


class DeviceEngine:
    """Torch on `cuda`, or on `cpu` where its own threads are wanted."""

    def __init__(self, device: str) -> None:
        self.name = device
        self._device = torch.device(device)

    def grams(self, stack: Stack) -> NDArray[np.float64]:
        """Inner products of all pairs of updates, for each chunk: (chunks, n, n) in float64."""
        found = []
        for chunk in stack.chunks():
            numbers = self._load(stack, chunk)
            found.append(numbers @ numbers.T)
        if not found:
            return np.zeros((0, len(stack), len(stack)))
        return np.asarray(torch.stack(found).cpu().numpy())

    def combine(self, stack: Stack, combination: Combination) -> tuple[dict[str, NDArray[Any]], bool]:
        """The combination as tensors of `stack.dtype`, and whether all numbers met were finite."""
        result = {name: np.empty(prod(shape), stack.dtype) for name, shape in stack.shapes.items()}
        finite = torch.ones((), dtype=torch.bool, device=self._device)
        for chunk in stack.chunks():
            numbers = self._load(stack, chunk)
            target = torch.from_numpy(result[chunk.name][chunk.start : chunk.stop])
            combined = _combine(numbers, combination, chunk).to(target.dtype)
            finite &= numbers.isfinite().all() & combined.isfinite().all()
            target.copy_(combined)
        return {name: result[name].reshape(shape) for name, shape in stack.shapes.items()}, bool(finite)

    def _load(self, stack: Stack, chunk: Chunk) -> Tensor:
        """(updates, numbers) float64; what travels to the device is still encoded."""
        column = stack.columns[chunk.name]
        numbers = torch.empty(
            (len(column), chunk.stop - chunk.start), dtype=torch.float64, device=self._device
        )
        for row, entry in enumerate(column):
            numbers[row] = self._decode(entry, chunk)
        return numbers

    def _decode(self, entry: Entry, chunk: Chunk) -> Tensor:
        if not isinstance(entry, Quantised):
            return self._send(entry[chunk.start : chunk.stop])
        codes = self._send(entry.codes[chunk.start : chunk.stop])
        scales = self._send(entry.scales[chunk.start // BLOCK : -(-chunk.stop // BLOCK)])
        return codes * scales.double().repeat_interleave(BLOCK)[: len(codes)]

    def _send(self, array: NDArray[Any]) -> Tensor:
        # Torch warns of read-only arrays, which mapped files are, so they are copied on the way.
        return torch.from_numpy(array if array.flags.writeable else array.copy()).to(self._device)


def _combine(numbers: Tensor, combination: Combination, chunk: Chunk) -> Tensor:
    match combination:
        case WeightedSum(factors):
            return _send_like(factors, numbers) @ numbers
        case DroppedSum(factors, keys, limit):
            kept = numbers * _mask(keys, limit, chunk, numbers.device)
            return _send_like(factors, numbers) @ kept
        case SignElection(shares, stretch, thresholds, scale):
            weights = _send_like(shares, numbers)[:, None]
            kept = torch.where(numbers.abs() >= _send_like(thresholds, numbers)[:, None], numbers, 0.0)
            votes = kept * _send_like(stretch, numbers)[:, None] * weights
            agree = votes * votes.sum(dim=0) > 0
            weight = (agree * weights).sum(dim=0)
            total = torch.where(agree, votes, 0.0).sum(dim=0)
            return scale * torch.where(weight > 0, total / weight, 0.0)
        case SortedMean(rows, low, high):
            ordered = _mixed(rows, numbers).sort(dim=0).values
            return ordered[low:high].mean(dim=0)
        case NearMedianMean(rows, count):
            ordered = _mixed(rows, numbers).sort(dim=0).values
            return _near_median(ordered, count)


def _send_like(array: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.device)


def _mixed(rows: NDArray[np.float64], numbers: Tensor) -> Tensor:
    """Rows @ numbers; where a row only selects, the number keeps its bits."""
    used = (rows != 0).sum(axis=1)
    if (used == 1).all() and (rows.max(axis=1) == 1).all():
        return numbers[torch.from_numpy(rows.argmax(axis=1)).to(numbers.device)]
    return _send_like(rows, numbers) @ numbers


def _near_median(ordered: Tensor, count: int) -> Tensor:
    """Mean of the `count` numbers nearest the median; the kernel `near_median_mean` says how."""
    rows = len(ordered)
    middle = (ordered[(rows - 1) // 2] + ordered[rows // 2]) / 2
    first = (middle - ordered[: rows - count] > ordered[count:] - middle).sum(dim=0)
    rank = torch.arange(rows, device=ordered.device)[:, None]
    return torch.where((rank >= first) & (rank < first + count), ordered, 0.0).sum(dim=0) / count


def _mask(keys: NDArray[np.uint64], limit: np.uint64, chunk: Chunk, device: torch.device) -> Tensor:
    """The kernel `dropped_sum`'s choice, in torch's signed integers: they wrap around in the same way."""
    places = torch.arange(chunk.offset + chunk.start, chunk.offset + chunk.stop, device=device)
    bits = torch.from_numpy(keys.view(np.int64)).to(device)[:, None] + places * _signed(GOLDEN)
    bits = (bits ^ _shifted(bits, 30)) * _signed(MIX_A)
    bits = (bits ^ _shifted(bits, 27)) * _signed(MIX_B)
    bits = bits ^ _shifted(bits, 31)
    smallest = torch.iinfo(torch.int64).min  # unsigned order is signed order with the top bit turned
    return (bits ^ smallest) >= (_signed(limit) ^ smallest)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """Shift right without the sign."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def _signed(number: np.uint64) -> int:
    return int(number.view(np.int64))
