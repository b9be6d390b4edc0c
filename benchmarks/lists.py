"""What the first page of each list costs the hub: `python -m benchmarks.lists`, some minutes; --database URL.

A database is filled set by set: 1,200 skills with 500 versions and 300 rounds each, and what belongs to them.
The time is the processor's in the hub's own process, from the call of the service to the answer's bytes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

from pydantic import BaseModel

from benchmarks.lists_filling import FULL, OWNER, TASK, Size, fill
from hub.access.principal import Principal
from hub.services import Services, open_services
from hub.settings import Settings
from skills.messages.lists import (
    AtWorkQuery,
    AuditQuery,
    BoardQuery,
    CampaignQuery,
    EventQuery,
    FleetQuery,
    ListQuery,
    OrganisationQuery,
    RobotQuery,
    RolloutQuery,
    RoundQuery,
    SkillQuery,
    TaskQuery,
    TaskVersionQuery,
    UserQuery,
    VersionQuery,
    WithdrawalQuery,
)

__all__ = ["ADMIN", "LISTS", "OPERATOR", "RESEARCHER"]

REPEATS = 15
ADMIN = Principal("admin", "admin", "guild")
OPERATOR = Principal("nora", "operator", OWNER)
RESEARCHER = Principal("rita", "researcher", OWNER)

Call = Callable[[Services, Principal, int], BaseModel]

LISTS: dict[str, Call] = {
    "skills": lambda hub, by, n: hub.catalogue.skills.skills(by, SkillQuery(limit=n)),
    "skills, last changed first": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, sort="updated")
    ),
    "skills with a text": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, text="SKILL-1 follow")
    ),
    "skills with some words": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, text="follow an edge with constant pressure", sort="score")
    ),
    "skills of a task": lambda hub, by, n: hub.catalogue.skills.skills(by, SkillQuery(limit=n, task=TASK)),
    "skills of an organisation": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, organisation=OWNER)
    ),
    "skills with a channel": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, channel="stable")
    ),
    "skills by score": lambda hub, by, n: hub.catalogue.skills.skills(by, SkillQuery(limit=n, sort="score")),
    "skills for an arm": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, embodiment="ur5e")
    ),
    "skills with a lowest score": lambda hub, by, n: hub.catalogue.skills.skills(
        by, SkillQuery(limit=n, lowest_score=0.7)
    ),
    "versions of a skill": lambda hub, by, n: hub.catalogue.skills.versions(
        "skill-1003", by, VersionQuery(limit=n, sort="newest")
    ),
    "campaigns": lambda hub, by, n: hub.rounds.campaigns.campaigns(by, CampaignQuery(limit=n)),
    "campaigns that run": lambda hub, by, n: hub.rounds.campaigns.campaigns(
        by, CampaignQuery(limit=n, state="running")
    ),
    "rounds of a campaign": lambda hub, by, n: hub.rounds.campaigns.rounds(
        "c-10033", by, RoundQuery(limit=n)
    ),
    "robots of a round": lambda hub, by, n: hub.rounds.campaigns.robots("c-10033", by, AtWorkQuery(limit=n)),
    "roll-outs": lambda hub, by, n: hub.rollouts.orders.rollouts(by, RolloutQuery(limit=n)),
    "roll-outs of a skill": lambda hub, by, n: hub.rollouts.orders.rollouts(
        by, RolloutQuery(limit=n, skill="skill-1003")
    ),
    "fleet": lambda hub, by, n: hub.rollouts.fleet.robots(by, FleetQuery(limit=n, skill="skill-1003")),
    "robots": lambda hub, by, n: hub.robots.roster.robots(by, RobotQuery(limit=n)),
    "robots that are new": lambda hub, by, n: hub.robots.roster.robots(by, RobotQuery(limit=n, state="new")),
    "contributions of a robot": lambda hub, by, n: hub.robots.roster.contributions(
        "r-1", by, ListQuery(limit=n)
    ),
    "robots that fit": lambda hub, by, n: hub.robots.fits.fits(
        "skill-1003", "stable", by, RobotQuery(limit=n)
    ),
    "tasks": lambda hub, by, n: hub.tasks.registry.tasks(by, TaskQuery(limit=n)),
    "versions of a task": lambda hub, by, n: hub.tasks.registry.versions(
        "task-3", by, TaskVersionQuery(limit=n)
    ),
    "leaderboard": lambda hub, by, n: hub.leaderboards.boards.board(TASK, by, BoardQuery(limit=n), hub=""),
    "users": lambda hub, _, n: hub.organisations.accounts.users(UserQuery(limit=n)),
    "tokens of a user": lambda hub, _, n: hub.access.tokens.tokens("user-1", ListQuery(limit=n), by=ADMIN),
    "organisations": lambda hub, _, n: hub.organisations.registry.organisations(
        ADMIN, OrganisationQuery(limit=n)
    ),
    "webhooks": lambda hub, by, n: hub.webhooks.registry.webhooks(by, ListQuery(limit=n)),
    "withdrawals": lambda hub, by, n: hub.withdrawals.registry.withdrawals(by, WithdrawalQuery(limit=n)),
    "events": lambda hub, by, n: hub.events.log.past(by, EventQuery(limit=n)),
    "events of a robot": lambda hub, by, n: hub.events.log.past(by, EventQuery(limit=n, robot="r-1")),
    "events of a skill": lambda hub, by, n: hub.events.log.past(by, EventQuery(limit=n, skill="skill-1003")),
    "audit": lambda hub, _, n: hub.events.audit.entries(AuditQuery(limit=n)),
    "audit of a user": lambda hub, _, n: hub.events.audit.entries(AuditQuery(limit=n, actor="user:rita")),
}
"""Every list of the hub: who looks, how many entries."""


def measure(hub: Services, by: Principal) -> dict[str, tuple[float, float]]:
    """Milliseconds of the processor and of the clock for each list's first page, medians."""
    found = {}
    for name, call in LISTS.items():
        spent = []
        for _ in range(REPEATS):
            cpu, clock = time.thread_time(), time.perf_counter()
            call(hub, by, 50).model_dump_json()
            spent.append((time.thread_time() - cpu, time.perf_counter() - clock))
        cpus, clocks = zip(*spent, strict=True)
        found[name] = (statistics.median(cpus) * 1000, statistics.median(clocks) * 1000)
    return found


def main() -> None:
    """Fill, measure, and print the table; results/lists.md has one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="An empty one; else SQLite in a folder of its own.")
    parser.add_argument("--skills", type=int, default=FULL.skills)
    options = parser.parse_args()
    size = Size(options.skills, FULL.versions, FULL.rounds, FULL.robots, FULL.events)
    with tempfile.TemporaryDirectory() as folder:
        given = {"database_url": options.database} if options.database else {}
        hub = open_services(Settings.model_validate({"data_dir": folder, **given}))
        board = hub.leaderboards.boards.board(TASK, ADMIN, BoardQuery(), hub="")
        began = time.perf_counter()
        fill(hub.storage.database, size, board.task_digest)
        print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
        columns = [measure(hub, by) for by in (ADMIN, OPERATOR, RESEARCHER)]
        hub.close()
    print(_table(columns))


def _table(columns: list[dict[str, tuple[float, float]]]) -> str:
    lines = ["| list | admin | operator | researcher |", "|---|---:|---:|---:|"]
    for name in LISTS:
        cells = (f"{found[name][0]:.1f} ms" for found in columns)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
