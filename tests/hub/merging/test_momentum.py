"""The laws of server momentum, over all finite float64 numbers; the other optimisers: `test_optimiser`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hub.merging import MergeError, ServerMomentum
from skills.errors import ArtefactError

SHAPES: dict[str, tuple[int, ...]] = {"actor.0.weight": (2, 3), "log_std": (2,)}
Tensors = dict[str, NDArray[np.float64]]

numbers = st.floats(allow_nan=False, allow_infinity=False)
tensors = st.fixed_dictionaries(
    {name: arrays.arrays(np.float64, shape, elements=numbers) for name, shape in SHAPES.items()}
)
laws = settings(max_examples=100, deadline=None)


def _bits(found: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in found.items()}


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
    with pytest.raises(ArtefactError, match="optimiser state"):
        ServerMomentum(0.5).update({"w": np.zeros(2)}, {"w": np.zeros(3)})


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
