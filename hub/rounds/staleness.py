"""Buffered asynchronous merging: where a late delta counts, and how much, as pure rules.

Source: Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation" (FedBuff), 2022,
algorithm 1 and section 5 (weight 1 / sqrt(1 + staleness)). The buffer is the open round; its size is the
campaign's target, or all robots that are expected. The delta itself is merged as it came: it was made from
an older base, which is what the smaller weight is for.
"""

from __future__ import annotations

from typing import Literal

from skills.messages.rounds import RoundState

__all__ = ["Place", "place"]

Place = Literal["in time", "late", "later", "closed"]
"""Counts in its own round; in the newest one; not yet, send it again soon; never."""


def place(
    *, state: RoundState, newest: RoundState, staleness: int, allowed: int, rounds_left: int, running: bool
) -> Place:
    """Where a delta belongs that was made for some round of a campaign.

    Args:
        state: Of the round that it was made for; `closing` if it is open beyond its deadline.
        newest: The same of the campaign's newest round.
        staleness: Rounds between the two.
        allowed: The campaign's `max_staleness`; 0 where the newest round is in another phase.
        rounds_left: Rounds that the campaign may still open in this phase.
        running: Whether the campaign runs.
    """
    if state == "open" and running:
        return "in time"
    if not running or staleness > allowed:
        return "closed"
    if newest == "open":
        return "late"
    # Between two rounds: in the next one it will be staler by one.
    return "later" if rounds_left and staleness < allowed else "closed"
