"""The first version of a skill: an untrained network, made from a seed without torch.

Orthogonal weights (Saxe et al. 2014) with gain sqrt(2), .01 on the action head so that the first
policy is the nominal feed, and 1 on the value head: the usual start for PPO (Andrychowicz et al. 2021).
"""

from __future__ import annotations

import numpy as np

from skills.container import Tensors
from skills.manifest import Manifest, Network
from skills.skill import Skill

__all__ = ["initial_skill", "initial_tensors"]


def initial_skill(manifest: Manifest, *, seed: int, log_std: float = -0.7, first_layer: float = 0.1) -> Skill:
    """An untrained skill; see `initial_tensors`."""
    return Skill(
        manifest, initial_tensors(manifest.network, seed=seed, log_std=log_std, first_layer=first_layer)
    )


def initial_tensors(network: Network, *, seed: int, log_std: float, first_layer: float) -> Tensors:
    """Weights of an untrained network; equal seeds give equal bits.

    Args:
        network: Names and shapes.
        seed: Of the one random generator.
        log_std: Initial log standard deviation of the exploration.
        first_layer: Factor on the actor's first layer; small keeps tanh linear at the start.
    """
    rng = np.random.default_rng(seed)
    last = len(network.hidden)
    gains: dict[str, float] = {
        f"actor.{last}.weight": 0.01,
        f"critic.{last}.weight": 1.0,
        "actor.0.weight": first_layer * 2**0.5,
    }
    tensors: Tensors = {}
    for name, shape in network.shapes().items():
        if len(shape) == 2:
            weight = _orthogonal(shape, rng) * gains.get(name, 2**0.5)
            tensors[name] = weight.astype(np.float32)
        else:
            tensors[name] = np.full(shape, log_std if name == "log_std" else 0.0, dtype=np.float32)
    return tensors


def _orthogonal(
    shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rows, columns = shape
    square = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(square)
    q = q * np.sign(np.diag(r))
    return q if rows >= columns else q.T
