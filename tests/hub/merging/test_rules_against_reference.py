"""Every rule on every engine against the plain formula in `reference`, on random updates in every encoding.

The bound is one rounding of the result's type at the size of the largest input: the engines promise float64
arithmetic inside and one rounding at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.merging import make_chain, merge, merge_arrays
from hub.merging.cpu import CpuEngine
from hub.merging.engine import Engine
from hub.merging.stack import CHUNK
from tests.hub.merging import reference
from tests.hub.merging.samples import (
    ENCODINGS,
    ROBUST,
    Update,
    encoded,
    largest_settings,
    matrix_updates,
    random_updates,
)

Merged = Mapping[str, NDArray[Any]]

PLAIN = sorted(reference.RULES.keys() - {"fltrust", "mda"})  # mda: several subsets may be equally narrow
COUNTS = (1, 2, 3, 4, 5, 7, 8, 11, 16, 33, 64, 65)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("trimmed-mean", {"trim": 0.0}),
    ("trimmed-mean", {"trim": 0.2}),
    ("trimmed-mean", {"trim": 0.3, "byzantine": 2}),
    ("krum", {"byzantine": 0}),
    ("multi-krum", {"byzantine": 2, "select": 1}),
    ("multi-krum", {"byzantine": 2, "select": 8}),
    ("multi-krum", {"byzantine": 2}),
    ("bulyan", {"byzantine": 0}),
    ("bulyan", {"byzantine": 1}),
    ("centred-clipping", {"radius": 3.0, "iterations": 1}),
    ("centred-clipping", {"radius": 1e-3, "iterations": 40}),
    ("centred-clipping", {"radius": 1e6}),
    ("task-arithmetic", {"scale": 1.7}),
    ("ties", {"density": 0.01, "scale": 0.5}),
    ("ties", {"density": 0.5}),
    ("ties", {"density": 1.0}),
]


def check(got: Merged, want: Merged, updates: Sequence[Update], *, slack: float = 1) -> None:
    """Hold a merge to the reference: names, shapes, type, numbers."""
    rows = [reference.flatten(update) for update in updates]
    wide = any(part.dtype == np.float64 for part in got.values())
    bound = slack * (1e-13 if wide else 2.0**-23) * max(1.0, *(np.abs(row).max(initial=0) for row in rows))
    assert list(got) == list(want)
    for name, tensor in want.items():
        assert got[name].shape == tensor.shape
        assert got[name].dtype in (np.float32, np.float64)
        np.testing.assert_allclose(got[name], tensor, rtol=0, atol=bound, err_msg=name)


def slack_of(rule: str) -> float:
    """Geometric median: smoothed at 1e-6 of the distances. Centred clipping: factors of 12 digits."""
    return {"geometric-median": 2e7, "centred-clipping": 100}.get(rule, 10)


def run(
    engine: Engine,
    updates: Sequence[Update],
    weights: Sequence[float] | None = None,
    *,
    rule: str,
    **settings: Any,
) -> Merged:
    """`merge_arrays` on an engine of ours."""
    root = settings.pop("root", None)
    clip, mixing = settings.pop("clip", None), settings.pop("mixing", False)
    chain = make_chain(rule, settings, clip=clip, mixing=mixing)
    return merge(updates, weights, chain, engine=engine, root=root).tensors


@pytest.mark.parametrize("rule", PLAIN)
def test_at_its_largest_f_for_any_number_of_updates(
    rule: str, engine: Engine, rng: np.random.Generator
) -> None:
    for count in COUNTS:
        settings = largest_settings(rule, count)
        if settings is None or (rule == "bulyan" and count > 33):  # the reference takes long
            continue
        updates = encoded(random_updates(rng, count), "float64")
        weights = rng.uniform(0.1, 5, count).tolist()
        want = reference.merge(updates, weights, rule=rule, **settings)
        check(run(engine, updates, weights, rule=rule, **settings), want, updates, slack=slack_of(rule))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_in_every_encoding(encoding: str, engine: Engine, rng: np.random.Generator) -> None:
    updates = encoded(random_updates(rng, 11), encoding)
    for rule in PLAIN:
        settings = largest_settings(rule, 11) or {}
        got = run(engine, updates, rule=rule, **settings)
        check(got, reference.merge(updates, rule=rule, **settings), updates, slack=slack_of(rule))
        wide = encoding in {"float64", "mixed"}
        assert {tensor.dtype for tensor in got.values()} == {np.dtype(np.float64 if wide else np.float32)}


@pytest.mark.parametrize(("rule", "settings"), VARIANTS)
def test_with_other_options(
    rule: str, settings: dict[str, Any], engine: Engine, rng: np.random.Generator
) -> None:
    updates = encoded(random_updates(rng, 11), "float32")
    weights = [0.0, *rng.uniform(0.1, 5, 10)]
    check(
        run(engine, updates, weights, rule=rule, **settings),
        reference.merge(updates, weights, rule=rule, **settings),
        updates,
        slack=8,
    )


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e30])  # float32 is denormal below 1.2e-38
def test_of_tiny_and_huge_numbers(size: float, engine: Engine, rng: np.random.Generator) -> None:
    updates = matrix_updates((size * rng.standard_normal((11, 40))).astype(np.float32))
    greatest = max(float(np.abs(each["w"]).max()) for each in updates)
    for rule in PLAIN:
        options = {**(largest_settings(rule, 11) or {}), "clip": 1.5}
        got = run(engine, updates, rule=rule, **options)["w"]
        want = reference.merge(updates, rule=rule, **options)["w"]
        bound = 2e-6 * greatest + float(np.finfo(np.float32).smallest_subnormal)
        np.testing.assert_allclose(got.astype(np.float64), want, rtol=0, atol=bound, err_msg=rule)


@pytest.mark.parametrize("clip", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rule", PLAIN)
def test_after_clipping(rule: str, clip: float, engine: Engine, rng: np.random.Generator) -> None:
    stretch = rng.uniform(0.1, 20, 9)
    updates = matrix_updates(rng.standard_normal((9, 40)) * stretch[:, None])
    settings = {**(largest_settings(rule, 9) or {}), "clip": clip}
    weights = rng.uniform(0.1, 5, 9).tolist()
    want = reference.merge(updates, weights, rule=rule, **settings)
    check(run(engine, updates, weights, rule=rule, **settings), want, updates, slack=slack_of(rule))


@pytest.mark.parametrize("clip", [None, 1.5])
@pytest.mark.parametrize("rule", sorted({*ROBUST} - {"mda"}))
def test_after_mixing(rule: str, clip: float | None, engine: Engine, rng: np.random.Generator) -> None:
    updates = matrix_updates(rng.standard_normal((11, 40)) + 1)
    settings = {**(largest_settings(rule, 11) or {}), "clip": clip, "mixing": True}
    want = reference.merge(updates, rule=rule, **settings)
    check(run(engine, updates, rule=rule, **settings), want, updates, slack=slack_of(rule))


@pytest.mark.parametrize("count", [1, 2, 5, 8, 11])
def test_the_minimum_diameter_is_minimal(count: int, engine: Engine, rng: np.random.Generator) -> None:
    for byzantine in range((count + 1) // 2):
        rows = rng.standard_normal((count, 6))
        got = run(engine, matrix_updates(rows), rule="mda", byzantine=byzantine)["w"]
        narrowest = reference.narrowest_means(rows, byzantine)
        assert np.abs(narrowest - got).max(axis=1).min() < 1e-12


@pytest.mark.parametrize("encoding", ["float32", "float64", "int8"])
def test_fltrust(encoding: str, engine: Engine, rng: np.random.Generator) -> None:
    *plain, trusted = random_updates(rng, 8)
    plain[0] = {name: np.asarray(-part) for name, part in trusted.items()}  # one whom the root does not trust
    plain[1] = {name: np.zeros(part.shape) for name, part in trusted.items()}  # one that says nothing
    *updates, root = encoded([*plain, trusted], encoding)
    want = reference.merge(updates, rule="fltrust", root=root)
    check(run(engine, updates, rule="fltrust", root=root), want, updates, slack=10)


def test_a_root_may_be_a_combination_of_the_updates(engine: Engine, rng: np.random.Generator) -> None:
    updates = encoded(random_updates(rng, 5), "float64")
    factors = [0.3, 0.0, -0.2, 1.0, 0.5]
    vector = sum(factor * reference.flatten(update) for factor, update in zip(factors, updates, strict=True))
    root = reference.split(np.asarray(vector), updates[0])
    weights = [1.0, 1.0, 0.0, 1.0, 1.0]
    counted = [factor if weight else 0.0 for factor, weight in zip(factors, weights, strict=True)]
    kept = sum(factor * reference.flatten(update) for factor, update in zip(counted, updates, strict=True))
    got = run(engine, updates, rule="fltrust", root=factors)
    check(got, reference.merge(updates, rule="fltrust", root=root), updates, slack=10)
    got = run(engine, updates, weights, rule="fltrust", root=factors)
    want = reference.merge(
        updates, weights, rule="fltrust", root=reference.split(np.asarray(kept), updates[0])
    )
    check(got, want, updates, slack=10)


@pytest.mark.parametrize(
    ("rule", "encoding"),
    [
        *((rule, "float32") for rule in ("mean", "median", "krum", "bulyan", "geometric-median", "ties")),
        *((rule, "int8") for rule in ("mean", "median", "krum")),
    ],
)
def test_over_several_chunks_and_tensors(rule: str, encoding: str, rng: np.random.Generator) -> None:
    shapes = {"a": (CHUNK + 300,), "b": (3,), "c": (70, 65)}
    updates = encoded(random_updates(rng, 7, shapes), encoding)
    settings = largest_settings(rule, 7) or {}
    want = reference.merge(updates, rule=rule, **settings)
    check(run(CpuEngine(threads=2), updates, rule=rule, **settings), want, updates, slack=slack_of(rule))


@pytest.mark.parametrize("rule", ["median", "trimmed-mean", "bulyan"])
def test_every_number_of_updates_up_to_65_is_sorted_right(rule: str, rng: np.random.Generator) -> None:
    """Columns of zeros and ones, with every count of ones: what sorts these sorts all (Knuth, 5.3.4)."""
    for count in range(3, 66, 6) if rule == "bulyan" else range(1, 66):
        settings = largest_settings(rule, count) or {}
        ranks = rng.permuted(np.tile(np.arange(count), (300, 1)), axis=1).T
        rows = (ranks < rng.integers(0, count + 1, 300)).astype(np.float32)
        if rule == "bulyan":
            settings = {"byzantine": 0}  # all are selected: only sorting and averaging remain
        got = merge_arrays(matrix_updates(rows), rule=rule, **settings)["w"]
        want = reference.merge(matrix_updates(rows), rule=rule, **settings)["w"]
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-7, err_msg=str(count))


def test_dare_keeps_each_number_by_chance_and_stretches_it(engine: Engine) -> None:
    size, drop = 50_000, 0.75
    updates = matrix_updates(np.array([np.full(size, 1.0), np.full(size, 100.0), np.full(size, 10_000.0)]))
    got = run(engine, updates, rule="dare", drop=drop, scale=1.0, seed=3)["w"] * (1 - drop)
    kept = np.array([got // 100**power % 100 for power in range(3)])  # each place shows who is in the sum
    assert set(np.unique(kept)) == {0.0, 1.0}
    deviation = np.sqrt(drop * (1 - drop) / size)
    assert np.abs(kept.mean(axis=1) - (1 - drop)).max() < 5 * deviation
    for one, other in ((0, 1), (0, 2), (1, 2)):  # updates and neighbours are drawn independently
        assert abs((kept[one] * kept[other]).mean() - (1 - drop) ** 2) < 5 * deviation
        assert abs((kept[one, 1:] * kept[one, :-1]).mean() - (1 - drop) ** 2) < 5 * deviation


def test_dare_draws_the_same_everywhere_and_otherwise_with_another_seed(
    engine: Engine, rng: np.random.Generator
) -> None:
    updates = matrix_updates(rng.standard_normal((4, 3000)))
    first = run(engine, updates, rule="dare")
    assert np.allclose(first["w"], merge_arrays(updates, rule="dare")["w"], rtol=0, atol=1e-13)
    assert np.allclose(first["w"], run(engine, updates[::-1], rule="dare")["w"], rtol=0, atol=1e-13)
    assert (first["w"] != run(engine, updates, rule="dare", seed=1)["w"]).any()
    nothing_dropped = run(engine, updates, rule="dare", drop=0.0, scale=0.4)
    check(nothing_dropped, reference.merge(updates, rule="task-arithmetic"), updates, slack=10)
