"""Rules that robots and hub share because they stand in the messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skills.messages.plans import TrainingPlan

PLAN = TrainingPlan(learning_rate=1e-3, final_learning_rate=1e-4)


@given(rounds=st.integers(2, 50), data=st.data())
def test_the_learning_rate_falls_from_first_to_last(rounds: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, rounds - 1))
    assert PLAN.rate_of_round(1, rounds) == PLAN.learning_rate
    assert PLAN.rate_of_round(rounds, rounds) == pytest.approx(PLAN.final_learning_rate)
    assert PLAN.rate_of_round(number + 1, rounds) < PLAN.rate_of_round(number, rounds)


def test_the_learning_rate_falls_in_a_straight_line() -> None:
    assert [PLAN.rate_of_round(n, 4) for n in (1, 2, 3, 4)] == pytest.approx([1e-3, 7e-4, 4e-4, 1e-4])


def test_a_single_round_uses_the_first_rate() -> None:
    assert PLAN.rate_of_round(1, 1) == PLAN.learning_rate


def test_what_robots_send_is_said_in_words() -> None:
    assert TrainingPlan().sent_in_words() == "policy, critic"
    home = TrainingPlan(variates=True, moments=True, share="policy")
    assert home.sent_in_words() == "policy, control variates, moments"


def test_moments_without_variates_make_no_plan() -> None:
    with pytest.raises(ValidationError, match="moments are made of variates"):
        TrainingPlan(moments=True)
