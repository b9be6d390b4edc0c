from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rounds.states import (
    Collection,
    Missing,
    Work,
    campaign_waits,
    collection_event,
    needed,
    next_state,
    waiting_for,
    without,
)
from hub.rounds.states import RoundEvent as Event
from skills.errors import ConflictError
from skills.messages.campaigns import CampaignRequest
from skills.messages.rounds import FINAL, RoundState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS: list[Event] = [
    "full",
    "late",
    "starved",
    "listed",
    "merged",
    "passed",
    "refused",
    "broken",
    "stopped",
]
MISSING = [Missing("ur5e"), Missing("iiwa", silent=600)]
ORDER: list[RoundState] = ["open", "closing", "merging", "gating"]
names = st.frozensets(st.sampled_from("abcdefgh"))


def collection(
    arrived: frozenset[str], expected: frozenset[str], *, quorum: int = 2, target: int = 0, left: float = 10
) -> Collection:
    order = CampaignRequest(skill="reach", quorum=quorum, target=target)
    return Collection(order, NOW + timedelta(seconds=left), arrived, expected)


@given(st.lists(st.sampled_from(EVENTS), max_size=20))
def test_no_sequence_of_events_skips_a_state_or_leaves_a_final_one(events: list[Event]) -> None:
    state: RoundState = "open"
    for event in events:
        try:
            following = next_state(state, event)
        except ConflictError:
            continue
        assert state not in FINAL
        assert following in FINAL or ORDER.index(following) == ORDER.index(state) + 1
        assert following != "published" or (state, event) == ("gating", "passed")
        state = following


@pytest.mark.parametrize("state", ORDER)
def test_every_state_that_is_not_final_can_be_left(state: RoundState) -> None:
    assert any(next_state(state, event) for event in ("broken", "stopped"))
    assert next_state(state, "broken") == "failed"


@given(
    arrived=names, expected=names, quorum=st.integers(1, 5), extra=st.integers(0, 5), left=st.integers(-9, 9)
)
def test_collecting_ends_when_all_came_or_at_the_deadline_and_never_else(
    arrived: frozenset[str], expected: frozenset[str], quorum: int, extra: int, left: int
) -> None:
    target = quorum + extra if extra else 0
    facts = collection(arrived, expected, quorum=quorum, target=target, left=left)
    event = collection_event(facts, NOW)
    if event == "full":
        assert len(arrived) >= (target or quorum)
        assert target or expected <= arrived
    elif event is None:
        assert left > 0
    else:
        assert left <= 0
        assert (event == "late") == (len(arrived) >= quorum)


@given(arrived=names, expected=names)
def test_one_more_delta_never_reopens_a_round_that_was_full(
    arrived: frozenset[str], expected: frozenset[str]
) -> None:
    if collection_event(collection(arrived, expected), NOW) == "full":
        assert collection_event(collection(arrived | {"another"}, expected), NOW) == "full"


def test_the_quorum_is_waited_for_also_when_fewer_robots_are_known() -> None:
    assert needed(collection(frozenset("a"), frozenset("a"), quorum=3)) == 3


def test_a_round_says_whom_it_waits_for_and_how_long() -> None:
    facts = collection(frozenset("a"), frozenset("abc"), left=42)
    words = waiting_for("open", facts, NOW, MISSING, Work())
    assert words == ("1 of 3 deltas; waiting for robots (iiwa, silent for 10 min; ur5e), at most 42 s more.")
    late = Collection(facts.order, facts.deadline, facts.arrived, facts.expected, stale=1)
    assert "1 of 3 deltas (1 of them late)" in waiting_for("open", late, NOW, [], Work())
    assert without(MISSING) == "Closed at the deadline without robots (iiwa, silent for 10 min; ur5e)."
    assert without([]) == ""


def test_a_round_whose_time_is_up_no_longer_waits_for_robots() -> None:
    over = collection(frozenset("ab"), frozenset("abc"), left=-1)
    assert waiting_for("open", over, NOW, MISSING, Work()) == (
        "2 of 3 deltas; the round is to be closed; it waits for a process with a free worker."
    )


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (Work(), "free worker"),
        (Work("somebody", 7), "for 7 s."),
        (Work("gone", 70), "is gone"),
        (Work(note="the store is asleep."), "that waits: the store is asleep. It is tried again"),
    ],
)
@pytest.mark.parametrize("state", ORDER[1:])
def test_a_step_that_is_due_says_what_becomes_of_it(state: RoundState, work: Work, words: str) -> None:
    assert words in waiting_for(state, collection(frozenset(), frozenset()), NOW, [], work)
    assert words in campaign_waits(None, "", work)
    assert words in campaign_waits("published", "", work)
    assert campaign_waits(state, "its round's", work) == "its round's"


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_round_that_is_over_waits_for_nothing(state: RoundState) -> None:
    words = waiting_for(state, collection(frozenset(), frozenset()), NOW, [], Work())
    assert words.startswith("Nothing")
