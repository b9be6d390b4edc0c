"""The tables of docs/learning.md: learners with their knobs, and networks with their sizes."""

from __future__ import annotations

from typing import get_args

from skills.messages.training import Algorithm
from skills.networks.registry import known_networks
from tools.task_docs import DOCS, filled, section

__all__ = ["learning_page"]


def learning_page() -> str:
    """docs/learning.md with its tables made anew."""
    learners = get_args(get_args(Algorithm)[0])
    blocks = {
        "learners": "\n\n".join(
            section(each, f"`{each.model_fields['algorithm'].default}`") for each in learners
        ),
        "networks": "\n\n".join(section(each, f"`{kind}`") for kind, each in known_networks().items()),
    }
    return filled((DOCS / "learning.md").read_text(), blocks)
