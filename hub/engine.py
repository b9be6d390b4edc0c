"""The engine: threads that move every running campaign on, one small step at a time.

It decides which step is due and what happens when one fails; the steps themselves are `hub.steps`. Each step
is done under the campaign's lease, so engines of several processes, and threads of one, share the campaigns.
Nothing is remembered between steps, so a hub that was killed at any line is succeeded by any other.
"""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import OperationalError

from hub.bell import Bell
from hub.jobs.job import JobAbandonedError, WorkersAwayError
from hub.leaseholder import HeldLease, Leaseholder, LeaseLostError
from hub.models import CampaignRow, RoundRow
from hub.steps import Steps
from hub.store import StoreError
from skills.errors import ZunftError

__all__ = ["Engine"]

LONGEST_WAIT = 1.0  # seconds between two looks at deadlines and at robots that went away
BREATH = 0.1  # seconds between two looks, so that a hundred deltas at once are not looked at a hundred times
PAUSE = 1.0  # seconds after a database, store or cluster that did not answer

log = structlog.get_logger("zunft.engine")


class Engine:
    """Moves rounds on. `run_once` is the whole of it; the threads only repeat it.

    Args:
        steps: What there is to do.
        leaseholder: Under which name it is done.
        bell: Rings when there is news.
        threads: Campaigns that are worked on at the same time.
    """

    def __init__(self, steps: Steps, leaseholder: Leaseholder, bell: Bell, threads: int = 1) -> None:
        self._steps = steps
        self._leaseholder = leaseholder
        self._bell = bell
        self._threads = [
            threading.Thread(target=self._run, name=f"zunft-engine-{number}", daemon=True)
            for number in range(threads)
        ]
        self._stopping = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether all threads are at work."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads: what runs elsewhere for them is given up, and others may go on from there."""
        self._stopping.set()
        self._bell.ring()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def run_once(self) -> bool:
        """Move each campaign on in which something is due and nobody at work; True when any moved."""
        moved = [self._advance(campaign_id) for campaign_id in self._steps.due()]
        return any(moved)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._bell.rings
            try:
                moved = self.run_once()
            except OperationalError as error:
                # It comes back: the rounds wait and nothing is lost.
                log.warning("engine.waits", reason=str(error))
                self._stopping.wait(PAUSE)
                continue
            if not moved:
                self._bell.wait(seen, LONGEST_WAIT)
                self._stopping.wait(BREATH)

    def _advance(self, campaign_id: str) -> bool:
        if self._stopping.is_set():
            return False
        with self._leaseholder.lease(campaign_id, self._stopping.is_set) as held:
            return held is not None and self._try_step(held)

    def _try_step(self, held: HeldLease) -> bool:
        campaign, newest = self._steps.look(held.campaign_id)  # others may have moved it before the lease
        if campaign.state != "running":
            return False
        try:
            return self._step(held, campaign, newest)
        except OperationalError:
            raise
        except (LeaseLostError, JobAbandonedError) as error:
            log.warning("engine.step_let_go", campaign_id=campaign.campaign_id, reason=str(error))
            return False
        except (StoreError, WorkersAwayError) as error:
            # They come back, too; meanwhile the lease says why nobody is at work.
            log.warning("engine.waits", campaign_id=campaign.campaign_id, reason=str(error))
            held.rest(PAUSE, error.message)
            return False
        except Exception as error:
            reason = str(error) if isinstance(error, ZunftError) else f"Internal error: {error!r}"
            log.exception("engine.step_failed", campaign_id=campaign.campaign_id, reason=reason)
            self._steps.give_up(held, campaign, newest, reason)
            return True

    def _step(self, held: HeldLease, campaign: CampaignRow, newest: RoundRow | None) -> bool:
        if newest is None:
            return self._steps.begin(held, campaign)
        match newest.state:
            case "open":
                return self._steps.collect(held, newest)
            case "closing":
                return self._steps.close(held, newest)
            case "merging":
                return self._steps.merge(held, campaign, newest)
            case "gating":
                return self._steps.examine(held, campaign, newest)
            case _:
                return self._steps.go_on(held, campaign, newest)
