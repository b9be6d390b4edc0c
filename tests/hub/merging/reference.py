"""Every merging rule as its paper states it: whole vectors in float64 numpy, slow and obvious.

Written from the papers alone; it shares no code and no trick with `hub.merging` (no Gram matrix, no sorting
network, no chunks). `merge` takes what `hub.merging.merge_arrays` takes and checks nothing. The one rule that
is not here is DARE, whose dropping is random: `test_rules_against_reference` holds it to its statistics.
"""

# ruff: noqa: ARG001 - all rules are called alike, and many heed neither weights nor the number of bad robots

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import ceil, floor, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.codecs import Quantised

__all__ = ["RULES", "flatten", "merge", "narrowest_means", "split"]

Rows = NDArray[np.float64]
"""(n, P): one update a row."""
Vector = NDArray[np.float64]
Update = Mapping[str, NDArray[Any] | Quantised]


def merge(
    updates: Sequence[Update],
    weights: Sequence[float] | None = None,
    *,
    rule: str,
    clip: float | None = None,
    mixing: bool = False,
    root: Update | None = None,
    **options: Any,
) -> dict[str, NDArray[np.float64]]:
    """Clip, mix, merge; see `hub.merging.merge_arrays`."""
    given = np.ones(len(updates)) if weights is None else np.asarray(weights, float)
    rows = np.array([flatten(update) for update in updates])[given > 0]
    share = given[given > 0] / given.sum()
    if clip is not None:
        rows = clipped(rows, clip * float(np.median(lengths(rows))))
    if mixing:
        rows = mixed(rows, options["byzantine"])
    if root is not None:
        options["root"] = flatten(root)
    return split(RULES[rule](rows, share, **options), updates[0])


def flatten(update: Update) -> Vector:
    """All tensors of an update one after another, in the order of its names."""
    parts = [
        entry.decode() if isinstance(entry, Quantised) else np.asarray(entry, np.float64)
        for entry in update.values()
    ]
    return np.concatenate([part.ravel() for part in parts])


def split(vector: Vector, like: Update) -> dict[str, NDArray[np.float64]]:
    """Undo `flatten`."""
    found, start = {}, 0
    for name, entry in like.items():
        stop = start + prod(entry.shape)
        found[name] = vector[start:stop].reshape(entry.shape)
        start = stop
    return found


def lengths(rows: Rows) -> Vector:
    """Euclidean norms."""
    return np.asarray(np.sqrt((rows**2).sum(axis=1)))


def squared_distances(rows: Rows) -> NDArray[np.float64]:
    """(n, n), from differences."""
    return np.array([((rows - row) ** 2).sum(axis=1) for row in rows])


def clipped(rows: Rows, radius: float) -> Rows:
    """Rows scaled down to a length of at most `radius`."""
    factors = [min(1.0, radius / length) if length else 1.0 for length in lengths(rows)]
    return np.asarray(rows * np.array(factors)[:, None])


def mixed(rows: Rows, byzantine: int) -> Rows:
    """Nearest-neighbour mixing: each row becomes the mean of its n - f nearest, itself included.

    Source: Allouah et al., "Fixing by Mixing", 2023, algorithm 2.
    """
    nearest = squared_distances(rows).argsort(axis=1, kind="stable")[:, : len(rows) - byzantine]
    return np.array([rows[chosen].mean(axis=0) for chosen in nearest])


def mean(rows: Rows, share: Vector) -> Vector:
    """McMahan et al. 2017, algorithm 1."""
    return np.asarray((share[:, None] * rows).sum(axis=0))


def median(rows: Rows, share: Vector, byzantine: int = 0) -> Vector:
    """Yin et al. 2018, definition 1."""
    return np.asarray(np.median(rows, axis=0))


def trimmed_mean(rows: Rows, share: Vector, trim: float = 0.2, byzantine: int = 0) -> Vector:
    """Yin et al. 2018, definition 2."""
    cut = floor(trim * len(rows) + 1e-9)
    return np.asarray(np.sort(rows, axis=0)[cut : len(rows) - cut].mean(axis=0))


def krum_scores(rows: Rows, byzantine: int) -> Vector:
    """Sum of squared distances to the n - f - 2 nearest others (Blanchard et al. 2017, section 4)."""
    neighbours = max(1, len(rows) - byzantine - 2)
    scores = []
    for number, row in enumerate(rows):
        others = np.delete(rows, number, axis=0)
        scores.append(np.sort(((others - row) ** 2).sum(axis=1))[:neighbours].sum())
    return np.array(scores)


def krum_order(rows: Rows, byzantine: int) -> NDArray[np.int64]:
    """From the best score on; of equal ones, which mutual neighbours have, the nearer to all rows first."""
    return np.lexsort((squared_distances(rows).sum(axis=1), krum_scores(rows, byzantine)))


def krum(rows: Rows, share: Vector, byzantine: int) -> Vector:
    """Blanchard et al. 2017, section 4."""
    return np.asarray(rows[krum_order(rows, byzantine)[0]])


def multi_krum(rows: Rows, share: Vector, byzantine: int, select: int | None = None) -> Vector:
    """Blanchard et al. 2017, section 5."""
    chosen = krum_order(rows, byzantine)[: select or len(rows) - byzantine - 2]
    return np.asarray(rows[chosen].mean(axis=0))


def bulyan(rows: Rows, share: Vector, byzantine: int) -> Vector:
    """El Mhamdi et al. 2018, section 4: select by repeated Krum, then average near the median."""
    left, chosen = rows, []
    for _ in range(len(rows) - 2 * byzantine):
        best = krum_order(left, byzantine)[0] if len(left) > 1 else 0
        chosen.append(left[best])
        left = np.delete(left, best, axis=0)
    found = np.array(chosen)
    order = np.abs(found - np.median(found, axis=0)).argsort(axis=0, kind="stable")
    nearest = np.take_along_axis(found, order, axis=0)[: len(found) - 2 * byzantine]
    return np.asarray(nearest.mean(axis=0))


def geometric_median(rows: Rows, share: Vector, byzantine: int = 0) -> Vector:
    """Weiszfeld 1937 from the mean, many steps; a distance below 1e-9 of the spread counts as that."""
    point = mean(rows, share)
    least = 1e-9 * float(lengths(rows - point).max())
    for _ in range(1000 if least > 0 else 0):
        nearness = share / np.maximum(lengths(rows - point), least)
        before, point = point, mean(rows, nearness / nearness.sum())
        if np.abs(point - before).max() <= 1e-5 * least:
            break
    return point


def centred_clipping(
    rows: Rows,
    share: Vector,
    radius: float | None = None,
    iterations: int = 5,
    byzantine: int = 0,
) -> Vector:
    """Karimireddy, He and Jaggi 2021, algorithm 2, from zero."""
    radius = radius or float(np.median(lengths(rows)))
    point = np.zeros(rows.shape[1])
    for _ in range(iterations):
        point = point + clipped(rows - point, radius).mean(axis=0)
    return point


def diameters(rows: Rows, byzantine: int) -> tuple[list[list[int]], Vector]:
    """All subsets of n - f rows, and each one's greatest squared distance."""
    distances = squared_distances(rows)
    subsets = [list(kept) for kept in combinations(range(len(rows)), len(rows) - byzantine)]
    return subsets, np.array([distances[np.ix_(kept, kept)].max() for kept in subsets])


def narrowest_means(rows: Rows, byzantine: int) -> Rows:
    """Means of all subsets with the least diameter: often several, and the paper takes any."""
    subsets, widths = diameters(rows, byzantine)
    narrow = np.flatnonzero(widths <= widths.min() * (1 + 1e-9))
    return np.array([rows[subsets[number]].mean(axis=0) for number in narrow])


def minimum_diameter(rows: Rows, share: Vector, byzantine: int) -> Vector:
    """El Mhamdi et al. 2021, the first of the narrowest subsets."""
    return np.asarray(narrowest_means(rows, byzantine)[0])


def fltrust(rows: Rows, share: Vector, root: Vector) -> Vector:
    """Cao et al. 2021, algorithm 2; an update of length zero has no direction and no trust."""
    norms, root_norm = lengths(rows), float(np.sqrt((root**2).sum()))
    safe = np.where(norms > 0, norms, 1)
    trust = np.maximum(0, rows @ root / (safe * root_norm))
    if not trust.any():
        return np.zeros(rows.shape[1])
    return mean(rows * (root_norm / safe)[:, None], trust / trust.sum())


def task_arithmetic(rows: Rows, share: Vector, scale: float = 0.4) -> Vector:
    """Ilharco et al. 2023, section 2: a scaled sum; weights are relative, equal ones count 1 each."""
    return np.asarray(scale * len(rows) * mean(rows, share))


def ties(rows: Rows, share: Vector, density: float = 0.2, scale: float = 1.0) -> Vector:
    """Yadav et al. 2023, algorithm 1; of equal magnitudes at the edge of `density` all are kept."""
    kept = ceil(density * rows.shape[1])
    thresholds = np.sort(np.abs(rows), axis=1)[:, rows.shape[1] - kept]
    trimmed = np.where(np.abs(rows) >= thresholds[:, None], rows, 0)
    agrees = (np.sign(trimmed) == np.sign(mean(trimmed, share))) & (trimmed != 0)
    weight = (share[:, None] * agrees).sum(axis=0)
    total = (share[:, None] * agrees * trimmed).sum(axis=0)
    return np.asarray(scale * np.divide(total, weight, out=np.zeros_like(total), where=weight > 0))


RULES: dict[str, Callable[..., Vector]] = {
    "mean": mean,
    "median": median,
    "trimmed-mean": trimmed_mean,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "geometric-median": geometric_median,
    "centred-clipping": centred_clipping,
    "mda": minimum_diameter,
    "fltrust": fltrust,
    "task-arithmetic": task_arithmetic,
    "ties": ties,
}
