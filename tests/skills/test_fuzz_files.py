"""Skill and delta files from strangers: refused in words, soon, and in little memory; never a crash.

Few examples with a fixed seed here; `make fuzz` sets FUZZ_EXAMPLES, and runs `tests.skills.fuzz_files` too.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.skills.hostile import READERS, hostile_files, outcome, real_files, with_header

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
REFUSALS = {"bad_artefact", "bad_encoding", "wrong_shape", "not_finite"}
ROOT = Path(__file__).parents[2]
REAL = real_files()
PLAIN = sorted(name for name in REAL if not name.endswith("zstd"))

fuzzed = settings(max_examples=EXAMPLES or 200, derandomize=not EXAMPLES, deadline=None)
names = st.sampled_from(sorted(REAL))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def refused(data: bytes, *, also: str = "") -> None:
    for what, read in READERS.items():
        assert outcome(read, data) in REFUSALS | {also}, what


@fuzzed
@given(data=st.binary(max_size=2000), packed=st.booleans())
def test_random_bytes(data: bytes, packed: bool) -> None:
    refused(zstandard.ZstdCompressor().compress(data) if packed else data)


@fuzzed
@given(name=names, flips=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 7)), min_size=1, max_size=8))
def test_flipped_bits_give_another_file_or_none(name: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(REAL[name])
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    refused(bytes(data), also="read")


@fuzzed
@given(name=names, share=st.floats(0, 0.9999))
def test_a_file_cut_anywhere(name: str, share: float) -> None:
    refused(REAL[name][: int(share * len(REAL[name]))])


@fuzzed
@given(name=names, more=st.binary(min_size=1, max_size=100) | names.map(lambda name: REAL[name]))
def test_a_file_with_more_behind_it(name: str, more: bytes) -> None:
    # A compressed file ends with its frame: what follows is not looked at.
    refused(REAL[name] + more, also="read" if name.endswith("zstd") else "")


@fuzzed
@given(
    name=st.sampled_from(["skill", "raw", "int8"]), choices=st.randoms(use_true_random=False), value=values
)
def test_a_header_with_something_else_in_it(name: str, choices: Any, value: Any) -> None:
    (length,) = struct.unpack("<Q", REAL[name][:8])
    header = json.loads(REAL[name][8 : 8 + length])
    header["__metadata__"]["zunft"] = json.loads(header["__metadata__"]["zunft"])
    spoil(header, choices, value)
    meta = header.get("__metadata__")
    if isinstance(meta, dict):
        meta["zunft"] = json.dumps(meta.get("zunft"))
    refused(with_header(json.dumps(header), REAL[name][8 + length :]), also="read")


def spoil(document: Any, choices: Any, value: Any) -> None:
    """Put a value somewhere, or take something away."""
    while True:
        key = choices.choice(sorted(document) if isinstance(document, dict) else range(len(document)))
        inner = document[key]
        if not (isinstance(inner, dict | list) and inner) or choices.random() < 0.2:
            break
        document = inner
    if choices.random() < 0.2:
        del document[key]
    else:
        document[key] = value


def test_files_made_to_hurt_are_refused_in_little_time_and_memory() -> None:
    command = [sys.executable, "-m", "tests.skills.hostile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(hostile_files())
    plain = found["half a million lists"]["seconds"]
    for name, each in found.items():
        assert set(each["outcomes"].values()) <= REFUSALS, (name, each)
        assert each["seconds"] <= 10 * plain, (name, each)


@pytest.mark.parametrize("name", sorted(REAL))
def test_the_files_themselves_are_read(name: str) -> None:
    reader = "skill" if name == "skill" else "delta"
    assert outcome(READERS[reader], REAL[name]) == "read"
