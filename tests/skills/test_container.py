"""Our own writer against the safetensors library: the same bytes, whatever is written in which order."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from skills.container import METADATA_KEY, PIECE, Spec, TensorWriter, pack, pieces, unpack

kinds = st.sampled_from([np.float16, np.float32, np.float64, np.int8])
arrays = kinds.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
tensors = st.dictionaries(st.text(min_size=1).filter(lambda name: name != "__metadata__"), arrays, max_size=5)


@given(tensors=tensors, document=st.text())
def test_the_bytes_are_those_of_the_library(tensors: dict[str, NDArray[Any]], document: str) -> None:
    assert pack(document, tensors) == safetensors.numpy.save(tensors, metadata={METADATA_KEY: document})


def test_pieces_may_be_written_in_any_order() -> None:
    numbers = {"a": np.arange(10, dtype=np.float32), "b": np.arange(6.0).reshape(2, 3)}
    file = io.BytesIO()
    writer = TensorWriter(file, "{}", {name: Spec(each.dtype, each.shape) for name, each in numbers.items()})
    writer.write("a", numbers["a"][7:], 7)
    writer.write("b", numbers["b"])
    writer.write("a", numbers["a"][:7])
    assert file.getvalue() == pack("{}", numbers)
    _, found = unpack(file.getvalue(), "file")
    assert all(np.array_equal(found[name], each) for name, each in numbers.items())


def test_pieces_are_views_of_the_whole() -> None:
    tensor = np.arange(2 * PIECE + 1, dtype=np.int8).reshape(1, -1)
    found = list(pieces(tensor))
    assert [piece.size for piece in found] == [PIECE, PIECE, 1]
    assert all(np.shares_memory(piece, tensor) for piece in found)
    assert np.array_equal(np.concatenate(found), tensor.ravel())
