"""What a task advises whoever trains for it: which network, and how it learns."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from envs.values import Section
from skills.messages.training import Algorithm, Ppo

__all__ = ["Training"]


class Training(Section):
    """Where training for this task begins, unless somebody says otherwise.

    Attributes:
        network: Kind and sizes, as `zunft skill new` takes them; docs/format.md names the kinds.
        learner: An algorithm with its knobs; docs/learning.md has them.
    """

    network: dict[str, Any] = Field(default={"kind": "mlp"}, max_length=16)
    learner: Algorithm = Ppo()
