"""`zunft robot list` and `forget`: an operator's view of robots; one is withdrawn, and what that changed."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fleet.client import OperatorClient
from skills.errors import RequestError
from skills.lists import RobotQuery
from skills.messages import ScoreView
from skills.withdrawals import WithdrawalRequest, WithdrawalView
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.listing import All, Cursor, Limit, asked, behind, listed

__all__ = ["forget", "list_robots"]

LOOK_SECONDS = 0.5
out = Console()


def forget(
    robot_id: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete the files of versions that contain it, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Withdraw a robot for good: its deltas are deleted, what was merged from them is made again without."""
    client = connect(hub, token)
    planned = client.withdraw_robot(robot_id, WithdrawalRequest(dry_run=True, purge=purge))
    if not dry_run:
        if not yes:
            out.print(_table(planned))
            typer.confirm(f"{_summary(planned)} There is no way back. Forget {robot_id}?", abort=True)
        planned = _follow(client, client.withdraw_robot(robot_id, WithdrawalRequest(purge=purge)))
    if as_json:
        out.print_json(planned.model_dump_json())
    else:
        out.print(_table(planned), _summary(planned), sep="\n", highlight=False)
    if planned.state == "failed":
        raise RequestError(planned.reason, where=planned.withdrawal_id, remedy="See the hub's log.")


def list_robots(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    text: Annotated[str, typer.Option(help="Part of id or name.")] = "",
    organisation: Annotated[str, typer.Option(help="Only robots of this one.")] = "",
    embodiment: Annotated[str, typer.Option(help="Only this arm.")] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show the organisation's robots and when they were last heard of."""
    query = asked(
        RobotQuery, text=text, organisation=organisation, embodiment=embodiment, limit=limit, cursor=cursor
    )
    page = listed(connect(hub, token).robots, query, whole=whole)
    robots = page.items
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("robot", "name", "organisation", "arm", "last seen")
    for each in robots:
        seen = f"{each.last_seen_at:%Y-%m-%d %H:%M}" if each.last_seen_at else "never"
        table.add_row(each.robot_id, each.name, each.organisation, each.embodiment, seen)
    out.print(table if robots else "No robots yet: zunft token create.")
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


def _follow(client: OperatorClient, found: WithdrawalView) -> WithdrawalView:
    """Wait for the end; who goes away earlier leaves it to the hub."""
    with out.status("The hub takes back what the robot gave ..."):
        while found.state in {"requested", "working"}:
            time.sleep(LOOK_SECONDS)
            found = client.withdrawal(found.withdrawal_id)
    return found


def _table(found: WithdrawalView) -> Table:
    table = Table("skill", "round", "outcome", "deltas", "version", "why", title=f"Without {found.robot_id}")
    for skill in found.skills:
        for each in skill.rounds:
            before, after = (
                f"v{number}" if number else "-" for number in (each.version_before, each.version_after)
            )
            deltas = f"{each.deltas_before} -> {each.deltas_after}" if each.deltas_before else "-"
            table.add_row(
                skill.skill,
                each.round_id or "(uploaded)",
                each.outcome,
                deltas,
                f"{before} -> {after}",
                each.reason,
            )
        stable = " -> ".join(
            f"v{number}" if number else "-" for number in (skill.stable_before, skill.stable_after)
        )
        scores = " -> ".join(map(_score, (skill.score_before, skill.score_after)))
        table.add_row(skill.skill, "stable", stable, "", f"score {scores}", skill.reason, end_section=True)
    return table


def _score(score: ScoreView | None) -> str:
    return f"{score.score:.2f}" if score else "-"


def _summary(found: WithdrawalView) -> str:
    withdrawn = sum(len(skill.withdrawn) for skill in found.skills)
    outcomes = [each.outcome for skill in found.skills for each in skill.rounds]
    again = outcomes.count("rebuilt") + outcomes.count("waiting")
    purged = ", their files deleted" if found.purge else ""
    return (
        f"{found.state}: {found.deltas} deltas ({found.bytes:,} bytes) deleted, {withdrawn} versions "
        f"withdrawn{purged}, {again} rounds merged again, {outcomes.count('dropped')} dropped, "
        f"{outcomes.count('ended')} ended."
    )
