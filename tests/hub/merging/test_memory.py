"""A merge takes the memory of its result and little more, however many updates there are."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from hub.merging import merge_arrays
from hub.merging.rules import RULES
from hub.merging.stack import CHUNK
from skills.codecs import BLOCK, Quantised
from tests.hub.merging.samples import largest_settings

MODEL = 4 * CHUNK  # bytes of one chunk of a float32 result


def peak(rule: str, count: int, chunks: int, encoding: str) -> int:
    """Bytes that a merge holds at most beside its inputs, as Python's tracer sees numpy's memory."""
    rng, size = np.random.default_rng(0), chunks * CHUNK
    updates: list[dict[str, Any]] = [{"w": rng.standard_normal(size, dtype=np.float32)} for _ in range(count)]
    if encoding == "int8":
        codes = [(each["w"] * 30).astype(np.int8) for each in updates]
        updates = [{"w": Quantised(each, np.ones(size // BLOCK, np.float32))} for each in codes]
    options = largest_settings(rule, count) or {}
    if rule == "fltrust":
        options["root"] = updates[0]
    tracemalloc.start()
    merge_arrays(updates, rule=rule, **options)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize(
    ("rule", "encoding"),
    [*((rule, "float32") for rule in sorted(RULES)), ("mean", "int8"), ("median", "int8"), ("ties", "int8")],
)
def test_memory_grows_by_one_model_a_model_and_not_with_the_updates(rule: str, encoding: str) -> None:
    peak(rule, 3, 1, encoding)  # compiles
    small, large, many = (peak(rule, *size, encoding) for size in ((3, 2), (3, 4), (9, 2)))
    assert large - small < 1.15 * 2 * MODEL
    assert many - small < 0.5 * MODEL
