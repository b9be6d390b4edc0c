"""What a term is: a named kind of quantity that a `task.toml` may ask for, and how a new one is added.

A term is a pydantic model of its own section in the file. `outputs` says what it computes, `compile`
gives the thing that computes it for all simulations at once, into columns of `envs.quantities`. A new kind
is a subclass, with a `kind` of its own, that an installed package names under the entry point
`zunft.terms`; `envs/terms/memory.py` has short examples. Which kinds there are: `envs.terms.registry`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from envs.context import CompileContext
from envs.values import Indices, Outputs, Section

__all__ = ["Live", "Term"]


class Live(Protocol):
    """A compiled term."""

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """New episodes begin in these copies; all draws come from `random`."""

    def update(self) -> None:
        """Write the outputs of all copies for this step, from columns that are already written."""


class Term(Section):
    """Base of all kinds; see the module's docstring."""

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
