"""The laws of merging, over all finite float64 numbers."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hub.merging import Contribution, MergeError, ServerMomentum, StreamingMean, merge_mean
from hub.merging.mean import CHUNK
from skills.errors import ArtefactError, ZunftError

SHAPES: dict[str, tuple[int, ...]] = {"actor.0.weight": (2, 3), "log_std": (2,)}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
Tensors = dict[str, NDArray[np.float64]]

numbers = st.floats(allow_nan=False, allow_infinity=False)
tensors = st.fixed_dictionaries(
    {name: arrays.arrays(np.float64, shape, elements=numbers) for name, shape in SHAPES.items()}
)
weights = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
deltas = st.lists(st.tuples(tensors, weights), min_size=1, max_size=6)
laws = settings(max_examples=100, deadline=None)


def _bits(found: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in found.items()}


def _merge(parts: Mapping[str, tuple[Tensors, float]]) -> Tensors:
    contributions = {key: Contribution(weight, _loader(delta)) for key, (delta, weight) in parts.items()}
    return merge_mean(SHAPES, contributions)


def _loader(delta: Tensors) -> Callable[[], Tensors]:
    return lambda: delta


def _keyed(parts: list[tuple[Tensors, float]]) -> dict[str, tuple[Tensors, float]]:
    return {f"sha256:{index}": part for index, part in enumerate(parts)}


@laws
@given(parts=deltas, data=st.data())
def test_the_order_of_arrival_changes_no_bit(parts: list[tuple[Tensors, float]], data: st.DataObject) -> None:
    keyed = _keyed(parts)
    shuffled = dict(data.draw(st.permutations(list(keyed.items()))))
    assert _bits(_merge(shuffled)) == _bits(_merge(keyed))


@laws
@given(delta=tensors, weight=weights)
def test_merging_one_delta_returns_it_bit_for_bit(delta: Tensors, weight: float) -> None:
    assert _bits(_merge({"only": (delta, weight)})) == _bits(delta)


@laws
@given(parts=deltas)
def test_finite_deltas_have_a_finite_mean(parts: list[tuple[Tensors, float]]) -> None:
    assert all(np.isfinite(tensor).all() for tensor in _merge(_keyed(parts)).values())


@settings(max_examples=500, deadline=None)
@given(heaviness=st.lists(weights, min_size=1, max_size=20))
def test_the_largest_numbers_do_not_overflow(heaviness: list[float]) -> None:
    largest = np.finfo(np.float64).max
    mean = StreamingMean({"w": (2,)})
    for weight in heaviness:
        mean.add({"w": np.array([largest, -largest])}, weight)
    merged = mean.result()["w"]
    assert np.isfinite(merged).all()
    assert np.abs(merged).min() >= largest * (1 - 1e-14)


def test_not_even_the_sign_of_a_zero_is_lost() -> None:
    assert (
        str(merge_mean({"w": ()}, {"only": Contribution(3.0, lambda: {"w": np.array(-0.0)})})["w"]) == "-0.0"
    )


@laws
@given(parts=deltas)
def test_the_mean_is_the_weighted_mean(parts: list[tuple[Tensors, float]]) -> None:
    merged = _merge(_keyed(parts))["log_std"]
    total = sum((Fraction(weight) for _, weight in parts), Fraction(0))
    for place in range(2):
        values = [(Fraction(float(delta["log_std"][place])), Fraction(weight)) for delta, weight in parts]
        exact = sum((value * weight for value, weight in values), Fraction(0)) / total
        scale = max(abs(value) for value, _ in values)
        slack = 4 * len(parts) * (scale * Fraction(1, 2**53) + Fraction(1, 2**1074))
        assert abs(Fraction(float(merged[place])) - exact) <= slack


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_rounds_each_operation_by_itself(device: str, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((5, 1000))
    mean, plain, total = StreamingMean({"w": (1000,)}, device=device), rows[0], 1
    mean.add({"w": rows[0]}, 1)
    for row, weight in zip(rows[1:], (2, 3, 5, 7), strict=True):
        mean.add({"w": row}, weight)
        plain = plain * (total / (total + weight)) + row * (weight / (total + weight))
        total += weight
    assert _bits(mean.result()) == _bits({"w": plain})


def test_a_number_has_the_same_mean_wherever_it_stands(rng: np.random.Generator) -> None:
    size = 2 * CHUNK + 5
    both = rng.standard_normal((3, 7))
    tiled = [np.resize(row, size) for row in both]
    long, short = StreamingMean({"w": (size,)}), StreamingMean({"w": (7,)})
    for row, tile, weight in zip(both, tiled, (3.0, 11.0, 7.0), strict=True):
        long.add({"w": tile}, weight)
        short.add({"w": row}, weight)
    assert _bits(long.result()) == _bits({"w": np.resize(short.result()["w"], size)})


BAD = [
    ({"actor.0.weight": np.zeros((2, 3)), "log_std": np.array([0, np.nan])}, 1.0, "not_finite"),
    ({"actor.0.weight": np.full((2, 3), -np.inf), "log_std": np.zeros(2)}, 1.0, "not_finite"),
    ({"actor.0.weight": np.zeros((3, 2)), "log_std": np.zeros(2)}, 1.0, "wrong_shape"),
    ({"log_std": np.zeros(2)}, 1.0, "wrong_shape"),
    *(
        ({"actor.0.weight": np.zeros((2, 3)), "log_std": np.zeros(2)}, weight, "cannot_merge")
        for weight in (0.0, -1.0, np.nan, np.inf)
    ),
]


@pytest.mark.parametrize(("bad", "weight", "code"), BAD)
def test_a_refused_delta_leaves_no_trace(
    bad: Tensors, weight: float, code: str, rng: np.random.Generator
) -> None:
    good = [{name: rng.standard_normal(shape) for name, shape in SHAPES.items()} for _ in range(2)]
    mean = StreamingMean(SHAPES)
    mean.add(good[0], 2.0)
    with pytest.raises(ZunftError) as refusal:
        mean.add(bad, weight)
    mean.add(good[1], 5.0)
    assert refusal.value.code == code
    assert _bits(mean.result()) == _bits(_merge({"a": (good[0], 2.0), "b": (good[1], 5.0)}))


@laws
@given(parts=deltas, data=st.data())
def test_a_removed_robot_was_never_there(parts: list[tuple[Tensors, float]], data: st.DataObject) -> None:
    keyed = _keyed(parts)
    removed = data.draw(st.sampled_from([*keyed, "nobody"]))
    rest = {key: part for key, part in keyed.items() if key != removed}
    if not rest:
        with pytest.raises(MergeError):
            _merge(rest)
        return
    never = StreamingMean(SHAPES)
    for _, (delta, weight) in sorted(rest.items()):
        never.add(delta, weight)
    assert _bits(_merge(rest)) == _bits(never.result())


def test_nothing_has_no_mean() -> None:
    with pytest.raises(MergeError, match="no delta"):
        merge_mean(SHAPES, {})


def test_one_delta_is_in_memory_at_a_time() -> None:
    alive: list[weakref.ref[Any]] = []

    def load() -> Tensors:
        gc.collect()
        assert not [ref for ref in alive if ref() is not None]
        delta = {name: np.ones(shape) for name, shape in SHAPES.items()}
        alive.extend(weakref.ref(tensor) for tensor in delta.values())
        return delta

    merge_mean(SHAPES, {str(index): Contribution(1.0, load) for index in range(5)})
    assert len(alive) == 10


def test_other_layouts_and_types_are_read_as_float64(rng: np.random.Generator) -> None:
    single = rng.standard_normal((4, 6)).astype(np.float32)
    strided = single[::2, ::2]
    strided.flags.writeable = False
    mean = StreamingMean({"w": (2, 3)})
    mean.add({"w": strided}, 3.0)
    mean.add({"w": strided}, 4.0)
    assert np.allclose(mean.result()["w"], strided.astype(np.float64), rtol=1e-15, atol=0)


def test_a_result_is_not_changed_by_what_comes_later() -> None:
    mean = StreamingMean({"w": (2,)})
    mean.add({"w": np.array([1.0, 2.0])}, 1)
    early = mean.result()
    mean.add({"w": np.array([5.0, 6.0])}, 1)
    assert early["w"].tolist() == [1.0, 2.0]
    assert mean.result()["w"].tolist() == [3.0, 4.0]


@laws
@given(mean=tensors, state=tensors)
def test_no_momentum_is_plain_averaging(mean: Tensors, state: Tensors) -> None:
    _, step = ServerMomentum(momentum=0.0, step=1.0).update(None, mean)
    assert _bits(step) == _bits(mean)
    _, step = ServerMomentum(momentum=0.0, step=1.0).update(state, mean)
    assert all((step[name] == mean[name]).all() for name in SHAPES)


@laws
@given(
    means=st.lists(tensors, min_size=1, max_size=5), momentum=st.floats(0, 0.999), step=st.floats(1e-3, 10)
)
def test_momentum_never_leaves_the_finite_numbers(means: list[Tensors], momentum: float, step: float) -> None:
    state = None
    for mean in means:
        state, taken = ServerMomentum(momentum, step).update(state, mean)
        for found in (*state.values(), *taken.values()):
            assert np.isfinite(found).all()


def test_momentum_sums_past_means_with_falling_weight() -> None:
    means = [{"w": np.array([value])} for value in (1.0, 2.0, 4.0)]
    optimiser, state = ServerMomentum(momentum=0.5, step=2.0), None
    for mean in means:
        state, step = optimiser.update(state, mean)
    assert step["w"].tolist() == [2 * (0.25 * 1 + 0.5 * 2 + 4)]


def test_momentum_changes_neither_argument(rng: np.random.Generator) -> None:
    state, mean = {"w": rng.standard_normal(3)}, {"w": rng.standard_normal(3)}
    before = _bits({**state, "mean": mean["w"]})
    velocity, _ = ServerMomentum(0.5, 1.0).update(state, mean)
    velocity["w"][:] = 0
    first, _ = ServerMomentum(0.5, 1.0).update(None, mean)
    first["w"][:] = 0
    assert _bits({**state, "mean": mean["w"]}) == before


@pytest.mark.parametrize(
    ("momentum", "step"), [(1.0, 1), (-0.1, 1), (np.nan, 1), (0, 0), (0, np.inf), (0, np.nan)]
)
def test_a_senseless_optimiser_is_refused(momentum: float, step: float) -> None:
    with pytest.raises(MergeError):
        ServerMomentum(momentum, step)


def test_a_state_of_another_network_is_refused() -> None:
    with pytest.raises(ArtefactError, match="momentum state"):
        ServerMomentum(0.5).update({"w": np.zeros(2)}, {"w": np.zeros(3)})


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
