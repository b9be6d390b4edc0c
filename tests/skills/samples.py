"""A small skill for tests: 5 observations, 2 actions, 8x8 network; and a key in two spellings."""

from __future__ import annotations

from skills.initial import initial_skill
from skills.manifest import Channel, Contract, Manifest
from skills.networks.mlp import Mlp
from skills.skill import Skill


def small_contract() -> Contract:
    return Contract(
        observation=(
            Channel(name="error", size=3, unit="m", scale=0.01),
            Channel(name="speed", size=2, unit="m/s", scale=1),
        ),
        action=(Channel(name="correction", size=2, unit="m/s", scale=0.1),),
        control_hz=50,
    )


def small_manifest(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "name": "weld-seam",
        "version": 1,
        "task": "weld-seam",
        "contract": small_contract(),
        "network": Mlp(inputs=5, outputs=2, hidden=(8, 8)),
        "origin": "initial",
    }
    return Manifest.model_validate(fields | changes)


def small_skill(seed: int = 0) -> Skill:
    return initial_skill(small_manifest(), seed=seed)


def other_spelling(text: str) -> str:
    """Another text of a public key's 32 bytes: two bits of the last digit are read by nobody."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-2] + digits[digits.index(text[-2]) + 1] + "="
