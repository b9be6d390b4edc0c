"""What rounds cost, and campaigns that end once they gain less than that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.access.principal import THE_HUB
from hub.rounds.costs import Brought, Ended, claimed_seconds, collecting, not_worth, working
from hub.workers.metering import Spent
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.costs import SECONDS_CLAIMED, Cost, StopWhen
from skills.messages.events import Event
from skills.messages.rounds import RoundView
from tests.hub.conftest import Collecting, Hall, Robot, ok, random_tensors, tiny_skill

WATTS = 3.5
seconds = st.floats(0, 1e6)
honest = st.floats(50, 150)
brought = st.builds(Brought, st.integers(1, 10**9), st.none() | seconds, st.integers(1, 50))
ended = st.builds(Ended, st.none() | st.floats(0, 1), st.floats(1e-6, 10))
stops = st.builds(StopWhen, points_per_kwh=st.floats(1e-3, 1e6), rounds=st.integers(1, 6))


@given(st.lists(st.builds(Brought, st.integers(1, 9), honest), min_size=1, max_size=20))
def test_claims_of_alike_robots_add_up(deltas: list[Brought]) -> None:
    assert claimed_seconds(deltas) == pytest.approx(sum(each.seconds or 0.0 for each in deltas))


@given(st.lists(brought, max_size=20), st.randoms())
def test_the_order_of_deltas_does_not_matter(deltas: list[Brought], chance: Any) -> None:
    mixed = list(deltas)
    chance.shuffle(mixed)
    assert collecting(mixed, 7, WATTS) == collecting(deltas, 7, WATTS)


@given(st.lists(honest, min_size=3, max_size=9), st.floats(1e3, 1e12), st.integers(1, 4))
def test_fewer_than_half_cannot_boast_without_bound(claims: list[float], boast: float, liars: int) -> None:
    liars = min(liars, (len(claims) - 1) // 2)
    lied = [Brought(1, boast)] * liars + [Brought(1, each) for each in claims[liars:]]
    assert claimed_seconds(lied) <= 4 * max(claims) * len(claims)


def test_who_claims_nothing_counts_as_the_usual_robot() -> None:
    assert claimed_seconds([Brought(1, None), Brought(1, None)]) == 0
    assert (
        claimed_seconds([Brought(1, 10.0), Brought(1, 30.0), Brought(1, None, robots=5)]) == 10 + 30 + 5 * 20
    )


def test_energy_is_counted_where_that_can_be_and_estimated_elsewhere() -> None:
    assert working(Spent(core_seconds=10), WATTS) == Cost(hub_seconds=10, joules=35)
    counted = working(Spent(core_seconds=10, joules=50), WATTS)
    assert counted == Cost(hub_seconds=10, joules=50, counted_joules=50)
    assert "estimated" in Cost(joules=1).in_words()
    assert "50% measured" in Cost(joules=100, counted_joules=50).in_words()


@given(stops, st.floats(0, 1), st.lists(ended, max_size=12))
def test_a_campaign_ends_exactly_when_its_last_rounds_gain_less(
    stop: StopWhen, before: float, rounds: list[Ended]
) -> None:
    best = [before]
    for each in rounds:
        best.append(max(best[-1], each.success or 0.0))
    last = rounds[-stop.rounds :]
    gain = 100 * (best[-1] - best[max(0, len(rounds) - stop.rounds)])
    worth = gain >= stop.points_per_kwh * sum(each.kwh for each in last)
    assert (not_worth(stop, before, rounds) == "") == (len(rounds) < stop.rounds or worth)


@given(stops, st.floats(0, 1), st.lists(ended, min_size=6, max_size=12), st.floats(1, 100))
def test_what_is_not_worth_its_cost_is_not_worth_more(
    stop: StopWhen, before: float, rounds: list[Ended], factor: float
) -> None:
    dearer = [Ended(each.success, each.kwh * factor) for each in rounds]
    if not_worth(stop, before, rounds):
        assert not_worth(stop, before, dearer)


def test_the_reason_says_the_figures() -> None:
    reason = not_worth(
        StopWhen(points_per_kwh=20, rounds=2), 0.5, [Ended(0.8, 0.1), Ended(0.81, 0.1), Ended(None, 0.1)]
    )
    assert reason == (
        "The last 2 rounds gained 1 points of success for 0.2 kWh: 5 a kWh, below the 20 that were ordered."
    )


def test_rounds_of_before_cost_nothing_that_is_known() -> None:
    view: dict[str, Any] = {"round_id": "r", "campaign_id": "c", "number": 1, "state": "open"}
    view |= {"base": "sha256:" + "0" * 64}
    moment = "2026-03-01T00:00:00Z"
    view |= {
        "opened_at": moment,
        "deadline": moment,
        "deltas": 0,
        "samples": 0,
        "bytes": 0,
        "waiting_for": "",
    }
    assert RoundView.model_validate(view).cost == Cost()


def test_a_round_that_has_begun_cannot_be_judged_by_the_one_before() -> None:
    with pytest.raises(ValidationError, match="stop_when"):
        CampaignRequest(skill="reach", ahead=True, stop_when=StopWhen(points_per_kwh=1))


def bring(
    hall: Hall, robots: list[Robot], seed: int, claims: tuple[float, float] = (100.0, 140.0)
) -> RoundView:
    """Both robots' deltas, with what they claim, and the round that came of them."""
    work = None
    for number, (robot, claim) in enumerate(zip(robots, claims, strict=True)):
        work = robot.assignment()
        assert work is not None
        tensors = random_tensors(tiny_skill(), seed * 10 + number)
        ok(robot.push(work.round_id, robot.delta(work, tensors, metrics={SECONDS_CLAIMED: claim})))
    hall.turn()
    assert work is not None
    return hall.round(work.round_id)


def test_a_round_says_what_it_took(collecting: Collecting) -> None:
    hall, base = collecting.hall, collecting.hall.version(1)
    found = bring(hall, list(collecting.robots), 1)
    cost = found.cost
    assert (cost.received_bytes, cost.sent_bytes) == (found.bytes, 2 * base.size)
    assert cost.robot_seconds == 240
    assert cost.hub_seconds > 0
    parts = [found.metrics[name] for name in ("merge_core_seconds", "gate_core_seconds")]
    assert 0 < sum(parts) <= cost.hub_seconds  # in which the base's own measurement is, too
    estimate = WATTS * (cost.hub_seconds + cost.robot_seconds)
    if not cost.counted_joules:
        assert cost.joules == pytest.approx(estimate)
    second = bring(hall, list(collecting.robots), 2)
    whole: Cost = hall.campaign(collecting.campaign_id).cost
    assert whole.hub_seconds == pytest.approx(cost.hub_seconds + second.cost.hub_seconds)
    assert whole.robot_seconds == 480
    assert Cost.model_validate(hall.get("/skills/reach/cost")) == whole
    sent = hall.get(f"/robots/{collecting.robots[1].robot_id}/contributions")
    assert [each["robot_seconds"] for each in sent] == [140, 140]


def started(hall: Hall, **order: Any) -> tuple[str, list[Robot]]:
    ok(hall.publish(tiny_skill()))
    robots = [hall.enrol("one"), hall.enrol("two")]
    campaign = hall.start(**order)
    hall.turn()
    return campaign, robots


def ends(hall: Hall) -> list[Event]:
    found = hall.services.events.log.after(0, THE_HUB).events
    return [each for each in found if each.kind == "campaign.finished"]


def test_a_campaign_ends_with_its_reason_once_rounds_gain_too_little(hall: Hall) -> None:
    stop = {"points_per_kwh": 10.0, "rounds": 2}
    campaign, robots = started(hall, rounds=9, stop_when=stop)
    hall.gate.scores.update({2: 0.8, 3: 0.9, 4: 0.9, 5: 0.9})
    for number in range(4):
        assert hall.campaign(campaign).state == "running"
        bring(hall, robots, number)
    found: CampaignView = hall.campaign(campaign)
    assert (found.state, len(found.rounds)) == ("finished", 4)
    assert found.reason.startswith("The last 2 rounds gained 0 points of success for ")
    assert [each.data["reason"] for each in ends(hall)] == [found.reason]


def test_a_phase_that_only_prepares_ends_no_campaign(hall: Hall) -> None:
    order = {"rounds": 3, "then": [{"rounds": 3}], "stop_when": {"points_per_kwh": 10.0, "rounds": 2}}
    campaign, robots = started(hall, **order)
    for number in range(5):
        assert hall.campaign(campaign).state == "running"
        bring(hall, robots, number)
    assert hall.campaign(campaign).state == "finished"
