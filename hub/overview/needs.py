"""What needs a person: what went wrong and was not put right since, and what is nearly used up.

Rules over what is logged and counted; nothing is kept beside that. Who is told of it elsewhere is
`hub.webhooks`' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.access.principal import Principal
from hub.access.visibility import may_change
from hub.catalogue.catalogue import Catalogue
from hub.events.log import EventLog
from hub.organisations.registry import Organisations
from skills.messages.events import Event
from skills.messages.lists import EventQuery, OrganisationQuery
from skills.messages.organisations import OrganisationView, Use
from skills.messages.overview import Need, NeedKind
from skills.messages.robots import RobotCounts
from skills.messages.rollouts import RolloutState, RolloutView

__all__ = ["Needs"]

LATELY = 50
"""Events of a kind that are looked through."""

NEARLY = 0.9
"""Share of a quota."""


@dataclass(frozen=True)
class Trouble:
    """A kind of event that is bad news, and those that put it right; all name the same thing."""

    need: NeedKind
    bad: str
    good: tuple[str, ...]
    about: str = "skill"


TROUBLES = (
    Trouble("candidate_rejected", "round.rejected", ("round.published", "version.published")),
    Trouble("release_refused", "release.refused", ("version.published",)),
    Trouble("campaign_failed", "campaign.failed", ("campaign.started",)),
    Trouble("rollout_stopped", "rollout.stopped", ("rollout.started", "rollout.done", "version.published")),
    Trouble("task_refused", "task.refused", ("task.listed",), "task"),
)
HALTED: dict[RolloutState, NeedKind] = {"waiting": "rollout_waits", "paused": "rollout_paused"}
"""Roll-outs that go on when somebody says so."""


@dataclass(frozen=True)
class Needs:
    """Each call is a look at one moment."""

    log: EventLog
    catalogue: Catalogue
    organisations: Organisations

    def of(self, viewer: Principal, counts: RobotCounts, rollouts: Sequence[RolloutView]) -> tuple[Need, ...]:
        """What somebody who runs robots should look at, the newest first, and then what has no time.

        Args:
            viewer: Who looks.
            counts: Of the viewer's robots.
            rollouts: Under way, of skills that the viewer sees.
        """
        found = [each for trouble in TROUBLES for each in self._troubles(trouble, viewer)]
        found += (each for rollout in rollouts for each in self._halted(rollout, viewer))
        found.sort(key=lambda need: str(need.at), reverse=True)
        robots: list[tuple[NeedKind, int]] = [
            ("robots_lost", counts.lost),
            ("robots_refuse", counts.refusing),
        ]
        found += [Need(kind=kind, number=number) for kind, number in robots if number]
        ours = self.organisations.organisations(viewer, OrganisationQuery()).items
        return (*found, *(need for each in ours for need in _nearly_used_up(each)))

    def _troubles(self, trouble: Trouble, viewer: Principal) -> Iterator[Need]:
        settled: dict[str, int] = {}
        for kind in trouble.good:
            for event in self._newest(kind, viewer):
                about = str(event.data.get(trouble.about, ""))
                settled[about] = max(event.id, settled.get(about, 0))
        named: set[str] = set()
        for event in self._newest(trouble.bad, viewer):
            about = str(event.data.get(trouble.about, ""))
            if about in named or settled.get(about, 0) > event.id:
                continue
            named.add(about)
            if trouble.about != "skill" or self._is_ours(about, viewer):
                yield Need(
                    kind=trouble.need,
                    about=about,
                    rollout=str(event.data.get("rollout_id", "")),
                    reason=str(event.data.get("reason", "")),
                    at=event.at,
                )

    def _halted(self, rollout: RolloutView, viewer: Principal) -> Iterator[Need]:
        kind = HALTED.get(rollout.state)
        if kind is not None and self._is_ours(rollout.skill, viewer):
            ring = rollout.rings[rollout.ring - 1]
            yield Need(
                kind=kind,
                about=rollout.skill,
                rollout=rollout.rollout_id,
                reason=rollout.reason,
                at=ring.opened_at,
            )

    def _newest(self, kind: str, viewer: Principal) -> tuple[Event, ...]:
        return self.log.past(viewer, EventQuery(kind=kind, limit=LATELY)).items

    def _is_ours(self, skill: str, viewer: Principal) -> bool:
        return may_change(viewer, self.catalogue.skill(skill, viewer).organisation)


def _nearly_used_up(one: OrganisationView) -> Iterator[Need]:
    for name in Use.model_fields:
        most, used = getattr(one.quotas, name), getattr(one.use, name)
        if most is not None and used >= NEARLY * most:
            yield Need(kind="quota", about=one.name, reason=f"{name.replace('_', ' ')}: {used} of {most}")
