"""One safetensors file with a JSON document in its header: the outer form of skills and deltas.

Knows sizes, dtypes and finiteness; what the document and the tensors mean is left to
`skills.skill` and `skills.delta`. See docs/format.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skills.errors import ArtefactError
from skills.files import Blob

__all__ = [
    "PIECE",
    "Shaped",
    "Spec",
    "TensorWriter",
    "Tensors",
    "check_finite",
    "check_shapes",
    "digest_of",
    "pack",
    "pieces",
    "unpack",
]

Tensors = dict[str, NDArray[Any]]

PIECE = 2**20
"""Numbers of a tensor that are looked at or written at a time; a multiple of every codec's block."""

HEADER_LIMIT = 1_000_000  # bytes of JSON; a manifest is a few kB
RANK_LIMIT = 8  # axes of a tensor; ours have two
NAME_LIMIT = 128  # characters of a tensor's name
METADATA_KEY = "zunft"
DTYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "I8": np.dtype(np.int8),
}
"""Every kind of number that our files have, by its safetensors name."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
ALIGNMENT = 8
HALF_INFINITY = 0x7C00
"""The bits of the least float16 that is no finite number."""


class Spec(NamedTuple):
    """Type and shape of a tensor in a file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class Shaped(Protocol):
    """An array, or anything else that stands for one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its axes."""


def digest_of(data: Blob) -> str:
    """Content address of a blob: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class TensorWriter:
    """Writes a file whose tensors come one piece after another, in any order; each number has to come once.

    Equal content gives equal bytes, those that the safetensors library writes: tensors with the widest
    numbers first, and among equals by name.
    """

    def __init__(self, file: BinaryIO, document: str, specs: Mapping[str, Spec]) -> None:
        """Write the header.

        Args:
            file: Empty, and able to seek.
            document: JSON that goes into the header.
            specs: Of every tensor, by name.
        """
        self._file = file
        self._specs = specs
        header: dict[str, Any] = {"__metadata__": {METADATA_KEY: document}}
        starts, end = {}, 0
        for name in sorted(specs, key=lambda name: (-specs[name].dtype.itemsize, name)):
            dtype, shape = specs[name]
            starts[name], end = end, end + prod(shape) * dtype.itemsize
            offsets = [starts[name], end]
            header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": offsets}
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        file.write(struct.pack("<Q", len(text)) + text)
        self._offsets = {name: 8 + len(text) + start for name, start in starts.items()}

    def write(self, name: str, numbers: NDArray[Any], start: int = 0) -> None:
        """Put numbers into the flattened tensor from number `start` on."""
        dtype = self._specs[name].dtype
        self._file.seek(self._offsets[name] + start * dtype.itemsize)
        self._file.write(np.ascontiguousarray(numbers, dtype).reshape(-1).view(np.uint8).data)


def pack(document: str, tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Tensors and their JSON document as one file in memory."""
    file = io.BytesIO()
    writer = TensorWriter(
        file, document, {name: Spec(each.dtype, each.shape) for name, each in tensors.items()}
    )
    for name, tensor in tensors.items():
        writer.write(name, tensor)
    return file.getvalue()


def unpack(data: Blob, what: str) -> tuple[str, Tensors]:
    """Read a file written by `pack`; nothing is copied.

    Args:
        data: The whole file.
        what: Word for error messages, such as "skill" or "delta".

    Returns:
        The document, and the tensors as read-only views of `data` (copies where they are not aligned).

    Raises:
        ArtefactError: Not a safetensors file, truncated, or without our document.
    """
    header, body = _read_header(data, what)
    try:
        document = header.pop("__metadata__")[METADATA_KEY]
        tensors = _view_tensors(header, body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"the {what} is damaged or truncated ({error!s:.200}).", remedy="Send it again whole."
        ) from error
    if not isinstance(document, str):
        raise _no_such_file(data, what)
    return document, tensors


def _read_header(data: Blob, what: str) -> tuple[dict[str, Any], memoryview]:
    """The header, which is a JSON object, and the bytes after it."""
    if len(data) < 8:
        raise _no_such_file(data, what)
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(HEADER_LIMIT, len(data) - 8):
        raise _no_such_file(data, what)
    try:
        header = json.loads(str(data[8 : 8 + length], "utf-8"))
    except (ValueError, RecursionError) as error:
        raise _no_such_file(data, what) from error
    if not isinstance(header, dict):
        raise _no_such_file(data, what)
    return header, memoryview(data)[8 + length :]


def _view_tensors(header: dict[str, Any], body: memoryview) -> Tensors:
    """Tensors as the header describes them; together they are the whole body, without gap or overlap."""
    tensors: Tensors = {}
    end = 0
    for start, stop, name in sorted((*_place(name, header[name], len(body)), name) for name in header):
        dtype, shape = DTYPES[header[name]["dtype"]], header[name]["shape"]
        if start != end or stop - start != prod(shape) * dtype.itemsize:
            msg = f"{name} is not where the header says"
            raise ValueError(msg)
        tensors[name] = np.require(np.frombuffer(body[start:stop], dtype).reshape(shape), requirements="A")
        end = stop
    if end != len(body):
        msg = f"{len(body) - end} bytes too many"
        raise ValueError(msg)
    return tensors


def _place(name: str, entry: dict[str, Any], size: int) -> tuple[int, int]:
    """Where a tensor begins and ends in a body of `size` bytes.

    Nothing is computed with numbers, compared or repeated to anybody before it is known to be small: a header
    of a megabyte can hold numbers and ranks that would keep a processor busy for minutes.
    """
    start, stop = entry["data_offsets"]
    shape = entry["shape"]
    if not (name.isascii() and name.isprintable() and len(name) <= NAME_LIMIT):
        msg = "a tensor's name is not plain"
        raise ValueError(msg)
    if type(shape) is not list or len(shape) > RANK_LIMIT:
        msg = f"{name} has no shape"
        raise ValueError(msg)
    if not all(type(number) is int and 0 <= number <= size for number in (*shape, start, stop)):
        msg = f"{name} is not where the header says"
        raise ValueError(msg)
    return start, stop


def _no_such_file(data: Blob, what: str) -> ArtefactError:
    return ArtefactError(
        f"this is not a {what}: {len(data)} bytes that do not begin with a Zunft header.",
        remedy=f"Send a file made by Zunft's own {what} writer (docs/format.md).",
    )


def pieces(tensor: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """A tensor's numbers in C order, `PIECE` at a time: views, where it is contiguous."""
    flat = tensor.reshape(-1)
    return (flat[start : start + PIECE] for start in range(0, flat.size, PIECE))


def check_shapes(tensors: Mapping[str, Shaped], shapes: Mapping[str, tuple[int, ...]], what: str) -> None:
    """Hold tensors to names and shapes.

    Raises:
        ArtefactError: A tensor is missing, unknown, or has another shape.
    """
    for name in shapes.keys() - tensors.keys():
        raise ArtefactError(f"the {what} lacks this tensor.", where=name, code="wrong_shape")
    for name in tensors.keys() - shapes.keys():
        raise ArtefactError(
            f"the {what} has a tensor that the network does not know.", where=name, code="wrong_shape"
        )
    for name, shape in shapes.items():
        if tensors[name].shape != tuple(shape):
            raise ArtefactError(
                f"the {what}'s tensor has shape {tensors[name].shape} instead of {tuple(shape)}.",
                where=name,
                remedy="Train from the base that the round names.",
                code="wrong_shape",
            )


def check_finite(tensors: Mapping[str, NDArray[Any]], what: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        ArtefactError: Names the first tensor with a non-finite number.
    """
    for name, tensor in tensors.items():
        if not all(map(_is_finite, pieces(tensor))):
            raise ArtefactError(
                f"the {what} has NaN or infinite numbers.",
                where=name,
                remedy="Training diverged: lower the learning rate and train again.",
                code="not_finite",
            )


def _is_finite(numbers: NDArray[Any]) -> bool:
    if numbers.dtype == np.float16:  # the bits tell it eight times as fast: an exponent of ones is no number
        return bool((numbers.view(np.uint16) & 0x7FFF).max(initial=0) < HALF_INFINITY)
    return bool(np.isfinite(numbers).all())
