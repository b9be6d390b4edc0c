"""What claims are worth: those of one robot pass no ring, and stop none where another could have spoken."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from hub.rollouts.evidence import Claim, claim_of, figures_of, verdict_of
from skills.messages.reports import Report, Tally
from skills.messages.rollouts import RingPlan

PLAN = RingPlan(margin=0.1, arm_margin=0.3)


def claim(wins: int, losses: int, pairs: int, arm: str = "ur5e") -> Claim:
    return Claim(arm, wins, losses, pairs, done=pairs - losses, failed=losses)


def test_jobs_are_paired_in_their_order_and_what_has_no_partner_counts_nowhere() -> None:
    tallies = (
        Tally(version=1, done=3, failed=1, first="1101"),
        Tally(version=2, done=1, failed=2, first="001"),
    )
    found = claim_of("ur5e", Report(skill="reach", version=2, tallies=tallies), 1, 2)
    assert (found.wins, found.losses, found.pairs) == (1, 2, 3)
    assert (found.done, found.failed) == (1, 2)
    assert claim_of("ur5e", Report(skill="reach", version=2), 1, 2).pairs == 0


def test_many_good_pairs_pass_and_many_lost_ones_stop() -> None:
    assert verdict_of([claim(0, 0, 64), claim(0, 0, 64)], PLAN) == "not worse"
    assert verdict_of([claim(0, 12, 16), claim(0, 12, 16)], PLAN) == "worse"
    assert verdict_of([claim(0, 0, 4)], PLAN) == "open"
    assert verdict_of([], PLAN) == "open"


def test_one_embodiment_alone_stops_it() -> None:
    good = [claim(0, 0, 64, arm) for arm in ("panda", "ur5e") for _ in range(5)]
    assert verdict_of([*good, *[claim(0, 14, 16, "kr10")] * 2], PLAN) == "worse"


@pytest.mark.parametrize("lie", [claim(64, 0, 64), claim(0, 64, 64)])
def test_a_single_liar_decides_nothing(lie: Claim) -> None:
    honest = [claim(0, 0, 3), claim(0, 0, 3)]
    assert verdict_of([*honest, lie], PLAN) == "open"
    bad = [claim(0, 20, 24)] * 3
    assert verdict_of([*bad, claim(64, 0, 64)], PLAN) != "not worse"


def test_who_is_alone_of_its_embodiment_counts_for_it() -> None:
    assert verdict_of([claim(0, 30, 40, "kr10"), claim(0, 0, 64, "ur5e")], PLAN) == "worse"


def test_the_robot_that_says_most_is_not_among_the_least_jobs() -> None:
    many = Claim("ur5e", 0, 0, 64, done=10**9, failed=0)
    assert figures_of([many, claim(0, 0, 5)]).jobs == 5
    assert figures_of([many]).jobs == 64
    assert figures_of([]).jobs == 0


def test_an_equal_version_is_hardly_ever_stopped_however_often_one_looks() -> None:
    rng, stopped = np.random.default_rng(4), 0
    for _ in range(200):
        old, new = (rng.random((6, 40)) < 0.8 for _ in range(2))
        for jobs in range(5, 41, 5):
            pairs = [(old[:, :jobs][i], new[:, :jobs][i]) for i in range(6)]
            claims = [claim(int((b & ~a).sum()), int((a & ~b).sum()), jobs) for a, b in pairs]
            if verdict_of(claims, PLAN) == "worse":
                stopped += 1
                break
    assert stopped <= 10, "at most one in twenty"


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 1, "done": 3, "failed": 0, "first": "11"},
        {"version": 1, "done": 1, "failed": 1, "first": "11"},
        {"version": 1, "done": -1, "failed": 0, "first": ""},
        {"version": 1, "done": 100, "failed": 0, "first": "1" * 65},
    ],
)
def test_a_tally_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Tally.model_validate(wrong)


def test_counting_keeps_the_first_jobs() -> None:
    tally = Tally(version=3)
    for number in range(100):
        tally = tally.counting(done=number % 4 != 0)
    assert (tally.done, tally.failed, len(tally.first)) == (75, 25, 64)
    assert tally.first.startswith("0111")
