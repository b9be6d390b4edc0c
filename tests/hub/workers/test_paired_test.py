from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.workers.paired_test import (
    BETS,
    Limits,
    Pairs,
    log_evidence,
    unseen,
    verdict,
    verdict_but_one,
    verdicts,
)

LIMITS = Limits(margin=0.06, arm_margin=0.25, alpha=0.05, power=0.9)
COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300))
MARGINS = st.floats(0, 0.9)


def walk(differences: list[int], margin: float) -> float:
    """The formula of the docstring, pair by pair."""
    worth = [
        np.prod([1 + share / (1 - margin) * (each + margin) for each in differences])
        for share in BETS.tolist()
    ]
    return float(np.mean(worth))


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=40), MARGINS, st.randoms())
def test_the_evidence_is_the_formula_in_whatever_order(found: list[int], margin: float, random: Any) -> None:
    counted = float(np.exp(log_evidence(found.count(1), found.count(-1), len(found), margin)))
    random.shuffle(found)
    assert counted == pytest.approx(walk(found, margin), rel=1e-9)


@given(MARGINS, st.floats(0, 1), st.floats(0, 1))
def test_no_pair_is_worth_a_bet_if_the_candidate_is_worse_by_the_margin(
    margin: float, differing: float, spare: float
) -> None:
    # Any distribution of D whose mean is -margin - something: the next pair gains nothing on average.
    losses = margin + (1 - margin) * spare
    wins = min(max(0.0, losses - margin), 1 - losses) * differing
    chances = {1: wins, -1: losses, 0: 1 - wins - losses}
    assert wins - losses <= -margin + 1e-12
    mean = sum(chance * walk([each], margin) for each, chance in chances.items())
    assert mean <= 1 + 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6), st.floats(0, 0.5))
def test_batches_of_unlike_jobs_gain_nothing_either(chances: list[tuple[float, float]], spare: float) -> None:
    means = [wins * (1 - losses) - losses for wins, losses in chances]
    margin = max(0.0, min(0.9, -float(np.mean(means)) - spare))
    if np.mean(means) > -margin:
        return
    bets = BETS / (1 - margin)
    assert np.all(np.prod([1 + bets * (mean + margin) for mean in means], axis=0) <= 1 + 1e-9)


@pytest.mark.parametrize(("both", "worse"), [(0.0, 0.06), (0.3, 0.06), (0.0, 0.3)])
def test_who_looks_after_each_pair_is_wrong_no_more_often_than_said(both: float, worse: float) -> None:
    trials, jobs, alpha = 2_000, 400, 0.05
    draws = np.random.default_rng(7).random((trials, jobs))
    wins = (draws < both / 2).cumsum(1)
    losses = (draws > 1 - both / 2 - worse).cumsum(1)
    found = log_evidence(wins, losses, np.arange(1, jobs + 1), worse)
    ever = (found >= -np.log(alpha)).any(axis=1).mean()
    assert ever <= alpha + 3 * np.sqrt(alpha / trials)
    assert both == 0 or ever > alpha / 20  # it is a test, and not a refusal of everything


def played(win: float, lose: float, arms: int, batches: int, each: int, trials: int) -> list[NDArray[Any]]:
    chances = [win, lose, 1 - win - lose]
    found = np.random.default_rng(3).multinomial(each, chances, size=(trials, batches, arms)).cumsum(axis=1)
    jobs = np.broadcast_to(each * np.arange(1, batches + 1)[:, None], found.shape[:-1])
    return [found[..., 0], found[..., 1], jobs]


def test_equals_are_not_called_worse_more_often_than_said() -> None:
    wins, losses, jobs = played(0.1, 0.1, 4, 20, 16, 2_000)
    found = verdicts(wins, losses, jobs, LIMITS)
    first = np.where((found != 0).any(1), found[np.arange(len(found)), (found != 0).argmax(1)], 0)
    assert (first == -1).mean() <= 1 - LIMITS.power
    assert (first == 1).mean() >= LIMITS.power


def test_an_arm_that_is_sacrificed_for_the_mean_is_seen() -> None:
    good = {arm: Pairs(wins=20, losses=0, jobs=64) for arm in ("ur5e", "panda", "iiwa")}
    assert verdict(good, LIMITS) == "not worse"
    assert verdict({**good, "xarm7": Pairs(wins=2, losses=30, jobs=64)}, LIMITS) == "worse"
    # Better on the whole, and this one arm not looked at long enough.
    assert verdict({**good, "xarm7": Pairs(wins=0, losses=1, jobs=4)}, LIMITS) == "open"


@given(COUNTS, st.floats(0.001, 0.5))
def test_what_is_unseen_is_where_the_evidence_ends(counts: tuple[int, int, int], alpha: float) -> None:
    pairs = Pairs(counts[0], counts[1], sum(counts))
    found = unseen(pairs, alpha)
    assert 0 <= found <= 1
    if found < 0.999:
        assert log_evidence(pairs.wins, pairs.losses, pairs.jobs, found + 1e-4) >= -np.log(alpha)
    if found > 0.001:
        assert log_evidence(pairs.wins, pairs.losses, pairs.jobs, found - 0.0011) < -np.log(alpha)


def test_the_more_pairs_without_a_loss_the_less_is_unseen() -> None:
    found = [unseen(Pairs(0, 0, jobs), 0.05) for jobs in (0, 16, 64, 256, 1024)]
    assert found[0] == 1
    assert all(more < fewer for fewer, more in pairwise(found))
    assert found[-1] < 0.01


def test_a_margin_of_everything_lets_everything_pass() -> None:
    limits = Limits(margin=1, arm_margin=1, alpha=0.05, power=0.9)
    assert verdict({"ur5e": Pairs(0, 2, 2)}, limits) == "not worse"


def released(chances: dict[str, tuple[float, float]], rng: np.random.Generator) -> tuple[str, str]:
    """One gate of 16 jobs an arm and batch, 480 at most: chances to win and to lose by arm."""
    wins, losses = dict.fromkeys(chances, 0), dict.fromkeys(chances, 0)
    for batch in range(1, 31):
        for arm, (won, lost) in chances.items():
            counts = rng.multinomial(16, [won, lost, 1 - won - lost])
            wins[arm] += int(counts[0])
            losses[arm] += int(counts[1])
        pairs = {arm: Pairs(wins[arm], losses[arm], 16 * batch) for arm in chances}
        found, weak = verdict_but_one(pairs, LIMITS, last=batch == 30)
        if found != "open":
            return found, weak
    return "open", ""


def test_leaving_out_an_arm_lets_no_more_worse_ones_through() -> None:
    rng, trials = np.random.default_rng(0), 150
    worse = dict.fromkeys(("a", "b", "c", "d"), (0.05, 0.13))
    found = [released(worse, rng)[0] for _ in range(trials)]
    assert found.count("not worse") / trials <= LIMITS.alpha + 2 * (0.05 * 0.95 / trials) ** 0.5
    one_fails = dict.fromkeys(("a", "b", "c"), (0.05, 0.05)) | {"d": (0.0, 0.5)}
    outcomes = [released(one_fails, rng) for _ in range(trials)]
    assert outcomes.count(("not worse", "d")) / trials >= 0.85
    assert all(weak == "d" for verdict, weak in outcomes if verdict == "not worse")
