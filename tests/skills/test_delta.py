"""Deltas and codecs: the laws of design.md, and what is refused."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from skills.codecs import CODECS, Quantised, decode, decoded_pieces, decompress, parse_codec
from skills.container import PIECE, pack, unpack
from skills.delta import (
    Delta,
    DeltaHeader,
    EncodedDelta,
    LazyTensors,
    apply,
    clip,
    norm,
    subtract,
    unpacked_limit,
)
from skills.errors import ArtefactError, CodecError
from tests.skills.samples import small_skill

SHAPES = small_skill().manifest.network.shapes()
BASE = small_skill().tensors
NAMES = ["raw", "fp16", "int8", "raw+zstd", "fp16+zstd", "int8+zstd"]

weights = hnp.arrays(np.float32, st.integers(1, 600), elements=st.floats(-(2.0**10), 2.0**10, width=32))
doubles = hnp.arrays(
    np.float64, hnp.array_shapes(max_dims=3, max_side=20), elements=st.floats(-60_000, 60_000)
)


def delta(codec: str = "raw", **changes: NDArray[Any]) -> Delta:
    header = DeltaHeader(base=small_skill().digest, round_id="r1", robot_id="ada", codec=codec, samples=100)
    return Delta(header, {**subtract(small_skill(1).tensors, BASE), **changes})


@given(tensor=doubles, name=st.sampled_from(sorted(CODECS)))
def test_decode_of_encode_is_within_the_stated_bound(tensor: NDArray[np.float64], name: str) -> None:
    codec = CODECS[name]
    restored = decode(codec.open(codec.encode(tensor), tensor.shape))
    assert (np.abs(restored - tensor) <= codec.bound(tensor)).all()


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-45, 1e-38, -1e-7, 65504.0])
@pytest.mark.parametrize("name", sorted(CODECS))
def test_bounds_hold_in_the_corners(name: str, value: float) -> None:
    codec, tensor = CODECS[name], np.array([value, -value / 3, 0.0])
    assert (np.abs(decode(codec.open(codec.encode(tensor), (3,))) - tensor) <= codec.bound(tensor)).all()


@given(
    pair=weights.flatmap(
        lambda a: st.tuples(
            st.just(a), hnp.arrays(np.float32, a.shape, elements=st.floats(-1024, 1024, width=32))
        )
    )
)
def test_base_plus_raw_delta_is_the_child_bit_for_bit(
    pair: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    base, child = pair
    assume(((np.abs(base) < 2.0**28 * np.abs(child)) | (child == 0)).all())
    codec = CODECS["raw"]
    difference = subtract({"w": child}, {"w": base})["w"]
    sent = decode(codec.open(codec.encode(difference), base.shape))
    restored = apply({"w": base}, {"w": sent})["w"]
    assert np.array_equal(restored, child)


@pytest.mark.parametrize("codec", NAMES)
def test_file_round_trip_keeps_header_and_numbers_within_bound(codec: str) -> None:
    sent = delta(codec)
    received = Delta.from_bytes(sent.to_bytes(), SHAPES)
    assert received.header == sent.header
    plain, _ = parse_codec(codec)
    for name, tensor in sent.tensors.items():
        assert (np.abs(received.tensors[name] - tensor) <= plain.bound(tensor)).all()


@pytest.mark.parametrize("codec", NAMES)
def test_an_opened_delta_has_the_numbers_of_the_decoded_one_and_copies_none(codec: str) -> None:
    data = delta(codec).to_bytes()
    opened, decoded = EncodedDelta.from_bytes(memoryview(data), SHAPES), Delta.from_bytes(data, SHAPES)
    assert opened.header == decoded.header
    for name, tensor in opened.tensors.items():
        assert np.array_equal(decode(tensor), decoded.tensors[name])
        assert isinstance(tensor, Quantised) == codec.startswith("int8")
        parts = (tensor.codes, tensor.scales) if isinstance(tensor, Quantised) else (tensor,)
        part: NDArray[Any]
        for part in parts:
            assert np.shares_memory(part, np.frombuffer(data, np.uint8)) == (not codec.endswith("zstd"))
            assert not part.flags.writeable


def test_codecs_are_as_small_as_they_say() -> None:
    big = {"w": np.random.default_rng(0).standard_normal(100_000)}
    header = delta().header
    size = {
        c: len(Delta(header.model_copy(update={"codec": c}), big).to_bytes()) / 100_000 for c in NAMES[:3]
    }
    assert size["raw"] == pytest.approx(8, abs=0.01)
    assert size["fp16"] == pytest.approx(2, abs=0.01)
    assert size["int8"] == pytest.approx(1 + 4 / 256, abs=0.01)


@given(data=st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises((ArtefactError, CodecError)):
        Delta.from_bytes(data, SHAPES)


@given(cut=st.integers(0, 100_000), codec=st.sampled_from(NAMES))
def test_every_truncation_is_refused(cut: int, codec: str) -> None:
    data = delta(codec).to_bytes()
    with pytest.raises((ArtefactError, CodecError)):
        Delta.from_bytes(data[: cut % len(data)], SHAPES)


@given(position=st.integers(0, 100_000), value=st.integers(0, 255), codec=st.sampled_from(NAMES))
def test_a_flipped_byte_never_crashes_the_decoder(position: int, value: int, codec: str) -> None:
    data = bytearray(delta(codec).to_bytes())
    data[position % len(data)] = value
    try:
        received = Delta.from_bytes(bytes(data), SHAPES)
    except (ArtefactError, CodecError):
        return
    assert all(np.isfinite(tensor).all() for tensor in received.tensors.values())


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F64", "shape": [2], "data_offsets": [8, 24]},  # a gap before it
        {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},  # bytes after it
        {"dtype": "F64", "shape": [3], "data_offsets": [0, 16]},
        {"dtype": "F64", "shape": [-2, -1], "data_offsets": [0, 16]},
        {"dtype": "F64", "shape": [2], "data_offsets": [0, 160]},
        {"dtype": "F64", "shape": [2.0], "data_offsets": [0, 16]},
        {"dtype": "F64", "shape": [True, 2], "data_offsets": [0, 16]},
        {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F64", "shape": 2, "data_offsets": [0, 16]},
        {"dtype": ["F64"], "shape": [2], "data_offsets": [0, 16]},
        {"shape": [2]},
        [],
    ],
)
def test_a_header_that_does_not_describe_its_bytes_is_refused(entry: object) -> None:
    document = delta().header.model_dump_json()
    text = json.dumps({"__metadata__": {"zunft": document}, "w": entry}).encode()
    with pytest.raises(ArtefactError, match="damaged or truncated"):
        unpack(struct.pack("<Q", len(text)) + text + bytes(24), "delta")


@given(shift=st.integers(0, 9))
def test_files_whose_writer_did_not_align_them_are_read(shift: int) -> None:
    numbers = np.arange(3.0)
    entry = {"dtype": "F64", "shape": [3], "data_offsets": [0, 24]}
    text = json.dumps({"__metadata__": {"zunft": "{}"}, "w": entry}).encode() + b" " * shift
    _, tensors = unpack(struct.pack("<Q", len(text)) + text + numbers.tobytes(), "delta")
    assert tensors["w"].flags.aligned
    assert np.array_equal(tensors["w"], numbers)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_numbers_are_refused_on_both_ends(bad: float) -> None:
    broken = delta(log_std=np.array([0.0, bad]))
    with pytest.raises(ArtefactError, match="log_std: the delta has NaN or infinite"):
        broken.to_bytes()
    data = pack(broken.header.model_dump_json(), broken.tensors)
    with pytest.raises(ArtefactError, match="log_std: the delta has NaN or infinite"):
        Delta.from_bytes(data, SHAPES)


def test_an_infinite_scale_is_refused() -> None:
    sent = delta("int8")
    parts = {n + s: p for n, t in sent.tensors.items() for s, p in CODECS["int8"].encode(t).items()}
    parts["log_std.scale"] = np.array([np.inf], np.float32)
    with pytest.raises(CodecError, match="NaN or infinite"):
        Delta.from_bytes(pack(sent.header.model_dump_json(), parts), SHAPES)


@pytest.mark.parametrize("codec", NAMES)
@pytest.mark.parametrize(
    "change", [{"log_std": np.zeros(3)}, {"extra": np.zeros(3)}, {"actor.0.weight": np.zeros((5, 8))}]
)
def test_wrong_tensors_are_refused(codec: str, change: dict[str, NDArray[Any]]) -> None:
    with pytest.raises((ArtefactError, CodecError)) as caught:
        Delta.from_bytes(delta(codec, **change).to_bytes(), SHAPES)
    assert caught.value.code == "wrong_shape"


def test_a_missing_tensor_is_refused() -> None:
    sent = delta()
    fewer = Delta(sent.header, {name: tensor for name, tensor in sent.tensors.items() if name != "log_std"})
    with pytest.raises(CodecError, match="found nothing"):
        Delta.from_bytes(fewer.to_bytes(), SHAPES)


def test_a_zip_bomb_is_refused_without_being_unpacked() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(CodecError, match="more than"):
        Delta.from_bytes(bomb, SHAPES)


def test_decompress_returns_plain_data_as_it_is_and_undoes_zstd() -> None:
    data = bytes(range(256)) * 10
    assert decompress(data, 2560) == data == decompress(zstandard.compress(data), 2560)
    with pytest.raises(CodecError):
        decompress(zstandard.compress(data), 2559)


def test_every_codec_fits_the_stated_limit() -> None:
    assert all(len(delta(codec).to_bytes()) <= unpacked_limit(SHAPES) for codec in NAMES)


@pytest.mark.parametrize("name", ["", "pickle", "raw+gzip", "zstd", "raw+", "raw+zstd+zstd"])
def test_unknown_codecs_are_refused(name: str) -> None:
    with pytest.raises(CodecError, match="unknown codec"):
        parse_codec(name)


def test_fp16_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(CodecError, match="65504"):
        delta("fp16", log_std=np.array([1e6, 0.0])).to_bytes()


@given(tensor=hnp.arrays(np.float64, 20, elements=st.floats(-1e300, 1e300)), limit=st.floats(1e-3, 1e3))
def test_clip_bounds_the_norm_and_keeps_small_deltas(tensor: NDArray[np.float64], limit: float) -> None:
    clipped = clip({"w": tensor}, limit)
    assert norm(clipped) <= limit * (1 + 1e-9)
    if norm({"w": tensor}) <= limit:
        assert np.array_equal(clipped["w"], tensor)


def test_norm_is_of_the_whole_vector_and_does_not_overflow() -> None:
    assert norm({"a": np.array([3.0]), "b": np.array([4.0])}) == 5.0
    assert norm({"a": np.array([3e300]), "b": np.array([4e300])}) == pytest.approx(5e300)
    assert norm({"a": np.zeros(2)}) == norm({}) == 0.0


@pytest.mark.parametrize("codec", NAMES)
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, 2 * PIECE + 300])
def test_tensors_longer_than_a_piece_are_the_same_in_pieces(codec: str, size: int) -> None:
    tensors = {"v": np.ones(3), "w": np.random.default_rng(0).standard_normal((size, 1))}
    header = delta().header.model_copy(update={"codec": codec})
    data = Delta(header, tensors).to_bytes()
    opened = EncodedDelta.from_bytes(data, tensors_shapes(tensors))
    whole = parse_codec(codec)[0]
    for name, tensor in tensors.items():
        expected = decode(whole.open(whole.encode(tensor), tensor.shape))
        assert np.array_equal(decode(opened.tensors[name]), expected)
        assert np.array_equal(np.concatenate(list(decoded_pieces(opened.tensors[name]))), expected.ravel())
    assert opened.norms()["network"] == pytest.approx(
        norm(Delta.from_bytes(data, tensors_shapes(tensors)).tensors)
    )


def tensors_shapes(tensors: dict[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def test_a_difference_is_computed_when_it_is_asked_for_and_never_kept() -> None:
    child = {name: tensor.copy() for name, tensor in BASE.items()}
    difference = clip(subtract(child, BASE), 1.0)
    child["log_std"] += 0.5
    assert np.allclose(difference["log_std"], 0.5)
    assert list(difference) == list(BASE)
    assert len(difference) == len(BASE)
    with pytest.raises(KeyError):
        difference["extra"]


def test_lazy_tensors_are_asked_for_one_after_another_while_they_are_written() -> None:
    asked: list[str] = []

    def compute(name: str) -> NDArray[np.float64]:
        asked.append(name)
        return np.ones(2)

    Delta(delta().header, LazyTensors(["a", "b"], compute)).to_bytes()
    assert asked == ["a", "b"] * 2  # for the header, then for the numbers
