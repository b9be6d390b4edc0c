"""How the hub stands, as metrics read from the database at the moment of a scrape.

All replicas of a hub read the same rows, so these figures are equal on each; a dashboard takes their maximum.
A database that does not answer leaves them out and says so, and the other metrics stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from hub.clock import Clock
from hub.queue.background_loop import BackgroundLoop
from hub.storage.database import Database
from hub.storage.tables.events import EventRow
from hub.storage.tables.health import HealthRow
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import RolloutRow, RolloutStepRow
from hub.storage.tables.rounds import CampaignRow, RoundRow
from hub.storage.tables.scores import SCORE_STATES, ScoreRow
from hub.webhooks.arrears import dead_letters, oldest_undelivered
from skills.messages.campaigns import CampaignView
from skills.messages.costs import Cost
from skills.messages.rollouts import PREVENTED, RolloutState
from skills.messages.rounds import FINAL, RoundState

__all__ = ["Standing"]

ROUND_STATES: tuple[str, ...] = get_args(RoundState)
CAMPAIGN_STATES: tuple[str, ...] = get_args(CampaignView.model_fields["state"].annotation)
ROLLOUT_STATES: tuple[str, ...] = get_args(RolloutState)
"""Steps of a roll-out after which a version is not tried on more robots."""
UNFINISHED = tuple(state for state in ROUND_STATES if state not in FINAL)


class Standing(Collector):
    """Counts rows; the clock and what counts as lately are the hub's."""

    def __init__(
        self, database: Database, loops: Sequence[BackgroundLoop], clock: Clock, active_seconds: float
    ) -> None:
        self._database = database
        self._loops = loops
        self._clock = clock
        self._lately = timedelta(seconds=active_seconds)

    def describe(self) -> list[Metric]:
        """The families without figures."""
        return list(_families().values())

    def collect(self) -> Iterable[Metric]:
        """The families, as far as the database answers."""
        found = _families()
        engine = [loop for loop in self._loops if loop.name.startswith("engine-")]
        found["engine_up"].add_sample("zunft_engine_up", {}, float(not any(e.trouble() for e in engine)))
        for loop in self._loops:
            is_well = float(not loop.trouble())
            found["background_up"].add_sample("zunft_background_up", {"loop": loop.name}, is_well)
        try:
            with self._database.read() as session:
                self._read(session, found)
        except SQLAlchemyError:
            up = {name: found[name] for name in ("engine_up", "background_up")}
            found = {**up, "database_up": _families()["database_up"]}
            found["database_up"].add_sample("zunft_database_up", {}, 0)
        return found.values()

    def _read(self, session: Session, found: Mapping[str, Metric]) -> None:
        now = self._clock()
        for name, column, states in (
            ("campaigns", CampaignRow.state, CAMPAIGN_STATES),
            ("rounds", RoundRow.state, ROUND_STATES),
            ("scores", ScoreRow.state, SCORE_STATES),
            ("rollouts", RolloutRow.state, ROLLOUT_STATES),
        ):
            counts = _counts(session, column)
            for state in states:
                found[name].add_sample(f"zunft_{name}", {"state": state}, counts.get(state, 0))
        prevented = select(func.count()).where(RolloutStepRow.event.in_(PREVENTED))
        found["prevented"].add_sample("zunft_prevented_incidents_total", {}, session.scalar(prevented) or 0)
        self._cost(session, found)
        oldest = select(RoundRow.state, func.min(RoundRow.opened_at)).where(RoundRow.state.in_(UNFINISHED))
        opened = {row[0]: row[1] for row in session.execute(oldest.group_by(RoundRow.state))}
        for state in UNFINISHED:
            age = (now - opened[state]).total_seconds() if state in opened else 0.0
            found["oldest"].add_sample("zunft_oldest_round_seconds", {"state": state}, max(0.0, age))
        robots = select(func.count()).where(RobotRow.closed_at.is_(None))
        enrolled = session.scalar(robots) or 0
        seen = session.scalar(robots.where(RobotRow.last_seen_at >= now - self._lately)) or 0
        worn = select(func.count(HealthRow.robot_id.distinct())).where(HealthRow.worn_since.is_not(None))
        found["worn"].add_sample("zunft_robots_worn", {}, session.scalar(worn) or 0)
        events = session.scalar(select(func.max(EventRow.id))) or 0
        found["robots"].add_sample("zunft_robots", {}, enrolled)
        found["seen"].add_sample("zunft_robots_seen_lately", {}, seen)
        found["events"].add_sample("zunft_events_total", {}, events)
        oldest_event = oldest_undelivered(session)
        behind = 0.0 if oldest_event is None else (now - oldest_event).total_seconds()
        found["dead_letters"].add_sample("zunft_webhook_dead_letters", {}, dead_letters(session))
        found["undelivered"].add_sample("zunft_webhook_oldest_undelivered_seconds", {}, max(0.0, behind))
        found["database_up"].add_sample("zunft_database_up", {}, 1)

    def _cost(self, session: Session, found: Mapping[str, Metric]) -> None:
        names = list(Cost.model_fields)
        row = session.execute(select(*(func.sum(getattr(RoundRow, name)) for name in names))).one()
        cost = Cost.model_validate({name: each or 0 for name, each in zip(names, row, strict=True)})
        estimated = max(0.0, cost.joules - cost.counted_joules)
        for family, label, figures in (
            ("cost_bytes", "way", {"received": cost.received_bytes, "sent": cost.sent_bytes}),
            ("cost_core_seconds", "by", {"hub": cost.hub_seconds, "robots": cost.robot_seconds}),
            ("cost_joules", "how", {"counted": cost.counted_joules, "estimated": estimated}),
        ):
            for value, figure in figures.items():
                found[family].add_sample(f"zunft_{family}_total", {label: value}, figure)


def _counts(session: Session, column: InstrumentedAttribute[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(select(column, func.count()).group_by(column))}


def _families() -> dict[str, Metric]:
    return {
        "engine_up": GaugeMetricFamily("zunft_engine_up", "Whether this process's engine is at work."),
        "background_up": GaugeMetricFamily(
            "zunft_background_up", "Whether a loop in this process's background is at work.", labels=["loop"]
        ),
        "database_up": GaugeMetricFamily("zunft_database_up", "Whether the database answered this scrape."),
        "campaigns": GaugeMetricFamily("zunft_campaigns", "Campaigns by state.", labels=["state"]),
        "rounds": GaugeMetricFamily("zunft_rounds", "Rounds by state.", labels=["state"]),
        "scores": GaugeMetricFamily(
            "zunft_scores", "Versions on the way to a leaderboard by state.", labels=["state"]
        ),
        "rollouts": GaugeMetricFamily("zunft_rollouts", "Roll-outs by state.", labels=["state"]),
        "prevented": CounterMetricFamily(
            "zunft_prevented_incidents", "Roll-outs that were stopped or aborted before all robots had them."
        ),
        "oldest": GaugeMetricFamily(
            "zunft_oldest_round_seconds",
            "Seconds since the oldest round in each unfinished state was opened; 0: there is none.",
            labels=["state"],
        ),
        "cost_bytes": CounterMetricFamily(
            "zunft_cost_bytes", "Bytes of deltas received, and of bases sent, of all rounds.", labels=["way"]
        ),
        "cost_core_seconds": CounterMetricFamily(
            "zunft_cost_core_seconds",
            "Processor seconds of all rounds: by the hub, measured; by robots, as they claim.",
            labels=["by"],
        ),
        "cost_joules": CounterMetricFamily(
            "zunft_cost_joules",
            "Energy of all rounds: counted by the hub's machines, or estimated.",
            labels=["how"],
        ),
        "robots": GaugeMetricFamily("zunft_robots", "Enrolled robots."),
        "seen": GaugeMetricFamily(
            "zunft_robots_seen_lately", "Robots that asked for something in the last robot_active_seconds."
        ),
        "worn": GaugeMetricFamily("zunft_robots_worn", "Robots that say that they are worn."),
        "dead_letters": GaugeMetricFamily(
            "zunft_webhook_dead_letters", "Messages to webhooks that were given up and lie there still."
        ),
        "undelivered": GaugeMetricFamily(
            "zunft_webhook_oldest_undelivered_seconds",
            "Seconds since the oldest event that a webhook has still to be told of; 0: there is none.",
        ),
        "events": CounterMetricFamily("zunft_events", "Events so far: the number of the newest."),
    }
