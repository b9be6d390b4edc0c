"""Seven faults that other people's merging has or had, and ours must not.

Where the fault is a formula, the test first shows that the formula is wrong on the test's own input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.merging import MergeError, merge_arrays
from skills.codecs import Quantised
from skills.errors import ArtefactError
from tests.hub.merging import reference
from tests.hub.merging.samples import ROBUST, largest_settings, matrix_updates, quantised, random_updates

RULES = sorted(reference.RULES.keys() - {"fltrust"} | {"dare"})


def merged(rows: NDArray[Any], weights: list[float] | None = None, **settings: Any) -> NDArray[Any]:
    return merge_arrays(matrix_updates(rows), weights, **settings)["w"]


def test_trimming_never_leaves_nothing(rng: np.random.Generator) -> None:
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning, match="empty slice"):
        assert np.isnan(np.sort(np.arange(4.0))[2:2].mean())  # what a cut of one half comes to
    for trim in (0.5, 0.6, 1.0, -0.1, np.nan, np.inf):
        with pytest.raises(MergeError, match=r"trim|number"):
            merged(rng.standard_normal((4, 3)), rule="trimmed-mean", trim=trim)
    for count in range(1, 40):
        rows = rng.standard_normal((count, 3))
        for trim in (0.25, 0.49, np.nextafter(0.5, 0)):
            found = merged(rows, rule="trimmed-mean", trim=trim)
            assert (found >= rows.min(axis=0)).all()
            assert (found <= rows.max(axis=0)).all()


def test_distances_of_weights_that_differ_by_a_thousandth_are_right(rng: np.random.Generator) -> None:
    size, spread = 20_000, 1e-3
    scale = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 3.0, 3.0])
    rows = (1 + spread * scale[:, None] * rng.standard_normal((7, size))).astype(np.float32)
    gram = rows @ rows.T  # float32, not centred
    wrong = np.diag(gram)[:, None] + np.diag(gram)[None, :] - 2 * gram
    true = reference.squared_distances(rows.astype(np.float64))
    apart = ~np.eye(7, dtype=bool)
    assert np.abs(wrong / np.where(apart, true, 1) - 1)[apart].max() > 0.1
    for rule in ("krum", "multi-krum", "geometric-median", "bulyan", "mda"):
        settings = largest_settings(rule, 7) or {}
        got = merged(rows, rule=rule, **settings)
        want = reference.merge(matrix_updates(rows), rule=rule, **settings)["w"]
        assert np.abs(got - want).max() < 0.01 * spread, rule
    winner = reference.krum_scores(rows.astype(np.float64), 2).argmin()
    assert np.array_equal(merged(rows, rule="krum", byzantine=2), rows[winner])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rule", RULES)
def test_one_bad_number_is_named_and_never_merged(rule: str, bad: float, rng: np.random.Generator) -> None:
    settings = largest_settings(rule, 9) or {}
    for dtype in (np.float16, np.float32, np.float64):
        for place in (0, 8):
            rows = rng.standard_normal((9, 40)).astype(dtype)
            rows[place, 39 - place] = bad
            with pytest.raises(ArtefactError, match=rf"w: update {place} has NaN or infinite") as refusal:
                merged(rows, rule=rule, **settings)
            assert refusal.value.code == "not_finite"


@pytest.mark.parametrize("rule", ["mean", "median", "krum", "ties", "dare"])
def test_a_bad_scale_of_a_quantised_tensor_is_never_merged(rule: str, rng: np.random.Generator) -> None:
    updates: list[dict[str, Quantised]] = [{"w": quantised(rng.standard_normal(300))} for _ in range(5)]
    scales = updates[3]["w"].scales.copy()
    scales[1] = np.inf
    updates[3] = {"w": Quantised(updates[3]["w"].codes, scales)}
    with pytest.raises(ArtefactError):
        merge_arrays(updates, rule=rule, **(largest_settings(rule, 5) or {}))


@pytest.mark.parametrize("rule", RULES)
def test_weights_without_a_sum_are_refused(rule: str, rng: np.random.Generator) -> None:
    rows, settings = rng.standard_normal((7, 4)), largest_settings(rule, 7) or {}
    for weights in ([0.0] * 7, [], [1.0] * 6, [1.0] * 6 + [-1.0], [1.0] * 6 + [np.nan], [1.0] * 6 + [np.inf]):
        with pytest.raises(MergeError, match="weight"):
            merged(rows, weights, rule=rule, **settings)
    with pytest.raises(MergeError):
        merge_arrays([], rule=rule, **settings)


def test_the_geometric_median_keeps_its_weights_over_all_steps(rng: np.random.Generator) -> None:
    rows, weights = rng.standard_normal((8, 5)), rng.uniform(0.2, 3, 8)
    share = weights / weights.sum()

    def cost(point: NDArray[np.float64]) -> float:
        return float(share @ reference.lengths(rows - point))

    overwritten, point = share, share @ rows
    for _ in range(8):  # the fault: each step starts from the last one's weights
        overwritten = overwritten / reference.lengths(rows - point)
        point = overwritten / overwritten.sum() @ rows
    best = cost(reference.geometric_median(rows, share))
    assert cost(point) > 1.01 * best
    assert cost(merged(rows, weights.tolist(), rule="geometric-median")) < best * (1 + 1e-9)


@pytest.mark.parametrize(
    "rule", ["geometric-median", "krum", "multi-krum", "mda", "centred-clipping", "ties"]
)
def test_the_whole_vector_decides_not_each_tensor(rule: str, rng: np.random.Generator) -> None:
    settings = largest_settings(rule, 9) or {}
    updates = random_updates(rng, 9, {"a": (6,), "b": (3, 4), "c": (2,)})
    whole = merge_arrays(updates, rule=rule, **settings)
    joined = merge_arrays([{"w": reference.flatten(each)} for each in updates], rule=rule, **settings)
    alone = [merge_arrays([{name: each[name]} for each in updates], rule=rule, **settings) for name in "abc"]
    assert np.allclose(reference.flatten(whole), joined["w"], rtol=0, atol=1e-12)
    tensorwise = np.concatenate([reference.flatten(part) for part in alone])
    assert np.abs(tensorwise - joined["w"]).max() > 0.01


@pytest.mark.parametrize("rule", sorted({*ROBUST} - {"geometric-median"}))
def test_no_robot_gains_by_reporting_more_samples(rule: str, rng: np.random.Generator) -> None:
    rows, settings = rng.standard_normal((9, 12)), largest_settings(rule, 9) or {}
    rows[0] += 5
    honest = merged(rows, rule=rule, **settings)
    assert np.abs(merged(rows, [1e9] + [1.0] * 8, rule="mean") - merged(rows, rule="mean")).max() > 1
    assert np.array_equal(merged(rows, [1e9] + [1.0] * 8, rule=rule, **settings), honest)


@pytest.mark.parametrize("rule", ["mean", "median", "trimmed-mean", "geometric-median", "task-arithmetic"])
def test_every_update_counts_not_only_the_last(rule: str, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((7, 50))
    before = merged(rows, rule=rule)
    for number in range(7):
        changed = rows.copy()
        changed[number] += 1
        moved = merged(changed, rule=rule) - before
        assert (moved > 1e-3).any()
        assert (moved > -1e-3).all() or rule == "geometric-median"
    if rule == "mean":
        assert np.allclose(merged(np.eye(7), rule=rule), 1 / 7, rtol=1e-15, atol=0)
