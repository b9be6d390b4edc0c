"""Reward and success as functions of the measures alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.task import load_task
from envs.terms import Measures, channel_scales, measure, reward, within_tolerance
from skills.errors import ContractError

TASK = load_task("weld-seam")
FIELDS = ("distance", "cross", "standoff", "angle", "speed")
NO_CHANGE = np.zeros((1, 5))


def measures(**given_fields: float) -> Measures:
    return Measures(**{name: np.array([given_fields.get(name, 0.0)]) for name in FIELDS})


@given(st.tuples(*[st.floats(-1, 1)] * 3), st.tuples(*[st.floats(-0.03, 0.03)] * 3))
def test_cross_and_standoff_are_the_two_parts_of_the_distance(
    along: tuple[float, float, float], gap: tuple[float, float, float]
) -> None:
    tangent = np.array(along)
    tangent[0] += 3
    tangent /= np.linalg.norm(tangent)
    error = np.array(gap) - np.dot(gap, tangent) * tangent
    found = measure(error[None], tangent[None], np.zeros((1, 2)), np.zeros(1))
    assert found.cross[0] ** 2 + found.standoff[0] ** 2 == pytest.approx(found.distance[0] ** 2, abs=1e-12)
    normal = np.array([0, 0, 1]) - tangent[2] * tangent
    assert found.standoff[0] == pytest.approx(abs(error @ normal) / np.linalg.norm(normal), abs=1e-12)


def test_the_perfect_step_earns_the_sum_of_the_weights() -> None:
    bells = TASK.reward
    best = sum(getattr(bells, name).weight for name in ("position", "cross", "standoff", "angle", "speed"))
    assert reward(measures(), NO_CHANGE, bells)[0] == pytest.approx(best)


@given(st.sampled_from(FIELDS), st.floats(0, 0.2), st.floats(1.001, 3))
def test_every_error_costs_reward_and_a_greater_one_never_less(
    field: str, small: float, factor: float
) -> None:
    less = reward(measures(**{field: small}), NO_CHANGE, TASK.reward)[0]
    more = reward(measures(**{field: small * factor}), NO_CHANGE, TASK.reward)[0]
    assert more <= less


def test_changing_the_action_costs_its_square() -> None:
    calm = reward(measures(), NO_CHANGE, TASK.reward)[0]
    jerky = reward(measures(), np.full((1, 5), 0.5), TASK.reward)[0]
    assert calm - jerky == pytest.approx(TASK.reward.jerk * 5 * 0.25)


@pytest.mark.parametrize("field", ["cross", "standoff", "angle", "speed"])
def test_each_tolerance_alone_decides(field: str) -> None:
    limit = getattr(TASK.success, field)
    assert within_tolerance(measures(**{field: limit * 0.999}), TASK.success)[0]
    assert not within_tolerance(measures(**{field: limit * 1.001}), TASK.success)[0]


def test_the_tolerances_are_those_of_the_issue_in_physical_units() -> None:
    limits = TASK.success
    assert (limits.cross, limits.standoff, limits.speed) == (0.003, 0.002, 0.15)
    assert np.degrees(limits.angle) == pytest.approx(5)
    assert limits.share == 0.9


def test_a_bundle_with_other_channels_is_refused() -> None:
    other = TASK.contract.model_copy(update={"observation": TASK.contract.observation[1:]})
    with pytest.raises(ContractError, match=r"contract\.observation"):
        channel_scales(TASK.model_copy(update={"contract": other}))
