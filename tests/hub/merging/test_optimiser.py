"""The adaptive server optimisers against the lines of their paper, and what is refused."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.merging import MergeError
from hub.merging.optimiser import Adaptive, Optimiser, ServerMomentum
from skills.container import pack, unpack
from skills.errors import ArtefactError

KINDS: tuple[Literal["adam"], Literal["yogi"], Literal["adagrad"]] = ("adam", "yogi", "adagrad")
Kind = Literal["adam", "yogi", "adagrad"]
OPTIMISERS: list[Optimiser] = [ServerMomentum(0.5), *(Adaptive(kind) for kind in KINDS)]

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def plain(kind: str, deltas: list[float], rate: float, beta1: float, beta2: float, tau: float) -> list[float]:
    """Algorithm 2 of Reddi et al. 2021 for a single weight: its steps."""
    m, v, steps = 0.0, tau**2, []
    for delta in deltas:
        m = beta1 * m + (1 - beta1) * delta
        if kind == "adagrad":
            v = v + delta**2
        elif kind == "yogi":
            v = v - (1 - beta2) * delta**2 * ((v > delta**2) - (v < delta**2))
        else:
            v = beta2 * v + (1 - beta2) * delta**2
        steps.append(rate * m / (math.sqrt(v) + tau))
    return steps


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_the_paper(kind: Kind, rng: np.random.Generator) -> None:
    means = rng.normal(size=(20, 3, 2)) * 10.0 ** rng.integers(-4, 2, (20, 3, 2))
    optimiser, state = Adaptive(kind, 0.03, 0.8, 0.95, 0.01), None
    found = []
    for mean in means:
        state, step = optimiser.update(state, {"w": mean})
        found.append(step["w"])
    for place in np.ndindex(3, 2):
        expected = plain(kind, [float(mean[place]) for mean in means], 0.03, 0.8, 0.95, 0.01)
        np.testing.assert_allclose([step[place] for step in found], expected, rtol=1e-12)


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=lambda each: each.kind)
def test_a_state_that_was_stored_goes_on_bit_for_bit(optimiser: Optimiser, rng: np.random.Generator) -> None:
    first, second = ({"actor.0.weight": rng.normal(size=(2, 3))} for _ in range(2))
    state, _ = optimiser.update(None, first)
    kept = {name: tensor.copy() for name, tensor in state.items()}
    kind, stored = unpack(pack(optimiser.kind, state), "optimiser state")
    assert kind == optimiser.kind
    here, there = optimiser.update(state, second), optimiser.update(stored, second)
    for mine, theirs in zip(here, there, strict=True):
        assert {name: tensor.tobytes() for name, tensor in mine.items()} == {
            name: tensor.tobytes() for name, tensor in theirs.items()
        }
    assert all(np.array_equal(state[name], kept[name]) for name in kept)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None)
@given(means=st.lists(numbers, min_size=1, max_size=5))
def test_no_finite_delta_makes_a_step_that_is_not(kind: Kind, means: list[list[float]]) -> None:
    state = None
    for mean in means:
        state, step = Adaptive(kind).update(state, {"w": np.resize(mean, 4)})
        assert all(np.isfinite(tensor).all() for tensor in (*state.values(), *step.values()))


@pytest.mark.parametrize("kind", KINDS)
def test_how_far_a_weight_moves_follows_from_the_rate_and_not_from_the_delta(kind: Kind) -> None:
    paths = []
    for length in (1.0, 1e3):
        state, moved = None, []
        for _ in range(30):
            state, step = Adaptive(kind, learning_rate=0.01).update(state, {"w": np.array([length])})
            moved.append(step["w"][0])
        paths.append(moved)
    np.testing.assert_allclose(paths[0], paths[1], rtol=0.02)
    assert 0.001 < max(paths[0]) < 0.03


@pytest.mark.parametrize(
    "setting", [{"learning_rate": 0}, {"learning_rate": np.inf}, {"beta1": 1}, {"beta2": -0.1}, {"tau": 0}]
)
def test_senseless_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(MergeError, match=next(iter(setting))):
        Adaptive("adam", **setting)


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=lambda each: each.kind)
def test_the_state_of_another_network_is_refused(optimiser: Optimiser) -> None:
    state, _ = optimiser.update(None, {"w": np.zeros(2)})
    with pytest.raises(ArtefactError, match="optimiser state"):
        optimiser.update(state, {"w": np.zeros(3)})
