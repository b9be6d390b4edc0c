"""One merge: check, gather facts, solve, combine. The same few lines for every rule, engine and caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.merging.chain import Chain, make_chain
from hub.merging.combination import Combination, WeightedSum
from hub.merging.engine import Engine, choose_engine
from hub.merging.errors import MergeError
from hub.merging.low_rank import Fold, Products
from hub.merging.stack import Stack, Update, find_bad_number
from skills.document import Parameters

__all__ = ["Merged", "merge", "merge_arrays"]


HEADROOM = 2.0**10
"""Sums of so many times the largest number are still finite when all are divided by it."""


@dataclass(frozen=True)
class Merged:
    """The result, and what was learned about the updates on the way.

    Attributes:
        tensors: The merged update; float32, or float64 if an input is.
        gram: (n, n) inner products of the updates that count, in their order; None where the rule needs none.
        folds: The matrices that were given as products.
    """

    tensors: dict[str, NDArray[Any]]
    gram: NDArray[np.float64] | None
    folds: dict[str, Fold]


def merge_arrays(
    updates: Iterable[Update],
    weights: Sequence[float] | None = None,
    *,
    rule: str = "mean",
    clip: float | None = None,
    mixing: bool = False,
    root: Update | Sequence[float] | None = None,
    device: str = "cpu",
    **options: Any,
) -> dict[str, NDArray[Any]]:
    """Merge updates that are at hand as arrays.

    Args:
        updates: Mappings of the same names to arrays of the same shapes (float16, 32 or 64). Arrays are read
            once or twice and never copied; memory-mapped ones may be larger than memory.
        weights: One for each update, 0 = as if it were not there; None: equal.
        rule: See `hub.merging.rules.RULES` and docs/merging.md.
        clip: Scale updates down to so many times the median length first.
        mixing: Nearest-neighbour mixing first; needs the option `byzantine`.
        root: For `fltrust`: an update, or one number for each update, of which the root is the weighted sum.
        device: `cpu`, `cuda`, `ray`, or `auto`.
        options: The rule's own.

    Raises:
        MergeError: Bad rule, option or weight; too few updates.
        ArtefactError: Names, shapes or types differ; NaN or infinite numbers.
    """
    chain = make_chain(rule, options, clip=clip, mixing=mixing)
    return merge(updates, weights, chain, root=root, engine=choose_engine(device)).tensors


def merge(
    updates: Iterable[Update],
    weights: Sequence[float] | None,
    chain: Chain,
    *,
    engine: Engine,
    shapes: Parameters | None = None,
    root: Update | Sequence[float] | None = None,
    products: Mapping[str, Products] | None = None,
) -> Merged:
    """Run a chain over updates; see `merge_arrays`.

    Args:
        updates: See `merge_arrays`.
        weights: See there.
        chain: Clipping, mixing and rule.
        engine: What computes.
        shapes: Of the updates' tensors; None: the first one's.
        root: See there.
        products: Matrices of the updates that are products of factors: part of each update, as if they were
            made, for lengths and distances, too.

    Raises:
        MergeError: Also where the rule looks at single numbers, which products do not show.
        ArtefactError: See `merge_arrays`.
    """
    rows = list(updates)
    shares, counted = _shares(weights, len(rows))
    chain.check(len(counted))
    factors = _root_factors(chain, root, len(rows), counted)
    rows = [rows[number] for number in counted]
    if isinstance(root, Mapping):
        rows.append(root)
    stack = Stack.of(rows, shapes)
    matrices = {name: each.of(counted) for name, each in (products or {}).items()}
    gram = _gram(engine, stack, matrices.values()) if chain.needs_gram or matrices else None
    combination = chain.rule.solve(chain.facts(stack, shares, gram, factors))
    tensors, finite = engine.combine(stack, combination)
    if not finite:
        _refuse_bad_numbers(stack)
        lower, _ = engine.combine(stack, combination.scaled(1 / HEADROOM))
        tensors = {name: _mended(tensor, lower[name]) for name, tensor in tensors.items()}
    folds = _folded(matrices, combination)
    return Merged(tensors, None if gram is None else gram[: len(shares), : len(shares)], folds)


def _folded(matrices: Mapping[str, Products], combination: Combination) -> dict[str, Fold]:
    if not matrices:
        return {}
    if not isinstance(combination, WeightedSum):
        raise MergeError(
            "this rule looks at single numbers, and products of factors are never made.",
            where="rule",
            remedy="Choose one that weighs whole updates, such as mean, geometric-median or krum.",
        )
    return {name: each.fold(combination.factors) for name, each in matrices.items()}


def _shares(weights: Sequence[float] | None, count: int) -> tuple[NDArray[np.float64], list[int]]:
    """Weights that sum to 1, and which updates have one."""
    given = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (count,):
        raise MergeError(
            f"there are {given.size} weights for {count} updates.",
            where="weights",
            remedy="Give one for each.",
        )
    for number, weight in enumerate(given):
        if not (np.isfinite(weight) and weight >= 0):
            raise MergeError(
                f"weight {weight} of update {number} is not a finite number of at least 0.",
                where="weights",
                remedy="Weigh an update by its samples.",
            )
    counted = np.flatnonzero(given)
    if not len(counted):
        raise MergeError(
            "no update has a weight above 0." if count else "there is no update to merge.",
            where="weights" if count else "updates",
            remedy="Wait for the quorum.",
        )
    kept = given[counted] / given.max()
    return kept / kept.sum(), [int(number) for number in counted]


def _root_factors(
    chain: Chain, root: Update | Sequence[float] | None, count: int, counted: list[int]
) -> NDArray[np.float64] | None:
    """The root update as factors of the stack's rows."""
    if (root is not None) != chain.rule.needs_root:
        lacking = root is None
        raise MergeError(
            "fltrust needs a root update." if lacking else "only fltrust takes a root update.",
            where="root",
            remedy="Give root=, an update that you trust." if lacking else "Leave root out.",
        )
    if root is None:
        return None
    if isinstance(root, Mapping):
        return np.append(np.zeros(len(counted)), 1.0)
    factors = np.asarray(root, np.float64)
    if not np.isfinite(factors).all() or factors.shape != (count,):
        raise MergeError("root needs one finite number for each update.", where="root", remedy="Correct it.")
    return factors[counted]


def _gram(engine: Engine, stack: Stack, matrices: Iterable[Products]) -> NDArray[np.float64]:
    gram = np.zeros((len(stack), len(stack)))
    for chunk in engine.grams(stack):
        gram += chunk
    for each in matrices:
        gram += each.gram()
    if not np.isfinite(gram).all():
        _refuse_bad_numbers(stack)
        raise MergeError(
            "the updates are too long: their squares overflow.",
            where="updates",
            remedy="Clip each update before it is sent; lengths up to 1e150 are fine.",
        )
    return gram


def _mended(tensor: NDArray[Any], lower: NDArray[Any]) -> NDArray[Any]:
    """What overflowed on the way, from sums with headroom; what is too large itself becomes the largest."""
    largest = np.finfo(tensor.dtype).max / HEADROOM
    return np.where(np.isfinite(tensor), tensor, np.clip(lower, -largest, largest) * HEADROOM)


def _refuse_bad_numbers(stack: Stack) -> None:
    error = find_bad_number(stack)
    if error is not None:
        raise error
