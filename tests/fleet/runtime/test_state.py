"""Whether a robot may move: from every state, whatever happens, and never out of a stop without a person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.runtime.state import READY, Standing, after, failed, rested

PATIENCE = 3
EVENTS = st.lists(st.sampled_from(["fine", "objection", "failed", "rested"]), max_size=40)


def play(standing: Standing, event: str) -> Standing:
    if event == "failed":
        return failed(standing, "lost")
    if event == "rested":
        return rested(standing)
    return after(standing, "" if event == "fine" else "stale", PATIENCE)


@given(EVENTS)
def test_only_a_person_leads_out_of_a_stop(events: list[str]) -> None:
    standing, stopped = READY, False
    for event in events:
        standing = play(standing, event)
        assert not (stopped and standing.state != "stopped")
        stopped = standing.state == "stopped"
        assert bool(standing.reason) == (standing.state in {"holding", "stopped"})


@given(EVENTS)
def test_it_moves_after_a_fine_period_alone_and_stops_after_so_many_others_in_a_row(
    events: list[str],
) -> None:
    standing, row = READY, 0
    for event in events:
        before = standing
        standing = play(standing, event)
        row = row + 1 if event == "objection" else 0 if event in {"fine", "rested"} else row
        if standing.state == "moving":
            assert event == "fine"
        if before.state != "stopped":
            assert (standing.state == "stopped") == (event == "failed" or row == PATIENCE)


def test_the_reason_of_a_stop_is_the_first_one() -> None:
    stopped = failed(Standing("moving"), "lost")
    assert failed(stopped, "again").reason == after(stopped, "stale", 1).reason == "lost"
