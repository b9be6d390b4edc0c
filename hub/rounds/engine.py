"""The engine: moves every running campaign on, one small step at a time.

It decides which step is due and what happens when one fails; the steps themselves are
`hub.rounds.round_steps`. Each step is done under the campaign's lease, so engines of several processes, and
threads of one, share the campaigns. Nothing is remembered between steps, so a hub that was killed at any line
is succeeded by any other.
"""

from __future__ import annotations

from hub.queue.background_loop import LOOK_SECONDS
from hub.queue.leased_queue import Held, LeasedQueue
from hub.rounds.round_steps import RoundSteps
from hub.storage.tables.rounds import CampaignRow
from skills.errors import ZunftError

__all__ = ["RoundEngine"]


class RoundEngine:
    """Moves rounds on. `run_once` is the whole of it; background loops repeat it.

    Args:
        steps: What there is to do.
        queue: Of campaigns.
    """

    def __init__(self, steps: RoundSteps, queue: LeasedQueue[CampaignRow]) -> None:
        self._steps = steps
        self._queue = queue

    def work(self) -> float:
        """As a background loop wants it."""
        return 0.0 if self.run_once() else LOOK_SECONDS

    def run_once(self) -> bool:
        """Move each campaign on in which something is due and nobody at work; True when any moved."""
        moved = [
            self._queue.do(self._step, self._give_up, CampaignRow.campaign_id == campaign_id)
            for campaign_id in self._steps.due()
        ]
        return any(moved)

    def _step(self, held: Held[CampaignRow]) -> None:
        campaign, row = self._steps.look(held.row.campaign_id)  # others may have moved it before the lease
        if row is None:
            self._steps.begin(held, campaign)
            return
        match row.state:
            case "open":
                self._steps.collect(held, row)
            case "closing":
                self._steps.close(held, row)
            case "merging":
                self._steps.merge(held, campaign, row)
            case "gating":
                self._steps.examine(held, campaign, row)
            case _:
                self._steps.go_on(held, campaign, row)

    def _give_up(self, held: Held[CampaignRow], error: Exception) -> None:
        reason = str(error) if isinstance(error, ZunftError) else f"Internal error: {error!r}"
        self._steps.give_up(held, *self._steps.look(held.key[0]), reason)
