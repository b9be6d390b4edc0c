"""Engines that every rule is tested on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hub.merging.cpu import CpuEngine
from hub.merging.device import DeviceEngine
from hub.merging.engine import Engine

ENGINES = ["cpu", "torch", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Numba kernels, torch on the processor, and torch on a GPU where there is one."""
    if request.param == "cpu":
        return CpuEngine(threads=2)
    return DeviceEngine("cpu" if request.param == "torch" else "cuda")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
