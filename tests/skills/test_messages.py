"""Rules that robots and hub share because they stand in the messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skills.messages.campaigns import CampaignRequest, Phase
from skills.messages.plans import TrainingPlan
from skills.messages.training import Imitation

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


LESSONS = TrainingPlan(learner=Imitation(master_iterations=9))
ORDER = CampaignRequest(
    skill="reach",
    rounds=3,
    training=LESSONS,
    then=(Phase(rounds=2, training=PLAN), Phase(rounds=1, training=TrainingPlan(learning_rate=1e-2))),
)


def test_rounds_are_numbered_through_all_phases_and_rates_fall_within_each() -> None:
    assert ORDER.rounds_in_all == 6
    assert [(each.first, each.last) for each in ORDER.stretches] == [(1, 3), (4, 5), (6, 6)]
    plans = [ORDER.training_of(number) for number in range(1, 7)]
    assert plans == [LESSONS] * 3 + [PLAN] * 2 + [ORDER.then[1].training]
    rates = [ORDER.rate_of(number) for number in range(1, 7)]
    assert rates == pytest.approx([1e-3, 5.5e-4, 1e-4, 1e-3, 1e-4, 1e-2])


def test_time_for_masters_is_given_in_the_first_round_of_lessons_and_is_at_most_a_year() -> None:
    assert [ORDER.seconds_of(number) for number in range(1, 7)] == [2400, *[600] * 5]
    long = ORDER.model_copy(update={"deadline_seconds": 30_000_000})
    assert long.seconds_of(1) == 31_536_000


def test_an_order_of_one_phase_reads_and_writes_as_it_always_did() -> None:
    old = '{"skill": "reach", "rounds": 4, "training": {"learner": {"algorithm": "imitation", "steps": 9}}}'
    found = CampaignRequest.model_validate_json(old)
    assert (found.rounds_in_all, found.then, found.training.master_iterations) == (4, (), 0)
    assert "then" not in found.model_dump(mode="json")
    assert CampaignRequest.model_validate_json(ORDER.model_dump_json()) == ORDER


def test_how_robots_learn_is_said_in_words() -> None:
    assert PLAN.learner_in_words() == "as the task advises"
    assert LESSONS.learner_in_words() == "by imitation, master iterations 9"
