"""Robots that lie: what attackers who know every honest delta of a round send instead of their own.

Pure numpy; for `benchmarks/robustness.py` and the tests of merging. Attacks that a hub refuses at its border
(NaN, wrong shapes, replays, inflated sample counts) need no craft and are written out in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ATTACKS", "flatten", "forge", "unflatten"]

Update = Mapping[str, NDArray[Any]]
Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

HUGE = 1e6  # times the mean of the honest deltas
NOISE = 10.0  # times the root mean square of the honest deltas' numbers


def forge(
    attack: str, honest: Sequence[Update], attackers: int, rng: np.random.Generator
) -> list[dict[str, Vector]]:
    """The attackers' deltas, float64, one for each of them.

    Args:
        attack: A key of `ATTACKS`.
        honest: All honest deltas of the round, same names and shapes; one at least.
        attackers: How many of the round's robots lie; fewer than are honest.
        rng: For the attacks that draw.
    """
    rows = ATTACKS[attack](flatten(honest), attackers, rng)
    return [unflatten(row, honest[0]) for row in rows]


def flatten(updates: Sequence[Update]) -> Matrix:
    """Updates as rows of one matrix, tensors in the first update's order."""
    return np.stack(
        [
            np.concatenate([np.ravel(update[name]).astype(np.float64) for name in updates[0]])
            for update in updates
        ]
    )


def unflatten(row: Vector, like: Update) -> dict[str, Vector]:
    """A row of `flatten` as tensors again."""
    ends = np.cumsum([tensor.size for tensor in like.values()])
    parts = np.split(row, ends[:-1])
    return {name: part.reshape(like[name].shape) for name, part in zip(like, parts, strict=True)}


def sign_flip(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
    """Each trains as an honest robot would and sends the opposite.

    Source: Li et al., "RSA: Byzantine-robust stochastic aggregation methods", 2019 (sign-flipping attack).
    """
    return -honest[np.arange(attackers) % len(honest)]


def scaled(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
    """-2.5 times the honest mean: with 3 liars among 10 it just turns a plain mean round."""
    return _same(-2.5 * honest.mean(axis=0), attackers)


def inner_product(epsilon: float) -> Callable[[Matrix, int, np.random.Generator], Matrix]:
    """IPM: -epsilon times the honest mean, so that the merged step points backwards.

    Source: Xie, Koyejo and Gupta, "Fall of empires: breaking Byzantine-tolerant SGD by inner product
    manipulation", 2020; epsilon .1 hides among the honest, 2 overwhelms a mean.
    """
    return lambda honest, attackers, _: _same(-epsilon * honest.mean(axis=0), attackers)


def little(sign: float) -> Callable[[Matrix, int, np.random.Generator], Matrix]:
    """ALIE: the honest mean, moved by z standard deviations in each coordinate, within the honest crowd.

    Source: Baruch, Baruch and Goldberg, "A little is enough: circumventing defenses for distributed
    learning", 2019 (preventing convergence): s = floor(n/2 + 1) - m honest robots must lie further out than
    the m attackers for these to look like a majority, so z is the (n - m - s)/(n - m) quantile of the normal
    distribution. Zero where it would be negative: so few attackers cannot hide at all.
    """

    def craft(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
        everybody = len(honest) + attackers
        supporters = everybody // 2 + 1 - attackers
        z = max(0.0, NormalDist().inv_cdf((len(honest) - supporters) / len(honest)))
        return _same(honest.mean(axis=0) + sign * z * honest.std(axis=0), attackers)

    return craft


def min_max(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
    """As far from the honest mean as possible while no further from anybody than two honest robots are.

    Source: Shejwalkar and Houmansadr, "Manipulating the Byzantine", 2021 (AGR-agnostic Min-Max), with
    p = -std of their three deviations. Where they search for the factor gamma, here it is solved for:
    |mean + gamma p - x_i|^2 <= (greatest honest distance)^2 is a quadratic for each i.
    """
    mean, direction = honest.mean(axis=0), -honest.std(axis=0)
    square = float(direction @ direction)
    if square == 0:
        return _same(mean, attackers)
    gaps = mean - honest
    along = gaps @ direction
    slack = _squared_diameter(honest) - np.square(gaps).sum(axis=1)
    gamma = ((np.sqrt(np.square(along) + square * slack) - along) / square).min()
    return _same(mean + gamma * direction, attackers)


def mimic(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
    """All copy one honest robot, the one furthest along the direction in which the honest differ most.

    Source: Karimireddy, He and Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing",
    2022; there the direction is learned over rounds, here it is this round's own.
    """
    directions = np.linalg.svd(honest - honest.mean(axis=0), full_matrices=False)[2]
    return _same(honest[np.abs(honest @ directions[0]).argmax()], attackers)


def gaussian(honest: Matrix, attackers: int, rng: np.random.Generator) -> Matrix:
    """Noise ten times as large as the honest deltas.

    Source: Blanchard et al., "Machine learning with adversaries: Byzantine tolerant gradient descent", 2017,
    there with a standard deviation of 200 for gradients; deltas have no such absolute scale.
    """
    spread = NOISE * float(np.sqrt(np.square(honest).mean()))
    return rng.normal(0.0, spread, (attackers, honest.shape[1]))


def huge(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
    """Backwards, a million times as long as the honest mean."""
    return _same(-HUGE * honest.mean(axis=0), attackers)


def zero(honest: Matrix, attackers: int, _: np.random.Generator) -> Matrix:
    """Free riders: nothing learned."""
    return np.zeros((attackers, honest.shape[1]))


ATTACKS: dict[str, Callable[[Matrix, int, np.random.Generator], Matrix]] = {
    "sign-flip": sign_flip,
    "scaled": scaled,
    "ipm-0.1": inner_product(0.1),
    "ipm-2": inner_product(2.0),
    "alie+": little(1.0),
    "alie-": little(-1.0),
    "min-max": min_max,
    "mimic": mimic,
    "gaussian": gaussian,
    "huge-norm": huge,
    "zero": zero,
}


def _same(row: Vector, attackers: int) -> Matrix:
    return np.tile(row, (attackers, 1))


def _squared_diameter(rows: Matrix) -> float:
    squares = np.square(rows).sum(axis=1)
    return float((squares[:, None] + squares[None, :] - 2 * rows @ rows.T).max())
