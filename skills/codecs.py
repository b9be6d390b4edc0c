"""Codecs: how one delta tensor becomes arrays in a file and back, with a stated error bound.

    raw    float64, exact
    fp16   float16, relative error 2**-11, absolute 2**-25 near zero
    int8   blocks of 256 numbers share a float32 scale, absolute error scale / 2

A codec name may end in `+zstd`: the whole file is then one zstd frame. Which tensors a delta has
and who may send it is left to `skills.delta` and the hub.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from skills.container import PIECE, Spec, pieces
from skills.errors import CodecError
from skills.files import Blob

__all__ = [
    "BLOCK",
    "CODECS",
    "Codec",
    "Encoded",
    "Quantised",
    "compress_file",
    "decode",
    "decoded_pieces",
    "decompress",
    "decompress_file",
    "is_compressed",
    "parse_codec",
]

BLOCK = 256
"""Consecutive numbers of a quantised tensor that share a scale."""

Parts = dict[str, NDArray[Any]]
"""What one tensor becomes: suffix to array; the suffix is "" for the numbers themselves."""

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BYTES_AT_A_TIME = 2**20
ZSTD_WINDOW_LIMIT = 2**27  # bytes a hostile frame may make us hold


@dataclass(frozen=True, eq=False)
class Quantised:
    """A tensor in int8 blocks: number i of the flattened tensor is `codes[i] * scales[i // BLOCK]`.

    Attributes:
        codes: int8, of the tensor's shape.
        scales: float32, one for each block of the flattened tensor.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.codes.shape

    def decode(self) -> NDArray[np.float64]:
        """The numbers."""
        scales = np.repeat(self.scales.astype(np.float64), BLOCK)[: self.codes.size]
        return (self.codes.ravel() * scales).reshape(self.shape)

    def pieces(self) -> Iterator[Quantised]:
        """The flattened tensor, `PIECE` numbers at a time."""
        flat = self.codes.reshape(-1)
        for start in range(0, flat.size, PIECE):
            scales = self.scales[start // BLOCK : (start + PIECE) // BLOCK]
            yield Quantised(flat[start : start + PIECE], scales)


Encoded = NDArray[np.float16] | NDArray[np.float64] | Quantised
"""One tensor as it lies in a file."""


class Codec(Protocol):
    """Both directions for one tensor. `|decode(open(encode(x))) - x| <= bound(x)`, element by element.

    A tensor may be encoded in pieces of whole blocks: the arrays of all pieces, one after another, are those
    of the flattened tensor.
    """

    def specs(self, shape: tuple[int, ...]) -> dict[str, Spec]:
        """Type and shape of each array that a tensor of this shape becomes, by suffix."""

    def encode(self, tensor: NDArray[np.float64]) -> Parts:
        """Arrays to store; raises CodecError where the bound cannot be kept."""

    def open(self, parts: Parts, shape: tuple[int, ...]) -> Encoded:
        """The tensor, not expanded; raises CodecError when parts do not belong to `shape`."""

    def bound(self, tensor: NDArray[np.float64]) -> NDArray[np.float64]:
        """Largest absolute error of each element, same shape."""


class Raw:
    """Float64 as it is."""

    def specs(self, shape: tuple[int, ...]) -> dict[str, Spec]:
        return {"": Spec(np.dtype(np.float64), shape)}

    def encode(self, tensor: NDArray[np.float64]) -> Parts:
        return {"": tensor}

    def open(self, parts: Parts, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return _expect(parts, "", self.specs(shape))

    def bound(self, tensor: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.zeros_like(tensor)


class Half:
    """IEEE 754 binary16, rounded to nearest even."""

    def specs(self, shape: tuple[int, ...]) -> dict[str, Spec]:
        return {"": Spec(np.dtype(np.float16), shape)}

    def encode(self, tensor: NDArray[np.float64]) -> Parts:
        if np.abs(tensor).max(initial=0.0) > np.finfo(np.float16).max:
            raise CodecError("a number is beyond float16's 65504.", remedy="Clip the delta or use codec raw.")
        return {"": tensor.astype(np.float16)}

    def open(self, parts: Parts, shape: tuple[int, ...]) -> NDArray[np.float16]:
        return _expect(parts, "", self.specs(shape))

    def bound(self, tensor: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(tensor) * 2.0**-11 + 2.0**-25


class Int8Blocks:
    """Symmetric linear quantisation: `BLOCK` consecutive numbers share one float32 scale."""

    def specs(self, shape: tuple[int, ...]) -> dict[str, Spec]:
        blocks = -(-prod(shape) // BLOCK)
        return {"": Spec(np.dtype(np.int8), shape), ".scale": Spec(np.dtype(np.float32), (blocks,))}

    def encode(self, tensor: NDArray[np.float64]) -> Parts:
        scales = self._scales(tensor)
        codes = np.rint(self._blocks(tensor) / np.where(scales > 0, scales, 1)[:, None])
        return {"": codes.astype(np.int8).ravel()[: tensor.size].reshape(tensor.shape), ".scale": scales}

    def open(self, parts: Parts, shape: tuple[int, ...]) -> Quantised:
        codes = _expect(parts, "", self.specs(shape))
        scales = _expect(parts, ".scale", self.specs(shape))
        if not np.isfinite(scales).all():
            raise CodecError("a block's scale is NaN or infinite.", where=".scale", code="not_finite")
        return Quantised(codes, scales)

    def bound(self, tensor: NDArray[np.float64]) -> NDArray[np.float64]:
        half = np.repeat(self._scales(tensor).astype(np.float64) / 2, BLOCK)[: tensor.size]
        return half.reshape(tensor.shape) * (1 + 2.0**-40)

    def _blocks(self, tensor: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.zeros(-(-tensor.size // BLOCK) * BLOCK)
        padded[: tensor.size] = tensor.ravel()
        return padded.reshape(-1, BLOCK)

    def _scales(self, tensor: NDArray[np.float64]) -> NDArray[np.float32]:
        peak = np.abs(self._blocks(tensor)).max(axis=1, initial=0.0)
        if peak.max(initial=0.0) > np.finfo(np.float32).max:
            raise CodecError("a number is beyond float32.", remedy="Clip the delta or use codec raw.")
        scale = (peak / 127).astype(np.float32)
        # Rounded up, so that the largest number never falls outside -127..127.
        return np.where(peak > 0, np.nextafter(scale, np.float32(np.inf)), np.float32(0))


CODECS: dict[str, Codec] = {"fp16": Half(), "int8": Int8Blocks(), "raw": Raw()}


def decode(tensor: Encoded) -> NDArray[np.float64]:
    """The numbers of one tensor, in an array of their own."""
    return tensor.decode() if isinstance(tensor, Quantised) else tensor.astype(np.float64)


def decoded_pieces(tensor: Encoded) -> Iterator[NDArray[np.float64]]:
    """The numbers of one tensor in C order, `PIECE` at a time."""
    parts = tensor.pieces() if isinstance(tensor, Quantised) else pieces(tensor)
    return (decode(part) for part in parts)


def parse_codec(name: str) -> tuple[Codec, bool]:
    """The codec of a name such as `int8+zstd`, and whether the file is compressed.

    Raises:
        CodecError: Unknown name.
    """
    plain = name.removesuffix("+zstd")
    if plain not in CODECS:
        known = ", ".join(CODECS)
        raise CodecError(
            f"unknown codec {name!r}.", where="codec", remedy=f"Use one of {known}, or NAME+zstd."
        )
    return CODECS[plain], plain != name


def compress_file(source: BinaryIO, target: BinaryIO) -> None:
    """One zstd frame of a whole file."""
    import zstandard  # noqa: PLC0415 - of the extras: who only runs skills packs no deltas

    zstandard.ZstdCompressor(level=3).copy_stream(source, target)


def decompress(data: Blob, limit: int) -> Blob:
    """Undo `compress_file` where `data` is a zstd frame, else return it as it is.

    Raises:
        CodecError: Damaged, or more than `limit` bytes when unpacked; never holds more than that.
    """
    if is_compressed(data):
        unpacked = io.BytesIO()
        decompress_file(io.BytesIO(data), unpacked, limit)
        return unpacked.getbuffer().toreadonly()
    if len(data) > limit:
        raise _too_large(limit)
    return data


def decompress_file(source: BinaryIO, target: BinaryIO, limit: int) -> None:
    """Undo `compress_file` from one file to another, a piece at a time.

    Raises:
        CodecError: Damaged, or more than `limit` bytes when unpacked; never writes more than that.
    """
    import zstandard  # noqa: PLC0415 - of the extras

    reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_LIMIT).stream_reader(source)
    left = limit
    try:
        while piece := reader.read(BYTES_AT_A_TIME):
            left -= len(piece)
            if left < 0:
                raise _too_large(limit)
            target.write(piece)
    except zstandard.ZstdError as error:
        raise CodecError(f"damaged zstd frame ({error}).", remedy="Send the file again.") from error


def is_compressed(start: Blob) -> bool:
    """Whether a file that begins so is a zstd frame."""
    return start[: len(ZSTD_MAGIC)] == ZSTD_MAGIC


def _too_large(limit: int) -> CodecError:
    return CodecError(f"more than {limit} bytes when unpacked.", remedy="Send a delta of this skill's size.")


def _expect(parts: Parts, suffix: str, specs: dict[str, Spec]) -> NDArray[Any]:
    part, (dtype, shape) = parts.get(suffix), specs[suffix]
    if part is None or part.shape != tuple(shape) or part.dtype != dtype:
        found = "nothing" if part is None else f"{part.dtype}{part.shape}"
        raise CodecError(
            f"found {found} instead of {dtype}{tuple(shape)}.",
            where=suffix or "tensor",
            remedy="Encode the delta against the base that the round names.",
            code="wrong_shape",
        )
    return part
