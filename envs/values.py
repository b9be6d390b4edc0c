"""What tasks are made of, in types: arrays, numbers, names, and the sections of a `task.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "Finite",
    "Floats",
    "Indices",
    "Key",
    "Numbers",
    "Output",
    "Outputs",
    "Positive",
    "Reference",
    "Section",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Numbers = Finite | tuple[Finite, ...]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$")]
"""A quantity: `press`, or one of several that a term computes: `seam.error`."""


class Output(NamedTuple):
    """Components and unit of one quantity."""

    size: int
    unit: str


Outputs = Mapping[str, Output]
"""By name; the name "" is the quantity's own, others follow it after a point."""


class Section(BaseModel):
    """Base of all sections of a `task.toml`: nothing in it that is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
