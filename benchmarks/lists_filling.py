"""A hub's database filled set by set, as large as one wants it, for measuring what its lists cost.

Half of it is one organisation's, half the guild's: skills, versions, scores, campaigns, rounds and deltas;
robots, people, tasks, events. No store has anything of it. What is measured is `benchmarks.lists`' business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, String, cast, insert, literal, select, text
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

from hub.storage.database import Database
from hub.storage.tables.events import AuditRow, EventRow
from hub.storage.tables.people import OrganisationRow, UserRow, UserTokenRow
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rollouts import ReportRow, RolloutRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.scores import ScoreRow
from hub.storage.tables.search import SearchTextRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from hub.storage.tables.webhooks import WebhookRow
from hub.storage.tables.withdrawals import WithdrawalRow
from hub.withdrawals.plan import Plan
from hub.workers.job import Checked, Scored
from skills.manifest import Channel, Contract, Manifest
from skills.messages.campaigns import CampaignRequest
from skills.messages.leaderboards import BOARD
from skills.messages.skills import GateReport, ScoreView
from skills.networks.mlp import Mlp

__all__ = ["FULL", "OWNER", "TASK", "Size", "fill"]

OWNER = "North"
START = datetime(2026, 1, 1, tzinfo=UTC)
TASK = "weld-seam"
SCORE = ScoreView(score=0.75, low=0.6, high=0.86, episodes=64, mean_return=12.5)
GATE = GateReport(
    passed=True,
    reason="No worse than v6.",
    candidate=SCORE,
    current=SCORE,
    by_embodiment={"panda": SCORE, "ur5e": SCORE},
    seconds=12.0,
)
MANIFEST = Manifest(
    name="skill-1001",
    version=7,
    task=TASK,
    contract=Contract(
        observation=tuple(Channel(name=f"channel_{i}", size=3, unit="m", scale=0.1) for i in range(8)),
        action=(Channel(name="twist", size=6, unit="m/s", scale=0.1),),
        control_hz=50,
    ),
    network=Mlp(inputs=24, outputs=6, hidden=(64, 64)),
    origin="merge",
    summary="Follows a seam.",
)


@dataclass(frozen=True)
class Size:
    """How much there is; `versions` and `rounds` are of each skill."""

    skills: int
    versions: int
    rounds: int
    robots: int
    events: int


FULL = Size(skills=1200, versions=500, rounds=300, robots=2000, events=200_000)


def fill(database: Database, size: Size, task_digest: str | None) -> None:
    """Fill an empty hub's database; half of it is `OWNER`'s, the other half the guild's."""
    with database.write() as session:
        _add(session, OrganisationRow, map(_organisation, [OWNER, *(f"place-{n}" for n in range(60))]))
        _people(session, size)
        _skills(session, size)
        _versions(session, size, task_digest)
        _rounds(session, size)
        _rollouts(session, size)
        _tasks(session, size)
        _logs(session, size)
    with database.write() as session:
        session.execute(text("ANALYZE"))


def _add(session: Session, table: type[DeclarativeBase], rows: Iterable[dict[str, Any]]) -> None:
    session.execute(insert(table), list(rows))


def _put(session: Session, table: type[DeclarativeBase], source: Any, **values: Any) -> None:
    """Rows made by the database from others: a value for each column, fixed or an expression."""
    columns, given = table.__table__.columns, (ColumnElement, InstrumentedAttribute)
    made = [
        value if isinstance(value, given) else literal(value, columns[name].type)
        for name, value in values.items()
    ]
    session.execute(insert(table).from_select(list(values), select(*made).select_from(source)))


def _numbers(name: str, count: int) -> CTE:
    first = select(literal(1, BigInteger).label("n")).cte(name, recursive=True)
    return first.union_all(select(first.c.n + 1).where(first.c.n < count))


def _text(before: str, number: ColumnElement[Any]) -> ColumnElement[Any]:
    return literal(before, String) + cast(number, String)


def _digest(kind: int, number: ColumnElement[Any]) -> ColumnElement[Any]:
    """Fourteen digits behind zeros, another one for each kind and number below 10^13."""
    return _text("sha256:" + "0" * 50, kind * 10_000_000_000_000 + number)


def _owner(number: int) -> str:
    return OWNER if number % 2 else "guild"


def _at(number: int) -> datetime:
    return START + timedelta(minutes=number)


def _organisation(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "region": "",
        "visibility": "organisation",
        "stored_bytes": 1,
        "created_at": START,
    }


def _people(session: Session, size: Size) -> None:
    users = range(500)
    _add(
        session,
        UserRow,
        (
            {"name": f"user-{n}", "role": "researcher", "organisation": _owner(n), "created_at": START}
            for n in users
        ),
    )
    tokens = ({"user_name": f"user-{n}", "name": "first", "token_hash": f"{n}"} for n in users)
    more = ({"user_name": "user-1", "name": f"token-{n}", "token_hash": f"more-{n}"} for n in range(200))
    rest = {"scopes": ["read"], "created_at": START, "expires_at": START}
    _add(session, UserTokenRow, ({**token, **rest} for token in (*tokens, *more)))
    _add(
        session,
        RobotRow,
        (
            {
                "robot_id": f"r-{n}",
                "name": f"cell {n}",
                "organisation": _owner(n),
                "embodiment": "ur5e",
                "public_key": f"key-{n}",
                "enrolled_at": _at(n),
            }
            for n in range(size.robots)
        ),
    )
    plan, report = Plan(tasks=()).model_dump(mode="json"), {"purge": False, "requested_at": START.isoformat()}
    _add(
        session,
        WithdrawalRow,
        (
            {
                "withdrawal_id": f"x-{n}",
                "robot_id": f"r-{n}",
                "state": "done",
                "requested_at": _at(n),
                "plan": plan,
                "report": {**report, "robot_id": f"r-{n}", "organisation": OWNER, "state": "done"},
            }
            for n in range(min(500, size.robots))
        ),
    )


def _skills(session: Session, size: Size) -> None:
    _add(
        session,
        SkillRow,
        (
            {
                "name": f"skill-{1000 + n}",
                "organisation": _owner(n),
                "visibility": "organisation" if n % 3 else "guild",
                "task": TASK,
                "summary": "Follows a seam.",
                "updated_at": _at(n),
            }
            for n in range(1, size.skills + 1)
        ),
    )
    names = (f"skill-{1000 + n}" for n in range(1, size.skills + 1))
    said = {"noun": "skill", "rest": "follows a seam. twist m/s"}
    _add(session, SearchTextRow, ({**said, "subject": it, "names": f"{it} {TASK}"} for it in names))


def _versions(session: Session, size: Size, task_digest: str | None) -> None:
    skill, version = _numbers("skill", size.skills), _numbers("version", size.versions)
    name = _text("skill-", skill.c.n + 1000)
    both = skill.join(version, literal(1) == 1)
    _put(
        session,
        VersionRow,
        both,
        skill=name,
        number=version.c.n,
        digest=_digest(1, skill.c.n * 100_000 + version.c.n),
        size=100_000,
        signature="signature",
        manifest=MANIFEST.model_dump(mode="json"),
        published_by="hub",
        created_at=START,
        score=SCORE.model_dump(mode="json"),
        gate=GATE.model_dump(mode="json"),
    )
    for channel, number in (("stable", size.versions - 1), ("candidate", size.versions)):
        _put(session, ChannelRow, skill, skill=name, name=channel, number=number)
    scored = Scored(
        score=SCORE,
        by_embodiment=GATE.by_embodiment,
        replay=None,
        replay_size=0,
        made_with="",
        seconds=1,
    )
    made = select(VersionRow).where(VersionRow.number % 5 == (size.versions - 1) % 5).subquery()
    _put(
        session,
        ScoreRow,
        made,
        digest=made.c.digest,
        skill=made.c.skill,
        number=made.c.number,
        task=TASK,
        state="done",
        reason="",
        wanted_at=START,
        task_digest=task_digest,
        plan=BOARD.model_dump_json(),
        report=scored.model_dump(mode="json"),
        scored_at=START,
    )


def _rounds(session: Session, size: Size) -> None:
    """Three campaigns a skill, of which the last one runs; four deltas in each of their newest rounds."""
    each = size.rounds // 3
    order = CampaignRequest(skill="skill-1001").model_dump(mode="json")
    campaigns = [
        {
            "campaign_id": f"c-{(1000 + n) * 10 + turn}",
            "skill": f"skill-{1000 + n}",
            "state": "running" if turn == 3 else "finished",
            "reason": "",
            "order": order,
            "created_at": _at(n * 3 + turn),
        }
        for n in range(1, size.skills + 1)
        for turn in (1, 2, 3)
    ]
    _add(session, CampaignRow, campaigns)
    number = _numbers("round", each)
    rounds = {
        "reason": "",
        "base": "sha256:" + "0" * 64,
        "opened_at": START,
        "deadline": START + timedelta(days=1000),
        "metrics": {"merge_seconds": 1.0},
    }
    its = CampaignRow.campaign_id + literal("-", String) + cast(number.c.n, String)
    both = CampaignRow.__table__.join(number, literal(1) == 1)
    common = {"round_id": its, "campaign_id": CampaignRow.campaign_id, "number": number.c.n, **rounds}
    _put(session, RoundRow, both, state="published", gate=GATE.model_dump(mode="json"), **common)
    session.execute(
        text(
            "UPDATE rounds SET state = 'open' WHERE number = :last AND campaign_id IN"
            " (SELECT campaign_id FROM campaigns WHERE state = 'running')"
        ),
        {"last": each},
    )
    robot = _numbers("robot", 4)
    last = select(RoundRow.round_id).where(RoundRow.number > each - 10).cte("last")
    name = _text("r-", robot.c.n)
    _put(
        session,
        DeltaRow,
        last.join(robot, literal(1) == 1),
        digest=last.c.round_id + literal("/", String) + name,
        round_id=last.c.round_id,
        robot_id=name,
        samples=1000,
        size=10_000,
        norm=1.0,
        codec="fp16",
        metrics={},
        signature="",
        received_at=START,
        staleness=0,
    )

    asked = [f"skill-{1000 + n}" for n in range(1, min(20, size.skills) + 1)]
    _add(session, InterestRow, ({"robot_id": "r-1", "skill": skill, "asked_at": START} for skill in asked))


def _rollouts(session: Session, size: Size) -> None:
    """A roll-out a skill; all robots ask for one of them, and report."""
    rings = {"rings": [{}], "counters": [1], "opened": [START.isoformat()]}
    common = {"old": 1, "new": 2, "ring": 0, "reason": "", "plan": {"rings": [{}]}, "fixed": rings}
    rollouts = (
        {
            "rollout_id": f"o-{1000 + n}",
            "skill": f"skill-{1000 + n}",
            "state": "open" if n == 3 else "done",
            "started_by": "hub",
            "created_at": _at(n),
            **common,
        }
        for n in range(1, size.skills + 1)
    )
    _add(session, RolloutRow, rollouts)
    robots = [f"r-{n}" for n in range(size.robots)]
    asked = {"skill": "skill-1003", "asked_at": START}
    _add(session, InterestRow, ({"robot_id": each, **asked} for each in robots if each != "r-1"))
    said = {"skill": "skill-1003", "version": 2, "said": {"skill": "skill-1003", "version": 2}}
    _add(session, ReportRow, ({"robot_id": each, **said, "heard_at": START} for each in robots))


def _tasks(session: Session, size: Size) -> None:
    count = min(500, size.skills)
    _add(
        session,
        TaskRow,
        (
            {"name": f"task-{n}", "organisation": _owner(n), "visibility": "guild", "updated_at": START}
            for n in range(1, count + 1)
        ),
    )
    said = {"noun": "task", "rest": "a task"}
    names = (f"task-{n}" for n in range(1, count + 1))
    _add(session, SearchTextRow, ({**said, "subject": it, "names": it} for it in names))
    task, version = _numbers("task", count), _numbers("version", min(100, size.versions))
    number = task.c.n * 100_000 + version.c.n
    _put(
        session,
        TaskVersionRow,
        task.join(version, literal(1) == 1),
        task=_text("task-", task.c.n),
        number=version.c.n,
        digest=_digest(2, number),
        bundle=_digest(3, number),
        size=1000,
        signature="",
        title="A task",
        summary="",
        licence="Apache-2.0",
        readme="A long page. " * 300,
        published_by="user:rita",
        created_at=START,
        state="listed",
        checked=Checked(findings=(), facts=None).model_dump(mode="json"),
        checked_at=START,
    )


def _logs(session: Session, size: Size) -> None:
    event = _numbers("event", size.events)
    skill = _text("skill-", event.c.n % size.skills + 1001)
    data = {"robot_id": "r-1", "round_id": "c-1-1"}
    _put(
        session, EventRow, event, kind="delta.admitted", at=START, skill=skill, organisation=OWNER, data=data
    )
    lost = _numbers("lost", 40)
    _put(session, EventRow, lost, kind="robot.lost", at=START, skill=None, organisation=OWNER, data=data)
    _put(
        session,
        AuditRow,
        event,
        number=event.c.n + 1_000_000,
        at=START,
        actor="user:rita",
        action="skill.published",
        subject=skill,
        details={},
        previous=_text("before ", event.c.n),
        hash="",
    )
    webhooks = [
        {
            "webhook_id": f"w-{n}",
            "organisation": OWNER,
            "url": "https://mes.example.com/zunft",
            "kinds": ["robot.lost"],
            "secret": "",
            "created_at": _at(n),
            "position": 0,
            "failures": 0,
            "trouble": "",
        }
        for n in range(50)
    ]
    _add(session, WebhookRow, webhooks)
