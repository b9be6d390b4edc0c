"""Scores: repeatable, paired by seed, with honest intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from envs.evaluate import (
    Evaluation,
    evaluate,
    evaluate_many,
    pool,
    run_episodes,
    wilson_interval,
)
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import fresh_workshop, load_workshop
from skills.errors import ContractError
from skills.player import Player
from tests.fleet.toys import PointCopies

TASK = load_task("weld-seam")
SHOP = load_workshop("frame-corners")


class Idle:
    """The nominal feed without correction."""

    def __init__(self, size: int = 5, value: float = 0.0) -> None:
        self.answer = (size, value)
        self.first: NDArray[Any] | None = None

    def begin(self) -> Idle:
        return self

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        self.first = observation.copy() if self.first is None else self.first
        size, value = self.answer
        return np.full((len(observation), size), value, np.float32)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_an_episode_that_senses_what_is_no_number_is_no_success(poison: float) -> None:
    env = PointCopies(2, seed=0)
    env.state[:, -2] = 0  # neither of the two ends half-way
    env.poison = poison  # from the first step on, in the first copy
    success, returns = run_episodes(Idle(2), env)
    assert success.tolist() == [False, True]
    assert np.isfinite(returns).all()


def test_the_same_seed_gives_the_same_score_and_the_same_jobs_to_every_policy() -> None:
    policy = controller("p", TASK)
    assert evaluate(policy, TASK, SHOP, 24, seed=1) == evaluate(policy, TASK, SHOP, 24, seed=1)
    one, other = Idle(), Idle(value=0.1)
    evaluate(one, TASK, SHOP, 6, seed=1)
    evaluate(other, TASK, SHOP, 6, seed=1)
    assert one.first is not None
    assert other.first is not None
    assert np.array_equal(one.first, other.first)


def test_doing_nothing_fails() -> None:
    assert evaluate(Idle(), TASK, SHOP, 24, seed=1).successes == 0


def test_many_workshops_get_one_evaluation_each_in_their_order() -> None:
    shops = [SHOP, fresh_workshop(TASK.file, "kinova3", 1)]
    found = evaluate_many(controller("pd-look-ahead", TASK), TASK, shops, 16, seed=9)
    assert [each.episodes for each in found] == [16, 16]
    assert found == evaluate_many(controller("pd-look-ahead", TASK), TASK, shops, 16, seed=9)
    assert pool(found).episodes == 32
    assert pool(found).successes == sum(each.successes for each in found)


def test_returns_tell_controllers_apart_that_both_fail() -> None:
    policies: list[Player] = [Idle(), Idle(value=0.4), controller("p", TASK)]
    found = [evaluate(policy, TASK, SHOP, 12, seed=1) for policy in policies]
    assert [each.successes for each in found[:2]] == [0, 0]
    returns = [each.mean_return for each in found if each.mean_return is not None]
    assert len(set(returns)) == 3
    assert max(returns) == returns[2]


def test_pooled_returns_weigh_every_episode_the_same_and_are_unknown_where_one_is() -> None:
    few, many = Evaluation.count(1, 10, 1.0), Evaluation.count(1, 30, 3.0)
    assert pool([few, many]).mean_return == 2.5
    assert pool([few, Evaluation.count(1, 30)]).mean_return is None


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(successes: int, episodes: int, low: float, high: float) -> None:
    assert wilson_interval(successes, episodes) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_score(episodes: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, episodes))
    found = Evaluation.count(successes, episodes)
    assert 0 <= found.low <= found.score <= found.high <= 1
    assert found.high - found.low > 0


@pytest.mark.parametrize(
    ("policy", "episodes", "where"),
    [(Idle(4), 3, "policy.act"), (Idle(value=np.nan), 3, "policy.act"), (Idle(), 0, "episodes")],
)
def test_a_policy_that_does_not_fit_is_refused(policy: Idle, episodes: int, where: str) -> None:
    with pytest.raises(ContractError, match=where):
        evaluate(policy, TASK, SHOP, episodes, seed=0)
