"""What claims are worth: those of one robot, or of two of eight, pass no ring and stop none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.rollouts.evidence import ALPHA, POWER, Claim, claim_of, figures_of, verdict_of
from hub.workers.paired_test import Limits, Pairs, log_evidence, verdict
from skills.messages.reports import Report, Tally
from skills.messages.rollouts import RingPlan

PLAN = RingPlan(margin=0.1, arm_margin=0.3)


def claim(wins: int, losses: int, pairs: int, arm: str = "ur5e", owner: str = "north") -> Claim:
    return Claim(arm, owner, wins, losses, pairs, done=pairs - losses, failed=losses)


@st.composite
def robots(draw: st.DrawFn, least: int, most: int, arms: tuple[str, ...] = ("ur5e",)) -> list[Claim]:
    """So many of each embodiment, who say what they like."""
    found = []
    for arm in arms:
        for _ in range(draw(st.integers(least, most))):
            pairs = draw(st.integers(1, 64))
            wins = draw(st.integers(0, pairs))
            found.append(claim(wins, draw(st.integers(0, pairs - wins)), pairs, arm))
    return found


def plainly(claims: Sequence[Claim], plan: RingPlan = PLAN) -> str:
    """What the gate's own test says where nobody lies."""
    arms = {each.arm for each in claims}
    sums = {
        arm: Pairs(*np.sum([(c.wins, c.losses, c.pairs) for c in claims if c.arm == arm], axis=0))
        for arm in arms
    }
    return verdict(sums, Limits(plan.margin, plan.arm_margin, ALPHA, POWER)) if sums else "open"


def test_jobs_are_paired_in_their_order_and_what_has_no_partner_counts_nowhere() -> None:
    tallies = (
        Tally(version=1, done=3, failed=1, first="1101"),
        Tally(version=2, done=1, failed=2, first="001"),
    )
    found = claim_of("ur5e", "north", Report(skill="reach", version=2, tallies=tallies), 1, 2)
    assert (found.wins, found.losses, found.pairs) == (1, 2, 3)
    assert (found.done, found.failed) == (1, 2)
    assert claim_of("ur5e", "north", Report(skill="reach", version=2), 1, 2).pairs == 0


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


def honest_and_two(arms: tuple[str, ...]) -> st.SearchStrategy[tuple[list[Claim], list[Claim]]]:
    """Eight robots at least, two of which lie; of each embodiment three are honest."""
    liars = robots(1, 1, ("ur5e", arms[-1]))
    return st.tuples(robots(6 // len(arms), 8 // len(arms), arms), liars)


@pytest.mark.parametrize("arms", [("ur5e",), ("ur5e", "panda")])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_two_of_eight_make_a_verdict(arms: tuple[str, ...], data: st.DataObject) -> None:
    honest, liars = data.draw(honest_and_two(arms))
    found = verdict_of([*honest, *liars], PLAN)
    if found == "not worse":
        assert plainly(honest) == "not worse"
    if found == "worse":  # with two honest ones left out, too, as nobody knows who is
        some = (
            set(range(len(honest))) - set(two)
            for n in (0, 1, 2)
            for two in combinations(range(len(honest)), n)
        )
        assert any(_shows_worse([honest[each] for each in those], len(arms)) for those in some)


def _shows_worse(claims: Sequence[Claim], arms: int) -> bool:
    """As the gate's own test does, of all together or of an embodiment."""
    lost, won, pairs = np.array([(each.losses, each.wins, each.pairs) for each in claims]).T
    of = [np.array([each.arm == arm for each in claims]) for arm in {each.arm for each in claims}]
    miss = (1 - POWER) / 2
    found = [log_evidence(lost[those].sum(), won[those].sum(), pairs[those].sum(), 0.0) for those in of]
    whole = log_evidence(lost.sum(), won.sum(), pairs.sum(), 0.0)
    return bool(whole >= -np.log(miss) or max(found) >= np.log(arms / miss))


@pytest.mark.parametrize("pairs", [1, 16, 64])
@pytest.mark.parametrize("verdict", ["worse", "not worse"])
def test_two_who_agree_move_eight_who_have_seen_little_nowhere(pairs: int, verdict: str) -> None:
    lie = claim(0, pairs, pairs) if verdict == "worse" else claim(pairs, 0, pairs)
    assert verdict_of([*[claim(0, 0, 2)] * 8, lie, lie], PLAN) == "open"
    assert verdict_of([*[claim(0, 0, 2)] * 8, lie, lie, lie], PLAN) in {"open", verdict}


@given(liars=robots(2, 2))
@settings(max_examples=100, deadline=None)
def test_no_two_keep_a_version_that_fails_on_eight_from_being_stopped(liars: list[Claim]) -> None:
    assert verdict_of([*[claim(1, 20, 48)] * 8, *liars], PLAN) == "worse"


def test_no_organisation_of_three_passes_a_ring_by_itself() -> None:
    many = [claim(0, 0, 64, owner="north")] * 10
    few = [claim(0, 0, 3, owner=each) for each in ("south", "west")]
    assert verdict_of(many, PLAN) == "not worse"
    assert verdict_of([*many, *few], PLAN) == "open"
    enough = [claim(0, 0, 40, owner=each) for each in ("south", "west")]
    assert verdict_of([*many, *enough], PLAN) == "not worse"
    failing = [claim(0, 20, 40, owner="north")] * 10
    assert verdict_of([*failing, *few], PLAN) == "worse", "who fails alone is heard"


def test_honest_robots_decide_after_as_many_jobs_as_docs_say() -> None:
    rng = np.random.default_rng(7)
    needed = []
    for _ in range(40):
        old, new = (rng.random((10, 64)) < 0.95 for _ in range(2))
        for jobs in range(1, 65):
            won, lost = ((a & ~b)[:, :jobs].sum(1) for a, b in ((new, old), (old, new)))
            claims = [claim(int(w), int(n), jobs) for w, n in zip(won, lost, strict=True)]
            if verdict_of(claims, PLAN) == "not worse":
                needed.append(10 * jobs)
                break
    assert len(needed) >= 38
    assert np.median(needed) <= 200


def test_who_is_alone_of_its_embodiment_counts_for_it() -> None:
    assert verdict_of([claim(0, 30, 40, "kr10"), claim(0, 0, 64, "ur5e")], PLAN) == "worse"


def test_the_robots_that_say_most_are_not_among_the_least_jobs() -> None:
    many = Claim("ur5e", "north", 0, 0, 64, done=10**9, failed=0)
    assert figures_of([many, claim(0, 0, 5)]).jobs == 5
    assert figures_of([many]).jobs == 64
    assert figures_of([many, many, *[claim(0, 0, 5)] * 6]).jobs == 30
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
