"""Orders about roll-outs: start one, pause, resume, approve, abort; and looking at them.

A roll-out is its skill's: who may see and change it follows from that. It is taken on by
`hub.rollouts.engine`; what an order leads to is the rule of `hub.rollouts.states`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Principal, Viewer
from hub.access.visibility import must_change
from hub.attestations.keeping import Attestations
from hub.catalogue.catalogue import own_skill
from hub.clock import Clock
from hub.rollouts.facts import plan_of
from hub.rollouts.journal import begin, enter, find_rollout
from hub.rollouts.states import RolloutEvent
from hub.rollouts.views import ROLLOUT_ORDER, counts_of, listed_rollouts, rollout_line, rollout_view
from hub.storage.database import Database
from hub.storage.paging import page_of
from hub.storage.record import note
from hub.storage.tables.rollouts import RolloutRow
from hub.storage.tables.skills import SkillRow
from skills.messages.lists import Page, RolloutQuery
from skills.messages.rollouts import UNENDED, RolloutCounts, RolloutOrder, RolloutRequest, RolloutView

__all__ = ["Rollouts"]

EVENTS: dict[str, RolloutEvent] = {"pause": "paused", "resume": "resumed", "abort": "aborted"}


@dataclass(frozen=True)
class Rollouts:
    """Each call is its own transaction."""

    database: Database
    attestations: Attestations
    clock: Clock

    def start(self, request: RolloutRequest, *, by: Principal) -> RolloutView:
        """Bring a version to robots, ring by ring.

        Raises:
            NotFoundError: No such skill or version, nothing is stable yet, or a robot is named that is none.
            ForbiddenError: It is another organisation's.
            ConflictError: Another roll-out of the skill is under way, or this one leads nowhere.
        """
        now = self.clock()
        with self.database.write() as session:
            own_skill(session, request.skill, by)
            return rollout_view(session, begin(session, request, now, by=by), now)

    def order(self, rollout_id: str, said: RolloutOrder, *, by: Principal) -> RolloutView:
        """Pause, resume, approve or abort.

        Raises:
            NotFoundError: No such roll-out.
            ForbiddenError: It is another organisation's.
            ConflictError: It is in no state for that.
        """
        now = self.clock()
        with self.database.write() as session:
            row = find_rollout(session, rollout_id, by, lock=True)
            owner = session.get_one(SkillRow, row.skill).organisation
            must_change(by, owner, f"roll-out {rollout_id}")
            event = _event(row, said)
            enter(session, self.attestations, row, event, now, by=by.actor, reason=said.reason)
            note(session, f"rollout.{event}", now, by=by.actor, subject=rollout_id, skill=row.skill)
            return rollout_view(session, row, now)

    def rollouts(self, viewer: Viewer, query: RolloutQuery) -> Page[RolloutView]:
        """Roll-outs that the viewer sees, newest first, without what their robots say."""
        with self.database.read() as session:
            found = listed_rollouts(viewer, query)
            return page_of(
                session, found, ROLLOUT_ORDER, query, lambda rows: (rollout_line(row[0]) for row in rows)
            )

    def under_way(self, viewer: Viewer, most: int) -> tuple[RolloutView, ...]:
        """Roll-outs that the viewer sees and that have not ended, as in `rollouts`."""
        with self.database.read() as session:
            found = listed_rollouts(viewer, RolloutQuery()).where(RolloutRow.state.in_(UNENDED))
            newest = found.order_by(*(key.desc() for key in ROLLOUT_ORDER.keys)).limit(most)
            return tuple(rollout_line(row) for row in session.scalars(newest))

    def counts(self, viewer: Viewer) -> RolloutCounts:
        """How many roll-outs the viewer sees."""
        with self.database.read() as session:
            return counts_of(session, viewer)

    def rollout(self, rollout_id: str, viewer: Viewer) -> RolloutView:
        """One of them.

        Raises:
            NotFoundError: No such roll-out.
        """
        with self.database.read() as session:
            return rollout_view(session, find_rollout(session, rollout_id, viewer), self.clock())


def _event(row: RolloutRow, said: RolloutOrder) -> RolloutEvent:
    if said.order != "approve":
        return EVENTS[said.order]
    is_last = row.state == "waiting" and row.ring == len(plan_of(row).rings) - 1
    return "finished" if is_last else "approved"
