"""What a term is: a named kind of quantity that a `task.toml` may ask for, and how a new one is added.

A term is a pydantic model of its own section in the file. `outputs` says what it computes, `compile`
gives the thing that computes it for all simulations at once, into columns of `envs.quantities`. A new kind
is a subclass, with a `kind` of its own, that an installed package names under the entry point
`zunft.terms`; `envs/terms/memory.py` has short examples. Which kinds there are: `envs.terms.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from envs.context import CompileContext

__all__ = [
    "Finite",
    "Floats",
    "Indices",
    "Key",
    "Live",
    "Output",
    "Outputs",
    "Positive",
    "Reference",
    "Term",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$")]
"""A quantity: `press`, or one of several that a term computes: `seam.error`."""


class Output(NamedTuple):
    """Components and unit of one quantity."""

    size: int
    unit: str


Outputs = Mapping[str, Output]
"""By name; the name "" is the quantity's own, others follow it after a point."""


class Live(Protocol):
    """A compiled term."""

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """New episodes begin in these copies; all draws come from `random`."""

    def update(self) -> None:
        """Write the outputs of all copies for this step, from columns that are already written."""


class Term(BaseModel):
    """Base of all kinds; see the module's docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str

    def outputs(self) -> Outputs:
        """What it computes."""
        raise NotImplementedError

    def references(self) -> tuple[str, ...]:
        """Quantities it reads; each must stand before it in the file or be the robot's own."""
        return ()

    def figures(self) -> tuple[str, ...]:
        """Figures of robots or jobs it reads."""
        return ()

    def compile(self, name: str, context: CompileContext) -> Live:
        """Make it ready for `context.count` simulations.

        Raises:
            ContractError: The scene lacks a site or sensor, or a figure is unknown.
        """
        raise NotImplementedError
