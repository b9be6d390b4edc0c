"""Deltas as mapped files: the same numbers as decoded whole, never held, and nothing left over."""

from __future__ import annotations

import mmap
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from hub.storage.objects import FileStore, StoreError
from hub.storage.spool import Spool
from skills.codecs import Quantised, decode
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader, unpacked_limit
from skills.errors import CodecError
from tests.hub.conftest import random_tensors, tiny_skill

BASE = tiny_skill()
SHAPES = BASE.manifest.network.shapes()


def delta_file(codec: str) -> bytes:
    header = DeltaHeader(base=BASE.digest, round_id="r", robot_id="ada", codec=codec, samples=1)
    return Delta(header, random_tensors(BASE, 0)).to_bytes()


def _backing(array: Any) -> Any:
    """What holds an array's numbers."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array.obj


@pytest.mark.parametrize("codec", ["raw", "fp16", "int8", "raw+zstd", "int8+zstd"])
def test_a_mapped_delta_has_the_numbers_of_a_decoded_one(codec: str, tmp_path: Path) -> None:
    data = delta_file(codec)
    store = FileStore(tmp_path / "blobs")
    store.put(digest_of(data), data)
    opened = Spool(store, tmp_path / "spool").open(digest_of(data), len(data), SHAPES)
    for name, tensor in Delta.from_bytes(data, SHAPES).tensors.items():
        found = opened.tensors[name]
        assert isinstance(found, Quantised) == codec.startswith("int8")
        assert np.array_equal(decode(found), tensor)
        assert isinstance(_backing(found.codes if isinstance(found, Quantised) else found), mmap.mmap)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize(("codec", "files"), [("fp16", 0), ("fp16+zstd", 1)])
def test_a_small_delta_is_looked_at_before_it_is_on_the_disk(codec: str, files: int, tmp_path: Path) -> None:
    """A compressed one may be much larger than it came, and goes into files as large ones do."""
    data = delta_file(codec)
    spool = Spool(FileStore(tmp_path / "blobs"), tmp_path)
    with spool.file() as file:
        file.write(data)
        found = spool.incoming(file, SHAPES)
        assert len(list(tmp_path.iterdir())) == files
        for name, tensor in Delta.from_bytes(data, SHAPES).tensors.items():
            assert np.array_equal(decode(found.tensors[name]), tensor)
        assert file.path.read_bytes() == data
        assert spool.incoming(file, SHAPES).header == found.header


def test_more_robots_than_a_process_may_open_files_at_first(tmp_path: Path) -> None:
    data = delta_file("fp16+zstd")
    store = FileStore(tmp_path / "blobs")
    store.put(digest_of(data), data)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        spool = Spool(store, tmp_path / "spool")
        opened = [spool.open(digest_of(data), len(data), SHAPES) for _ in range(400)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    first = decode(opened[0].tensors["log_std"])
    assert all(np.array_equal(decode(each.tensors["log_std"]), first) for each in opened)


def test_a_compressed_delta_that_grows_beyond_its_shapes_is_refused(tmp_path: Path) -> None:
    data = zstandard.compress(bytes(unpacked_limit(SHAPES) + 1))
    store = FileStore(tmp_path / "blobs")
    store.put(digest_of(data), data)
    spool = Spool(store, tmp_path / "spool")
    with pytest.raises(StoreError, match="more than"):
        spool.open(digest_of(data), len(data) - 1, SHAPES)
    with pytest.raises(CodecError, match="when unpacked"):
        spool.open(digest_of(data), len(data), SHAPES)
