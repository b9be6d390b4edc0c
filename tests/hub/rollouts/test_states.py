"""Whatever happens to a roll-out, in whatever order: rings only open, and where it fails nobody goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rollouts.states import TRANSITIONS, WIDENING, RolloutEvent, Seen, due, next_state, waits
from hub.workers.paired_test import Verdict
from skills.errors import ConflictError
from skills.messages.rollouts import ENDED, UNENDED, RingPlan, RolloutState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS: tuple[RolloutEvent, ...] = get_args(RolloutEvent)
STATES: tuple[RolloutState, ...] = get_args(RolloutState)


def seen(**changes: object) -> Seen:
    facts: dict[str, object] = {
        "plan": RingPlan(least_seconds=60, least_jobs=10),
        "is_last": False,
        "opened_at": NOW - timedelta(seconds=61),
        "robots": 3,
        "jobs": 10,
        "verdict": "not worse",
        "stable": 1,
        "old": 1,
        "new": 2,
    }
    return Seen(**{**facts, **changes})  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_any_events_in_any_order_only_follow_the_table(events: list[RolloutEvent]) -> None:
    state, ring, rolled_back = STATES[0], 0, False
    for event in events:
        try:
            after = next_state(state, event)
        except ConflictError:
            assert (state, event) not in TRANSITIONS
            continue
        assert not rolled_back, "nothing follows a rollback"
        assert state not in ENDED or (state, event) == ("done", "aborted")
        if event in WIDENING:
            assert (after, state in {"open", "waiting"}) == ("open", True)
            ring += 1
        rolled_back = after in {"stopped", "aborted"}
        state = after


def test_whatever_is_under_way_can_be_aborted_and_stopped() -> None:
    for state in UNENDED:
        assert next_state(state, "aborted") == "aborted"
        assert next_state(state, "failed") == "stopped"


FACTS = st.fixed_dictionaries(
    {
        "plan": st.builds(
            RingPlan,
            approval=st.booleans(),
            least_seconds=st.integers(0, 100),
            least_jobs=st.integers(0, 20),
        ),
        "is_last": st.booleans(),
        "opened_at": st.integers(0, 200).map(lambda seconds: NOW - timedelta(seconds=seconds)),
        "robots": st.integers(0, 2),
        "jobs": st.integers(0, 30),
        "verdict": st.sampled_from(get_args(Verdict)),
        "stable": st.sampled_from([None, 1, 2, 3]),
        "is_withdrawn": st.booleans(),
    }
)


@given(st.sampled_from(STATES), FACTS)
def test_what_is_due_belongs_to_the_state_and_nothing_widens_without_all_that_was_asked(
    state: RolloutState, facts: dict[str, object]
) -> None:
    found, known = due(state, seen(**facts), NOW), seen(**facts)
    if found is None:
        return
    assert (state, found.event) in TRANSITIONS
    if found.event in {"passed", "held"} or (found.event == "finished" and known.stable != known.new):
        assert state == "open"
        assert NOW - known.opened_at >= timedelta(seconds=known.plan.least_seconds)
        assert known.verdict != "worse"
        assert known.robots == 0 or (known.jobs >= known.plan.least_jobs and known.verdict == "not worse")
        assert known.plan.approval == (found.event == "held")


@given(st.sampled_from(["open", "waiting", "paused"]), FACTS)
def test_a_worse_version_is_stopped_in_every_state_in_which_robots_have_it(
    state: RolloutState, facts: dict[str, object]
) -> None:
    found = due(state, seen(**{**facts, "verdict": "worse"}), NOW)
    assert found is not None
    assert found.event in {"failed", "overtaken"} or facts["stable"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"opened_at": NOW}, "60 s more"),
        ({"jobs": 4}, "6 jobs more"),
        ({"verdict": "open"}, "pairs of jobs"),
        ({"robots": 0, "opened_at": NOW}, "60 s more"),
    ],
)
def test_people_are_told_what_a_ring_lacks(changes: dict[str, object], words: str) -> None:
    assert words in waits("open", seen(**changes), NOW)
    assert due("open", seen(**changes), NOW) is None
