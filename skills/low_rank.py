"""Low rank: of chosen matrices robots send factors B and A instead of B A (Hu et al. 2021).

A round begins with B = 0 and an A that follows from the round's base, so with B A = 0; where a campaign
freezes A, only B travels (FFA: Sun et al. 2024). How B and A are learned is `fleet.training.factors`'s, how
products are merged `hub.merging.low_rank`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from skills.bounds import WEIGHT_LIMIT
from skills.codecs import Encoded, decode
from skills.document import Parameters
from skills.errors import ArtefactError, ContractError
from skills.messages.low_rank import LowRank

__all__ = [
    "A",
    "B",
    "Factors",
    "chosen",
    "factor_shapes",
    "factors_of",
    "first_factor",
    "inner_products",
    "product_norm",
]

B, A = ".B", ".A"
"""Behind a matrix's name: its factors, (rows, rank) and (rank, columns)."""

Array = NDArray[np.float64]
Factors = tuple[Array, Array]
"""B and A of one matrix."""


def chosen(shapes: Parameters, low_rank: LowRank | None) -> Parameters:
    """The matrices of which factors are sent, with their own shapes; of the rest, the numbers themselves.

    Raises:
        ContractError: A pattern names no matrix that gets smaller by it, or a tensor is called like a factor.
    """
    if low_rank is None:
        return {}
    smaller = {name: s for name, s in shapes.items() if len(s) == 2 and low_rank.rank * sum(s) < s[0] * s[1]}
    for pattern in low_rank.matrices:
        if not any(fnmatchcase(name, pattern) for name in smaller):
            raise ContractError(
                f"{pattern!r} names no matrix that rank {low_rank.rank} makes smaller.",
                where="training.low_rank.matrices",
                remedy=f"Lower the rank, or name some of: {', '.join(sorted(smaller)[:8])}.",
            )
    for name in shapes:
        if name.endswith((A, B)):
            raise ContractError(f"tensor {name} is called like a factor.", where="manifest.network")
    return {n: s for n, s in smaller.items() if any(fnmatchcase(n, each) for each in low_rank.matrices)}


def factor_shapes(shapes: Parameters, low_rank: LowRank | None) -> Parameters:
    """Shapes of what is sent, with factors in the place of chosen matrices.

    Raises:
        ContractError: See `chosen`.
    """
    matrices = chosen(shapes, low_rank)
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        if name not in matrices or low_rank is None:
            found[name] = shape
            continue
        found[name + B] = (shape[0], low_rank.rank)
        if not low_rank.frozen_a:
            found[name + A] = (low_rank.rank, shape[1])
    return found


def first_factor(base: str, matrix: str, shape: tuple[int, int]) -> Array:
    """The A (rank, columns) of a round from `base` (a digest): uniform, of variance 1 / columns.

    From the bits of PCG64, which numpy promises to keep (NEP 19): all who know the base have the same.
    """
    seed = int.from_bytes(hashlib.sha256(f"{base} {matrix}".encode()).digest()[:16], "little")
    raw = np.random.PCG64(seed).random_raw(shape[0] * shape[1])
    uniform = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
    return np.asarray(uniform.reshape(shape) * sqrt(3 / shape[1]))


def factors_of(tensors: Mapping[str, Encoded], matrices: Parameters, base: str) -> dict[str, Factors]:
    """B and A of each matrix of a delta that was made from `base`; a frozen A is made again.

    Raises:
        ArtefactError: A number is beyond what a weight may be: products of such numbers say nothing.
    """
    found = {}
    for name, (_, columns) in matrices.items():
        left, sent = decode(tensors[name + B]), tensors.get(name + A)
        right = first_factor(base, name, (left.shape[1], columns)) if sent is None else decode(sent)
        for each, suffix in ((left, B), (right, A)):
            if not np.abs(each).max(initial=0.0) <= WEIGHT_LIMIT:
                raise ArtefactError(
                    f"a factor has a number beyond {WEIGHT_LIMIT:g}.",
                    where=name + suffix,
                    remedy="Training diverged: lower the learning rate and train again.",
                    code="out_of_bounds",
                )
        found[name] = left, right
    return found


def inner_products(several: Iterable[Factors]) -> Array:
    """(n, n), <B_i A_i, B_j A_j> = tr((B_i' B_j) (A_j A_i')): no product is ever made.

    Without a library's matrix product, whose last bits depend on the number of its threads.
    """
    pairs = list(several)
    left = np.concatenate([b for b, _ in pairs], axis=1)
    right = np.concatenate([a for _, a in pairs], axis=0)
    both = np.einsum("ik,il->kl", left, left) * np.einsum("ki,li->kl", right, right)
    ends = np.cumsum([0, *(b.shape[1] for b, _ in pairs)])[:-1]
    return np.asarray(np.add.reduceat(np.add.reduceat(both, ends, axis=0), ends, axis=1))


def product_norm(factors: Iterable[Factors]) -> float:
    """Euclidean norm of all products B A together."""
    return hypot(*(sqrt(max(0.0, float(inner_products([each])[0, 0]))) for each in factors))
