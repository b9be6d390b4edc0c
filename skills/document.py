"""What every part of a manifest is: immutable, and keeping what it does not know.

What the parts are is left to `skills.manifest` and `skills.networks`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Document", "Parameters"]

Parameters = dict[str, tuple[int, ...]]
"""Tensor name to shape, in the order in which a network lists its layers."""


class Document(BaseModel):
    """Immutable, and keeps fields it does not know so that a newer writer's file survives."""

    model_config = ConfigDict(frozen=True, extra="allow")
