"""The updates of one merge, side by side and checked, and how they are cut into chunks.

Nothing is copied: a stack holds references to arrays, which may be memory-mapped files or still
quantised. Reading the numbers is the work of the engines (`cpu`, `device`, `cluster`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.merging.errors import MergeError
from skills.codecs import BLOCK, Quantised
from skills.container import check_shapes
from skills.document import Parameters
from skills.errors import ArtefactError

__all__ = ["CHUNK", "Chunk", "Entry", "Stack", "Update", "decode", "find_bad_number"]

CHUNK = 2**18
"""Numbers of a chunk. Sums run within chunks, then over chunks: no result depends on who did which."""

FLOATS = (np.float16, np.float32, np.float64)

Entry = NDArray[Any] | Quantised
"""One tensor of one update: float16, float32 or float64 numbers, or int8 blocks with their scales."""

Update = Mapping[str, Entry]


@dataclass(frozen=True)
class Chunk:
    """Numbers `start` to `stop` of the flattened tensor `name`, itself at `offset` in the whole vector."""

    name: str
    start: int
    stop: int
    offset: int


@dataclass(frozen=True)
class Stack:
    """Updates with the same tensors; `Stack.of` makes one from mappings.

    Attributes:
        shapes: Name and shape of every tensor, in the first update's order.
        columns: Each tensor of all updates, flattened.
        offsets: Where each tensor starts in the whole vector.
        dtype: Of what a merge of them returns: float64 if any input is, else float32.
    """

    shapes: dict[str, tuple[int, ...]]
    columns: dict[str, list[Entry]]
    offsets: dict[str, int]
    dtype: type[np.float32 | np.float64]

    @classmethod
    def of(cls, updates: Sequence[Update], shapes: Parameters | None = None) -> Stack:
        """Check names, shapes and types.

        Args:
            updates: Mappings with the same names and shapes.
            shapes: What they must be; None: what the first one is.

        Raises:
            MergeError: No updates.
            ArtefactError: Names, shapes or types differ.
        """
        if not updates:
            raise MergeError("there is no update to merge.", where="updates", remedy="Wait for the quorum.")
        first = {name: np.shape(entry) for name, entry in updates[0].items()} if shapes is None else shapes
        rows = [_checked(update, first, number) for number, update in enumerate(updates)]
        wide = any(_is_wide(entry) for row in rows for entry in row.values())
        starts = accumulate((prod(shape) for shape in first.values()), initial=0)
        return cls(
            shapes=dict(first),
            columns={name: [row[name] for row in rows] for name in first},
            offsets=dict(zip(first, starts, strict=False)),
            dtype=np.float64 if wide else np.float32,
        )

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)

    @property
    def size(self) -> int:
        """Numbers in one update."""
        return sum(prod(shape) for shape in self.shapes.values())

    def chunks(self) -> list[Chunk]:
        """All chunks in their fixed order."""
        return [
            Chunk(name, start, min(start + CHUNK, prod(shape)), self.offsets[name])
            for name, shape in self.shapes.items()
            for start in range(0, prod(shape), CHUNK)
        ]

    def part(self, chunks: Sequence[Chunk]) -> Stack:
        """These chunks as a stack of their own; chunk i is its tensor `str(i)`."""
        return Stack(
            shapes={str(i): (chunk.stop - chunk.start,) for i, chunk in enumerate(chunks)},
            columns={
                str(i): [_cut(entry, chunk) for entry in self.columns[chunk.name]]
                for i, chunk in enumerate(chunks)
            },
            offsets={str(i): chunk.offset + chunk.start for i, chunk in enumerate(chunks)},
            dtype=self.dtype,
        )


def decode(entry: Entry, start: int, stop: int) -> NDArray[np.float64]:
    """Numbers `start` to `stop` of a flattened entry; a chunk's start is a multiple of its blocks."""
    if not isinstance(entry, Quantised):
        return entry[start:stop].astype(np.float64)
    scales = entry.scales[start // BLOCK : -(-stop // BLOCK)].astype(np.float64)
    with np.errstate(invalid="ignore"):  # 0 times an infinite scale: whoever asked looks for it
        return np.asarray(entry.codes[start:stop] * np.repeat(scales, BLOCK)[: stop - start])


def find_bad_number(stack: Stack) -> ArtefactError | None:
    """The first NaN or infinite number of a stack as an error, None if all are finite."""
    for chunk in stack.chunks():
        for number, entry in enumerate(stack.columns[chunk.name]):
            if not np.isfinite(decode(entry, chunk.start, chunk.stop)).all():
                return ArtefactError(
                    f"update {number} has NaN or infinite numbers.",
                    where=chunk.name,
                    remedy="Leave this update out; its training diverged.",
                    code="not_finite",
                )
    return None


def _checked(update: Update, shapes: Parameters, number: int) -> dict[str, Entry]:
    for name, entry in update.items():
        if not (_is_sound_blocks(entry) if isinstance(entry, Quantised) else _is_floats(entry)):
            found = getattr(entry, "dtype", type(entry).__name__)
            raise ArtefactError(
                f"update {number} has {found} where float16, float32 or float64 numbers are merged.",
                where=name,
                remedy="Convert it with `.astype(numpy.float32)`.",
            )
    check_shapes(update, shapes, f"update {number}")
    return {name: _flat(update[name]) for name in shapes}


def _is_floats(entry: object) -> bool:
    return isinstance(entry, np.ndarray | np.generic) and entry.dtype.type in FLOATS


def _is_sound_blocks(entry: Quantised) -> bool:
    sizes_fit = entry.scales.shape == (-(-entry.codes.size // BLOCK),)
    return sizes_fit and entry.codes.dtype == np.int8 and entry.scales.dtype == np.float32


def _is_wide(entry: Entry) -> bool:
    return not isinstance(entry, Quantised) and entry.dtype == np.float64


def _cut(entry: Entry, chunk: Chunk) -> Entry:
    if not isinstance(entry, Quantised):
        return entry[chunk.start : chunk.stop]
    scales = entry.scales[chunk.start // BLOCK : -(-chunk.stop // BLOCK)]
    return Quantised(entry.codes[chunk.start : chunk.stop], scales)


def _flat(entry: Entry) -> Entry:
    if isinstance(entry, Quantised):
        return Quantised(_plain(entry.codes), _plain(entry.scales))
    return _plain(entry)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers as the kernels read them, one after another; copied only if they are not so."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if not flat.dtype.isnative:
        flat = flat.astype(flat.dtype.newbyteorder("="))
    return flat if flat.flags.aligned else flat.copy()
