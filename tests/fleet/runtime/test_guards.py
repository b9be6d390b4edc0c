"""What may be acted on, and what of an action may be sent: laws, and each objection by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fleet.runtime.guards import ActionLimits, Limits, limited, objection, refused_action
from skills.errors import ContractError
from skills.manifest import Channel, Contract

CONTRACT = Contract(
    observation=(
        Channel(name="error", size=2, unit="m", scale=0.01),
        Channel(name="force", size=1, unit="N", scale=10.0),
    ),
    action=(
        Channel(name="velocity", size=2, unit="m/s", scale=0.1),
        Channel(name="turn", size=1, unit="rad/s", scale=0.5),
    ),
    control_hz=50.0,
)
SEEN = np.zeros(3, np.float32)
LIMITS = Limits(most={"velocity": 0.05}, slew={"velocity": 0.5}, jerk={"velocity": 12.5, "turn": 25.0})


def test_an_owner_s_limits_are_physical_and_become_shares_of_scales_and_periods() -> None:
    found = ActionLimits.of(LIMITS, CONTRACT)
    assert found.most.tolist() == [0.5, 0.5, 1.0]
    assert found.slew.tolist() == pytest.approx([0.1, 0.1, math.inf])
    assert found.jerk.tolist() == pytest.approx([0.05, 0.05, 0.02])


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(slew={"speed": 1.0}), "no action 'speed'"),
        (Limits(most={"turn": 0.0}), "may not move at all"),
        (Limits(jerk={"turn": math.nan}), "may not move at all"),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits: Limits, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        ActionLimits.of(limits, CONTRACT)


def test_a_robot_that_is_watched_goes_slowly_where_a_channel_is_a_velocity() -> None:
    force = Channel(name="force", size=1, unit="N", scale=5.0)
    contract = CONTRACT.model_copy(update={"action": (*CONTRACT.action, force)})
    assert ActionLimits.of(LIMITS, contract, 0.25).pace.tolist() == [0.25, 0.25, 0.25, 1.0]


def test_an_unknown_limit_is_no_setting() -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate({"sleew": {}})


@pytest.mark.parametrize(
    ("numbers", "age", "name"),
    [
        (SEEN, 0.0, ""),
        (SEEN, 0.0599, ""),
        (SEEN, 0.0601, "fresh"),
        (SEEN, -0.2, "fresh"),
        (SEEN, math.nan, "fresh"),
        (np.array([0, 0, np.nan], np.float32), 0.0, "finite: force"),
        (np.array([np.inf, 0, 0], np.float32), 0.0, "finite: error"),
        (np.array([0, 20.5, 0], np.float32), 0.0, "sensed: error"),
        (np.zeros(2, np.float32), 0.0, "observation"),
        (np.zeros((1, 3), np.float32), 0.0, "observation"),
    ],
)
def test_each_objection_to_an_observation_has_its_name(
    numbers: np.ndarray[tuple[int, ...], np.dtype[np.float32]], age: float, name: str
) -> None:
    found = objection(numbers, age, 0, Limits(), CONTRACT)
    assert found.startswith(name)
    assert bool(found) == bool(name)


def test_the_very_same_numbers_in_motion_are_a_stuck_sensor() -> None:
    said = [objection(SEEN, 0.0, repeats, Limits(repeats=3), CONTRACT) for repeats in (2, 3)]
    assert [each.partition(":")[0] for each in said] == ["", "repeated"]


@pytest.mark.parametrize(
    ("action", "is_refused"),
    [(np.zeros(3), False), (np.full(3, 9.0), False), (np.zeros(2), True), (np.array([0, np.nan, 0]), True)],
)
def test_only_numbers_may_be_sent(
    action: np.ndarray[tuple[int, ...], np.dtype[np.float32]], is_refused: bool
) -> None:
    assert bool(refused_action(action, CONTRACT)) == is_refused


NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_whatever_a_skill_wants_the_robot_stays_within_its_limits(wanted: list[list[float]]) -> None:
    limits = ActionLimits.of(LIMITS, CONTRACT)
    last, change = np.zeros(3), np.zeros(3)
    for each in wanted:
        found = limited(np.array(each), last, change, limits)
        assert (np.abs(found.action) <= limits.most).all()
        assert (np.abs(found.action - last) <= limits.slew + 1e-12).all()
        # Jerk gives way to the bounds alone.
        free = np.abs(found.action) < limits.most
        assert (np.abs(found.action - last - change)[free] <= limits.jerk[free] + 1e-12).all()
        last, change = found.action, found.action - last


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_without_limits_of_an_owner_an_action_within_its_scales_is_sent_as_it_is(wanted: list[float]) -> None:
    free = ActionLimits.of(Limits(), CONTRACT)
    found = limited(np.array(wanted), np.zeros(3), np.zeros(3), free)
    assert found.action.tolist() == wanted
    assert found.by == ()


def test_what_was_shortened_says_by_which_limit() -> None:
    limits = ActionLimits.of(LIMITS, CONTRACT)
    assert limited(np.array([9.0, 0, 0]), np.array([0.5, 0, 0]), np.zeros(3), limits).by == ("most",)
    assert limited(np.array([0.4, 0, 0]), np.zeros(3), np.array([0.09, 0, 0]), limits).by == ("slew",)
    assert limited(np.array([0.09, 0, 0]), np.zeros(3), np.zeros(3), limits).by == ("jerk",)
