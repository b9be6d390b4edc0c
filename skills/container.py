"""One safetensors file with a JSON document in its header: the outer form of skills and deltas.

Knows sizes, dtypes and finiteness; what the document and the tensors mean is left to
`skills.skill` and `skills.delta`. See docs/format.md.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from skills.errors import ArtefactError

__all__ = ["Tensors", "check_finite", "check_shapes", "digest_of", "pack", "unpack"]

Tensors = dict[str, NDArray[Any]]

HEADER_LIMIT = 1_000_000  # bytes of JSON; a manifest is a few kB
METADATA_KEY = "zunft"


def digest_of(data: bytes) -> str:
    """Content address of a blob: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def pack(document: str, tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Write tensors and their JSON document as one safetensors file; equal input, equal bytes."""
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return safetensors.numpy.save(contiguous, metadata={METADATA_KEY: document})


def unpack(data: bytes, what: str) -> tuple[str, Tensors]:
    """Read a file written by `pack`.

    Args:
        data: The whole file.
        what: Word for error messages, such as "skill" or "delta".

    Raises:
        ArtefactError: Not a safetensors file, truncated, or without our document.
    """
    document = _read_document(data, what)
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ArtefactError(
            f"the {what} is damaged or truncated ({error}).", remedy="Send it again whole."
        ) from error
    return document, tensors


def _read_document(data: bytes, what: str) -> str:
    refusal = ArtefactError(
        f"this is not a {what}: {len(data)} bytes that do not begin with a Zunft header.",
        remedy=f"Send a file made by Zunft's own {what} writer (docs/format.md).",
    )
    if len(data) < 8:
        raise refusal
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(HEADER_LIMIT, len(data) - 8):
        raise refusal
    try:
        document = json.loads(data[8 : 8 + length])["__metadata__"][METADATA_KEY]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise refusal from error
    if not isinstance(document, str):
        raise refusal
    return document


def check_shapes(
    tensors: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]], what: str
) -> None:
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
        if not np.isfinite(tensor).all():
            raise ArtefactError(
                f"the {what} has NaN or infinite numbers.",
                where=name,
                remedy="Training diverged: lower the learning rate and train again.",
                code="not_finite",
            )
