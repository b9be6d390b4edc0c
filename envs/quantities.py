"""One array for all quantities of all simulations, with names for its columns.

Terms write their columns, everything else (observation, reward, success) takes some of them: so a
bundle costs a few numpy calls however many quantities it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from envs.values import Floats, Indices, Output
from skills.errors import ContractError

__all__ = ["Quantities"]


class Quantities:
    """`values` (count, columns), rows are simulations; a quantity's columns lie side by side.

    Args:
        count: Simulations.
        outputs: The quantities in order.
    """

    def __init__(self, count: int, outputs: Mapping[str, Output]) -> None:
        self.outputs = dict(outputs)
        ends = np.cumsum([output.size for output in outputs.values()])
        self._columns = {
            name: slice(int(end) - output.size, int(end))
            for (name, output), end in zip(outputs.items(), ends, strict=True)
        }
        self.values: Floats = np.zeros((count, int(ends[-1])))

    def view(self, name: str, last: str | None = None) -> Floats:
        """A quantity's own columns (count, size), to read or write in place; or all up to another's.

        Raises:
            ContractError: There is no such quantity.
        """
        return self.values[:, self._slice(name).start : self._slice(last or name).stop]

    def columns(self, name: str, part: tuple[int, int] | None = None) -> Indices:
        """Numbers of a quantity's columns, or of some of its components."""
        begin = self._slice(name)
        found = np.arange(begin.start, begin.stop)
        return found[slice(*part)] if part else found

    def lengths(self, names: Iterable[str]) -> Lengths:
        """A reader of these quantities, one number each; those of several components by their length."""
        return Lengths(self, tuple(names))

    def _slice(self, name: str) -> slice:
        if name not in self._columns:
            raise ContractError(
                f"there is no quantity {name!r}.",
                where="quantities",
                remedy=f"Known are {', '.join(self._columns)}.",
            )
        return self._columns[name]


class Lengths:
    """Reads quantities as one number each, in one array (count, quantities)."""

    def __init__(self, quantities: Quantities, names: tuple[str, ...]) -> None:
        self._values = quantities.values
        self._first = np.array([quantities.columns(name)[0] for name in names], dtype=np.int64)
        self._vectors = [
            (place, quantities.view(name))
            for place, name in enumerate(names)
            if quantities.outputs[name].size > 1
        ]

    def read(self) -> Floats:
        """The numbers now."""
        found: Floats = self._values.take(self._first, axis=1)
        for place, vector in self._vectors:
            found[:, place] = np.sqrt(np.einsum("ij,ij->i", vector, vector))
        return found
