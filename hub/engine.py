"""The engine: one thread that moves every running campaign on, one small step at a time.

It decides which step is due and what happens when one fails; the steps themselves are `hub.steps`.
Nothing is remembered between steps, so a hub that was killed at any line goes on from the journal.
"""

from __future__ import annotations

import threading

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from hub.bell import Bell
from hub.database import Database
from hub.journal import newest_round
from hub.models import CampaignRow, RoundRow
from hub.steps import Steps
from hub.store import StoreError
from skills.errors import ZunftError

__all__ = ["Engine"]

LONGEST_WAIT = 1.0  # seconds between two looks at deadlines and at robots that went away
BREATH = 0.05  # seconds between two looks, so that a hundred deltas at once are not looked at a hundred times
PAUSE = 1.0  # seconds after a database or store that did not answer

log = structlog.get_logger("zunft.engine")


class Engine:
    """Moves rounds on. `run_once` is the whole of it; the thread only repeats it."""

    def __init__(self, database: Database, steps: Steps, bell: Bell) -> None:
        self._database = database
        self._steps = steps
        self._bell = bell
        self._thread = threading.Thread(target=self._run, name="zunft-engine", daemon=True)
        self._stopping = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its present step."""
        self._stopping.set()
        self._bell.ring()
        if self.alive:
            self._thread.join()

    def run_once(self) -> bool:
        """Move each running campaign on by one step; True when any of them moved."""
        with self._database.read() as session:
            statement = select(CampaignRow).where(CampaignRow.state == "running")
            running = session.scalars(statement.order_by(CampaignRow.created_at)).all()
            newest = [newest_round(session, row.campaign_id) for row in running]
        moved = [self._advance(*pair) for pair in zip(running, newest, strict=True)]
        return any(moved)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._bell.rings
            try:
                moved = self.run_once()
            except (OperationalError, StoreError) as error:
                # They come back: the round waits and nothing is lost.
                log.warning("engine.waits", reason=str(error))
                self._stopping.wait(PAUSE)
                continue
            if not moved:
                self._bell.wait(seen, LONGEST_WAIT)
                self._stopping.wait(BREATH)

    def _advance(self, campaign: CampaignRow, newest: RoundRow | None) -> bool:
        try:
            return self._step(campaign, newest)
        except (OperationalError, StoreError):
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, ZunftError) else f"Internal error: {error!r}"
            log.exception("engine.step_failed", campaign_id=campaign.campaign_id, reason=reason)
            self._steps.give_up(campaign, newest, reason)
            return True

    def _step(self, campaign: CampaignRow, newest: RoundRow | None) -> bool:
        if newest is None:
            return self._steps.begin(campaign)
        match newest.state:
            case "open":
                return self._steps.collect(newest)
            case "closing":
                return self._steps.close(newest)
            case "merging":
                return self._steps.merge(campaign, newest)
            case "gating":
                return self._steps.examine(campaign, newest)
            case _:
                return self._steps.go_on(campaign, newest)
