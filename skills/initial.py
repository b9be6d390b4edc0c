"""The first version of a skill: an untrained network, made from a seed without torch.

How its weights are drawn is its kind's (`skills.networks`).
"""

from __future__ import annotations

import numpy as np

from skills.manifest import Manifest
from skills.skill import Skill

__all__ = ["initial_skill"]


def initial_skill(manifest: Manifest, *, seed: int, log_std: float = -0.7, first_layer: float = 0.1) -> Skill:
    """An untrained skill; equal seeds give equal bits.

    Args:
        manifest: Names the network.
        seed: Of the one random generator.
        log_std: Initial log standard deviation of the exploration.
        first_layer: Factor on the layer that reads the observation, for kinds that have one.
    """
    rng = np.random.default_rng(seed)
    return Skill(manifest, manifest.network.initial(rng, log_std=log_std, first_layer=first_layer))
