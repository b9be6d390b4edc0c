"""What a block is: a part of a controller that remembers, with a name under which others read what it gives.

A block is a section of the file. Its sizes are checked when a bundle is read; a `Live` block is its memory in
jobs side by side. Nothing in it is code of the bundle; which blocks there are: `envs.controllers.controller`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from envs.controllers.parts import Read
from envs.values import Floats, Section

__all__ = ["Block", "Live"]

Sizes = Mapping[str, int]
"""Components of what can be read, by name."""


class Live(Protocol):
    """A block at work in n jobs that began at the same time."""

    def step(self, read: Read) -> Mapping[str, Floats]:
        """What it gives in this control step, by the names of its outputs, (n, components) each."""


class Block(Section):
    """Base of all kinds; see the module's docstring."""

    kind: str

    def outputs(self, sizes: Sizes) -> Sizes:
        """Components of what it gives; the name "" is the block's own, others follow it after a point."""
        raise NotImplementedError

    def wrong(self, sizes: Sizes, dt: float) -> Iterator[str]:
        """What does not fit, where these can be read and a control step takes `dt` seconds."""
        raise NotImplementedError

    def start(self, sizes: Sizes, dt: float, count: int) -> Live:
        """Its memory at the beginning of `count` jobs."""
        raise NotImplementedError
