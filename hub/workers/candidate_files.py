"""The files that a merge makes, written piece by piece: the next version, and the server optimiser's state.

What robots' deltas merge to, part by part, comes from `hub.workers.merge_round`; the arithmetic of a step is
`hub.merging.optimiser`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import hypot, prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hub.merging.low_rank import Fold
from hub.merging.optimiser import Optimiser
from skills.bounds import bounded
from skills.container import PIECE, Spec, Tensors, TensorWriter, check_shapes, unpack
from skills.delta import norm
from skills.document import Parameters
from skills.files import Blob
from skills.manifest import Manifest

__all__ = ["CandidateFiles"]

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


class CandidateFiles:
    """Two files, into which each tensor goes once."""

    def __init__(
        self,
        skill: BinaryIO,
        state: BinaryIO,
        manifest: Manifest,
        base: Tensors,
        optimiser: Optimiser,
        before: Blob | None,
        stepping: Parameters,
    ) -> None:
        """Write the headers.

        Args:
            skill: An empty file for the version.
            state: An empty file for the optimiser's state.
            manifest: The version's.
            base: What is added to; what it lacks is zero.
            optimiser: Makes steps.
            before: Its state until now; that of another kind is left aside.
            stepping: The tensors that it makes steps for.

        Raises:
            ArtefactError: The state is of another network.
        """
        self._shapes = manifest.shapes()
        self._base = base
        self._optimiser = optimiser
        self._before = _state_for(optimiser, before, stepping)
        self._left = dict.fromkeys(self._shapes)
        weights = {name: Spec(SINGLE, shape) for name, shape in self._shapes.items()}
        self._weights = TensorWriter(skill, manifest.model_dump_json(), weights)
        kept = {each: Spec(DOUBLE, shape) for n, shape in stepping.items() for each in optimiser.moments(n)}
        self._moments = TensorWriter(state, optimiser.kind, kept)

    def step(self, mean: Tensors) -> float:
        """Let the optimiser make a step of merged deltas; its length."""
        lengths = []
        for name, here in self._pieces(mean):
            past = _cut(self._before, self._optimiser.moments(name), here)
            after, step = self._optimiser.update(past or None, _cut(mean, [name], here))
            for moment, numbers in after.items():
                self._moments.write(moment, numbers, here.start)
            self._write(name, here, step[name])
            lengths.append(norm(step))
        return hypot(*lengths)

    def move(self, mean: Tensors) -> float:
        """Add merged deltas as they are; their length."""
        for name, here in self._pieces(mean):
            self._write(name, here, _cut(mean, [name], here)[name].astype(np.float64))
        return norm(mean)

    def fold(self, folds: Mapping[str, Fold], step: float) -> float:
        """Add so many times the merged matrices, a piece at a time; their length."""
        lengths = []
        for name, here in self._pieces(folds):
            change = step * folds[name].numbers(here)
            self._write(name, here, change)
            lengths.append(norm({name: change}))
        return hypot(*lengths)

    def keep_rest(self) -> None:
        """Whatever nobody sent stays the base's."""
        for name, here in self._pieces(list(self._left)):
            self._write(name, here, np.zeros(1))

    def _pieces(self, names: Iterable[str]) -> Iterator[tuple[str, slice]]:
        for name in names:
            del self._left[name]
            size = prod(self._shapes[name])
            for start in range(0, size, PIECE):
                yield name, slice(start, min(start + PIECE, size))

    def _write(self, name: str, here: slice, change: NDArray[Any]) -> None:
        base = _cut(self._base, [name], here).get(name, np.zeros(1, SINGLE))
        self._weights.write(name, bounded(name, base + change), here.start)


def _state_for(optimiser: Optimiser, data: Blob | None, shapes: Parameters) -> Tensors:
    """The state, as far as it is one of this kind of optimiser and of these tensors."""
    if data is None:
        return {}
    kind, state = unpack(data, "optimiser state")
    if kind != optimiser.kind:
        return {}
    # A campaign before this one may have left the critic at home, or not.
    known = {name: shape for name, shape in shapes.items() if optimiser.moments(name)[0] in state}
    expected = {moment: shape for name, shape in known.items() for moment in optimiser.moments(name)}
    found = {name: state[name] for name in expected if name in state}
    check_shapes(found, expected, "optimiser state")
    return found


def _cut(tensors: Tensors, names: Sequence[str], here: slice) -> Tensors:
    return {name: tensors[name].reshape(-1)[here] for name in names if name in tensors}
