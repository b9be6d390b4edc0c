"""Our rules against other people's, where theirs are right. Each fault below was seen by running it.

geom-median 0.1.0: right on whole vectors and weighted, with these limits:
    its smoothing of 1e-6 is absolute, so updates of about 1e-8 get their plain mean;
    `per_component=True` runs tensor by tensor, which is another (and less robust) point;
    weights that sum to zero raise ZeroDivisionError.
byzfl 0.0.11: right for median, trimmed mean, centred clipping, minimum diameter and mixing; but
    Krum and MultiKrum sum n - f - 1 neighbours where the paper has n - f - 2 (another winner in 88 of 300
        draws of 7 updates with f = 2): its `Krum(f + 1)` is the paper's Krum with f;
    GeometricMedian makes 3 steps from zero with an absolute smoothing of .1: updates shorter than that get
        their plain mean, three attackers of ten included; it has no weights;
    one NaN update makes its median, geometric median and centred clipping NaN, and wins its Krum;
    one infinite update makes its centred clipping NaN;
    torch inputs become float32, and from 26 updates on their distances are 49 % wrong at a spread of 1e-3;
    CenteredClipping starts each call where the last one ended, and refuses every `m`;
    Clipping and ARC overwrite an array that they are given;
    importing it needs torchvision and seaborn, which only its experiments use.
flwr 1.42.0: right for the mean, median, trimmed mean (it now refuses to cut .5), Krum and Bulyan; but
    a zero sum of weights gives NaN;
    its mean multiplies before it divides: float32 weights of 1e36 with 1000 samples are infinite;
    one NaN update makes its median NaN and wins its Krum;
    MultiKrum averages by sample counts that robots report themselves;
    Bulyan removes what it selects from its caller's list, and with f < 3 its last choices follow the order of
        the updates: the two nearest are each other's only neighbour.
    Its own dependencies clash with ours (FastAPI < 0.139, Rich < 15, Typer < 0.21), so it and byzfl are
    installed without them (Makefile); its rules need none.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.merging import merge_arrays
from tests.hub.merging import reference
from tests.hub.merging.samples import matrix_updates, random_updates

Rows = NDArray[np.float64]
DRAWS = 20


@pytest.fixture(scope="module")
def byzfl() -> Any:
    """The rules of byzfl alone: its `__init__` imports experiments that need torchvision."""
    found = importlib.util.find_spec("byzfl")
    if found is None:
        pytest.skip("byzfl is not installed: see the Makefile")
    sys.modules["byzfl"] = importlib.util.module_from_spec(found)  # known by its folder, but not run
    return importlib.import_module("byzfl.aggregators")


@pytest.fixture(scope="module")
def flwr() -> Any:
    """Flower's rules over lists of arrays."""
    return pytest.importorskip("flwr.server.strategy.aggregate", exc_type=ImportError)


def draws() -> list[Rows]:
    """Sets of 11 updates, some with outliers."""
    rng = np.random.default_rng(3)
    found = [rng.standard_normal((11, 30)) for _ in range(DRAWS)]
    for number, rows in enumerate(found):
        rows[: number % 3] *= 30
    return found


def ours(rows: Rows, rule: str, **settings: Any) -> Rows:
    return np.asarray(merge_arrays(matrix_updates(rows), rule=rule, **settings)["w"])


def close(one: Rows, other: Rows) -> bool:
    return np.allclose(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("byzantine", [0, 1, 2, 3, 4])
def test_byzfl(byzfl: Any, byzantine: int) -> None:
    for rows in draws():
        theirs: dict[str, tuple[Any, dict[str, Any]]] = {
            "mean": (byzfl.Average(), {}),
            "median": (byzfl.Median(), {"byzantine": byzantine}),
            "trimmed-mean": (byzfl.TrMean(byzantine), {"trim": byzantine / 11, "byzantine": byzantine}),
            "krum": (byzfl.Krum(byzantine + 1), {"byzantine": byzantine}),
            "multi-krum": (
                byzfl.MultiKrum(byzantine + 1),
                {"byzantine": byzantine, "select": 11 - byzantine - 1},
            ),
            "centred-clipping": (byzfl.CenteredClipping(L=4, tau=5.0), {"radius": 5.0, "iterations": 4}),
        }
        for rule, (merge, settings) in theirs.items():
            assert close(ours(rows, rule, **settings), merge(rows.copy())), rule


@pytest.mark.parametrize("byzantine", [1, 3])
def test_byzfl_mixing(byzfl: Any, byzantine: int) -> None:
    for rows in draws():
        mixed = byzfl.NNM(byzantine)(rows.copy())
        settings = {"byzantine": byzantine, "mixing": True}
        assert close(ours(rows, "median", **settings), np.median(mixed, axis=0))
        assert close(ours(rows, "krum", **settings), byzfl.Krum(byzantine + 1)(mixed))


def test_byzfl_finds_no_narrower_subset(byzfl: Any) -> None:
    for rows in draws()[:4]:
        narrowest = reference.narrowest_means(rows, 3)
        for found in (ours(rows, "mda", byzantine=3), byzfl.MDA(3)(rows.copy())):
            assert np.abs(narrowest - found).max(axis=1).min() < 1e-10


def test_geom_median_on_whole_vectors_with_weights(rng: np.random.Generator) -> None:
    theirs = pytest.importorskip("geom_median.numpy")
    for _ in range(4):
        updates = random_updates(rng, 9)
        weights = rng.uniform(0.5, 2, 9)
        got = merge_arrays(updates, weights.tolist(), rule="geometric-median")
        found = theirs.compute_geometric_median([list(each.values()) for each in updates], weights).median
        for tensor, other in zip(got.values(), found, strict=True):
            assert np.allclose(tensor, other, rtol=0, atol=1e-6)


def test_flwr(flwr: Any, rng: np.random.Generator) -> None:
    for _ in range(4):
        updates = random_updates(rng, 15)
        samples = rng.integers(1, 1000, 15)
        results = [(list(each.values()), int(n)) for each, n in zip(updates, samples, strict=True)]
        theirs: dict[str, tuple[Any, dict[str, Any]]] = {
            "mean": (flwr.aggregate(results), {}),
            "median": (flwr.aggregate_median(results), {}),
            "trimmed-mean": (flwr.aggregate_trimmed_avg(results, 0.3), {"trim": 0.3}),
            "krum": (flwr.aggregate_krum(results, 3, 0), {"byzantine": 3}),
            "bulyan": (
                flwr.aggregate_bulyan(list(results), 3, flwr.aggregate_krum, to_keep=0),
                {"byzantine": 3},
            ),
        }
        for rule, (found, settings) in theirs.items():
            got = merge_arrays(updates, samples.tolist(), rule=rule, **settings)
            for tensor, other in zip(got.values(), found, strict=True):
                assert np.allclose(tensor, other, rtol=0, atol=1e-10), rule
