"""Updates to merge, random and of awkward shapes, in every encoding; and settings that each rule can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.codecs import CODECS, Quantised

__all__ = [
    "ENCODINGS",
    "ROBUST",
    "SHAPES",
    "Update",
    "encoded",
    "largest_settings",
    "matrix_updates",
    "quantised",
    "random_updates",
]

Update = Mapping[str, NDArray[Any] | Quantised]

SHAPES: dict[str, tuple[int, ...]] = {
    "actor.0.weight": (7, 5),
    "scalar": (),
    "empty": (0, 3),
    "actor.0.bias": (301,),  # more than one block of a quantised tensor
    "gain": (1,),
}
ENCODINGS = ("float16", "float32", "float64", "mixed", "int8", "strided", "big-endian", "read-only")
ROBUST = (
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "bulyan",
    "geometric-median",
    "centred-clipping",
    "mda",
)


def random_updates(
    rng: np.random.Generator, count: int, shapes: Mapping[str, tuple[int, ...]] = SHAPES
) -> list[dict[str, NDArray[np.float64]]]:
    """Normal numbers around a common direction; float64."""
    common = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return [
        {name: np.asarray(part + rng.standard_normal(part.shape)) for name, part in common.items()}
        for _ in range(count)
    ]


def matrix_updates(rows: NDArray[Any]) -> list[dict[str, NDArray[Any]]]:
    """Each row as an update of one tensor."""
    return [{"w": np.array(row)} for row in rows]


def encoded(updates: Sequence[Mapping[str, NDArray[np.float64]]], encoding: str) -> list[Update]:
    """The updates as `encoding` holds them, rounded where it must."""
    return [
        {name: _encode(tensor, encoding, number) for name, tensor in update.items()}
        for number, update in enumerate(updates)
    ]


def quantised(tensor: NDArray[np.float64]) -> Quantised:
    """As a robot sends it with codec int8."""
    codec = CODECS["int8"]
    found = codec.open(codec.encode(tensor), tensor.shape)
    assert isinstance(found, Quantised)
    return found


def largest_settings(rule: str, count: int) -> dict[str, Any] | None:
    """Options with as many bad robots as the rule takes of `count`; None where `count` is too few for any."""
    least, step = {"krum": (3, 2), "multi-krum": (3, 2), "bulyan": (3, 4)}.get(rule, (1, 2))
    if count < least:
        return None
    bad = (count - least) // step
    if rule == "mda":
        return {"byzantine": min(bad, 12)}
    if rule == "trimmed-mean":
        return {"trim": bad / count, "byzantine": bad}
    return {"byzantine": bad} if rule in ROBUST else {}


def _encode(tensor: NDArray[np.float64], encoding: str, number: int) -> NDArray[Any] | Quantised:
    match encoding:
        case "mixed":
            return _encode(tensor, ("float16", "float64", "int8", "float32")[number % 4], number)
        case "int8":
            return quantised(tensor)
        case "strided":
            return np.repeat(tensor[..., None], 2, axis=-1)[..., 0].astype(np.float32)
        case "big-endian":
            return tensor.astype(">f4")
        case "read-only":
            found = tensor.astype(np.float32)
            found.flags.writeable = False
            return found
        case _:
            return tensor.astype(encoding)
