"""What computes: one interface for processor, GPU and cluster, and the choice among them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hub.merging.combination import Combination
from hub.merging.errors import MergeError
from hub.merging.stack import Stack

__all__ = ["Engine", "choose_engine"]

GPU_DRIVER = "libcuda.so.1"


class Engine(Protocol):
    """Two passes over a stack. All engines give the same numbers within float32 rounding."""

    name: str

    def grams(self, stack: Stack) -> NDArray[np.float64]:
        """Inner products of all pairs of updates, for each chunk: (chunks, n, n) in float64."""

    def combine(self, stack: Stack, combination: Combination) -> tuple[dict[str, NDArray[Any]], bool]:
        """The combination as tensors of `stack.dtype`, and whether all numbers met were finite."""


def choose_engine(device: str = "auto", *, ray_address: str = "") -> Engine:
    """The engine for `cpu`, `cuda`, `ray`, or `auto`: CUDA where there is a GPU, else the processor.

    Raises:
        MergeError: No such device, or it is not here.
    """
    if device == "auto":
        device = "cuda" if _has_gpu() else "cpu"
    if device not in ENGINES:
        raise MergeError(
            f"there is no device {device!r}.", where="device", remedy=f"Use auto, {', '.join(ENGINES)}."
        )
    return ENGINES[device](ray_address)


def _has_gpu() -> bool:
    try:
        ctypes.CDLL(GPU_DRIVER)
    except OSError:
        return False
    return _torch_has_gpu()


def _torch_has_gpu() -> bool:
    import torch  # noqa: PLC0415 - takes seconds and much memory, so `auto` asks for the driver first

    return torch.cuda.is_available()


def _cpu(_: str) -> Engine:
    from hub.merging.cpu import CpuEngine  # noqa: PLC0415 - imports Numba

    return CpuEngine()


def _cuda(_: str) -> Engine:
    from hub.merging.device import DeviceEngine  # noqa: PLC0415 - imports torch

    if not _torch_has_gpu():
        raise MergeError("no CUDA device is here.", where="device", remedy="Use auto or cpu.")
    return DeviceEngine("cuda")


def _ray(address: str) -> Engine:
    from hub.merging.cluster import ClusterEngine  # noqa: PLC0415 - importing Ray takes seconds

    return ClusterEngine(address)


ENGINES: dict[str, Callable[[str], Engine]] = {"cpu": _cpu, "cuda": _cuda, "ray": _ray}
