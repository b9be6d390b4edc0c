"""What a trial that learned nothing is told, by what its figures show."""

from __future__ import annotations

import pytest

from skills.messages.training import Ppo
from zunft.demo.report import Score
from zunft.trial import Point, Trial
from zunft.trial_advice import advice


def trial(returns: list[float | None], done: float = 0.0) -> Trial:
    score = Score(score=done, low=0.0, high=1.0, episodes=10)
    return Trial(
        task="any",
        task_digest="sha256:" + "0" * 64,
        seed=0,
        workshop="home",
        seconds=1.0,
        curve=tuple(
            Point(steps=100 * (number + 1), mean_return=value, success=None)
            for number, value in enumerate(returns)
        ),
        home={"trained": score},
        held_out={"trained": score},
    )


RISING = [float(number) for number in range(20)]
THEN_STAYING = [1.0, 4.0, 8.0, *[10.0] * 20]


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        ([3.0] * 20, "stayed at 3"),
        ([0.0] * 20, "stayed at 0"),
        (RISING, "still rises"),
        (THEN_STAYING, "pays for something else"),
        (list(reversed(RISING)), "fell from"),
        ([None, None], "No episode of 50 steps ended in 200"),
    ],
)
def test_the_curve_says_what_to_change(returns: list[float | None], said: str) -> None:
    (found,) = advice(trial(returns), Ppo(discount=0.98), horizon=50)
    assert said in found


def test_a_discount_that_ends_long_before_the_episode_is_named_with_a_better_one() -> None:
    found = advice(trial(list(RISING)), Ppo(discount=0.95), horizon=300)
    assert "looks 20 steps ahead, an episode has 300" in found[0]
    assert "discount=0.99" in found[0]


def test_what_went_well_is_told_nothing() -> None:
    assert advice(trial([3.0] * 20, done=0.6), Ppo(), horizon=300) == []
