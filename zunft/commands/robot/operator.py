"""`zunft robot list`, `forget` and `withdrawals`: an operator's view of robots, and how one is withdrawn."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.table import Table

from fleet.client import OperatorClient
from skills.errors import RequestError
from skills.messages.lists import RobotQuery, WithdrawalQuery
from skills.messages.robots import RobotState
from skills.messages.skills import ScoreView
from skills.messages.withdrawals import WithdrawalRequest, WithdrawalState, WithdrawalView
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Embodiment, Limit, Organisation, listed, tell_page
from zunft.commands.output import err, out, table, tell

__all__ = ["app"]

app = typer.Typer()

LOOK_SECONDS = 0.5


@app.command(
    epilog="Examples: [bold]zunft robot forget r-4f1c20b7d9e8 --dry-run[/]; "
    "with files: [bold]zunft robot forget r-4f1c20b7d9e8 --purge[/]"
)
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
            (err if as_json else out).print(_table(planned))
            question = f"{_summary(planned)} There is no way back. Forget {robot_id}?"
            typer.confirm(question, abort=True, err=as_json)
        planned = _follow(client, client.withdraw_robot(robot_id, WithdrawalRequest(purge=purge)))
    tell(planned, _table(planned), _summary(planned), as_json=as_json)
    if planned.state == "failed":
        raise RequestError(planned.reason, where=planned.withdrawal_id, remedy="See the hub's log.")


@app.command(
    "list",
    epilog="Examples: [bold]zunft robot list --all --json[/]; "
    "[bold]zunft robot list --state lost --embodiment ur5e[/]",
)
def list_robots(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    text: Annotated[str, typer.Option(help="Only those with this in id or name.")] = "",
    organisation: Organisation = "",
    embodiment: Embodiment = "",
    state: Annotated[RobotState | None, typer.Option(help="Only those that stand so.")] = None,
    refusing: Annotated[
        bool, typer.Option("--refusing", help="Only those that would not take a version.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show the organisation's robots: who is there, who is missed, and what each would not take."""
    filters = {"text": text, "organisation": organisation, "embodiment": embodiment}
    filters |= {"state": state} if state else {}
    filters |= {"refusing": "true"} if refusing else {}
    query = request(RobotQuery, {**filters, "limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).robots, query, whole=whole)
    rows = [
        (
            each.robot_id,
            each.name,
            each.organisation,
            each.embodiment,
            each.state,
            f"{each.last_seen_at:%Y-%m-%d %H:%M}" if each.last_seen_at else "never",
            f"{each.refusal.skill} v{each.refusal.version}: {each.refusal.code}" if each.refusal else "",
        )
        for each in page.items
    ]
    columns = ("robot", "name", "organisation", "arm", "state", "last seen", "refused")
    shown = table(columns, rows, keys=2) if rows else "No robots here: zunft token create."
    tell_page(page, shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft robot withdrawals --state working[/]")
def withdrawals(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    state: Annotated[WithdrawalState | None, typer.Option(help="Only those in this state.")] = None,
    robot: Annotated[str, typer.Option(help="Only that of this robot, by its id.")] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show which robots were forgotten, newest first, and what each withdrawal has come to."""
    query = request(WithdrawalQuery, {"state": state, "robot": robot, "limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).withdrawals, query, whole=whole)
    rows = [
        (
            each.withdrawal_id,
            each.robot_id,
            each.state,
            str(each.deltas),
            ", ".join(skill.skill for skill in each.skills),
            f"{each.requested_at:%Y-%m-%d %H:%M}",
        )
        for each in page.items
    ]
    columns = ("withdrawal", "robot", "state", "deltas", "skills", "asked (UTC)")
    shown = table(columns, rows, keys=2) if rows else "No robot was forgotten here."
    tell_page(page, shown, as_json=as_json)


def _follow(client: OperatorClient, found: WithdrawalView) -> WithdrawalView:
    """Wait for the end; who goes away earlier leaves it to the hub."""
    with err.status("The hub takes back what the robot gave ..."):
        while found.state in {"requested", "working"}:
            time.sleep(LOOK_SECONDS)
            found = client.withdrawal(found.withdrawal_id)
    return found


def _table(found: WithdrawalView) -> Table:
    rows: list[tuple[str, ...]] = []
    for skill in found.skills:
        for each in skill.rounds:
            deltas = f"{each.deltas_before} -> {each.deltas_after}" if each.deltas_before else "-"
            version = f"{_version(each.version_before)} -> {_version(each.version_after)}"
            place = each.round_id or "(uploaded)"
            rows.append((skill.skill, place, each.outcome, deltas, version, each.reason))
        stable = f"{_version(skill.stable_before)} -> {_version(skill.stable_after)}"
        scores = f"score {_score(skill.score_before)} -> {_score(skill.score_after)}"
        rows.append((skill.skill, "stable", stable, "", scores, skill.reason))
    columns = ("skill", "round", "outcome", "deltas", "version", "why")
    return table(columns, rows, keys=2, title=f"Without {found.robot_id}")


def _version(number: int | None) -> str:
    return f"v{number}" if number else "-"


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
