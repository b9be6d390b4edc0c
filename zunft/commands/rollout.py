"""`zunft rollout`: bring a version to robots ring by ring, watch it, and go back where it fails them."""

from __future__ import annotations

import time
from typing import Annotated, Literal, get_args

import typer
from rich.table import Table

from fleet.client import OperatorClient
from skills.errors import RequestError
from skills.messages.lists import RolloutQuery
from skills.messages.rollouts import (
    DEFAULT_RINGS,
    ENDED,
    RingPlan,
    RolloutOrder,
    RolloutRequest,
    RolloutState,
    RolloutView,
)
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.output import err, facts, out, table, tell

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Why, for the journal and the audit log.")]
LISTS = ("embodiments", "organisations", "tags", "robots")
PLAN = "A ring, as FIELD=VALUE with commas between; + between values of a list."


@app.command(
    epilog="Examples: [bold]zunft rollout start weld-seam 12[/]; "
    "[bold]zunft rollout start weld-seam 12 --ring tags=test-cell,least_jobs=20,approval=true "
    "--ring share=.1,least_seconds=3600 --ring share=1[/]"
)
def start(
    skill: str,
    version: int,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    ring: Annotated[list[str] | None, typer.Option(help=f"{PLAN} Without: 10 %, 50 %, all.")] = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Bring a version to robots ring by ring; docs/rollouts.md has what a ring can ask for."""
    rings = [read_ring(each) for each in ring] if ring else list(DEFAULT_RINGS)
    said = {"skill": skill, "version": version, "rings": rings, "reason": reason}
    found = connect(hub, token).start_rollout(request(RolloutRequest, said))
    name = found.rollout_id
    tell(
        found,
        f"roll-out {name}: v{found.old} to v{found.new}; watch it: zunft rollout watch {name}",
        as_json=as_json,
    )


@app.command(epilog="Example: [bold]zunft rollout show ROLLOUT[/]")
def show(rollout_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Say how each ring stands, and what happened so far."""
    found = connect(hub, token).rollout(rollout_id)
    rows = {"state": _line(found), "from": f"v{found.old}", "to": f"v{found.new}"}
    shown = [facts(rows, title=f"{rollout_id}: {found.skill}"), _rings(found), _steps(found)]
    tell(found, *shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft rollout watch ROLLOUT[/]")
def watch(rollout_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Follow a roll-out until it ends. Status 1: it was rolled back."""
    client, last = connect(hub, token), ""
    console = err if as_json else out
    while (found := client.rollout(rollout_id)).state not in ENDED:
        line = f"ring {found.ring} of {len(found.rings)}: {_line(found)}"
        if line != last:
            console.print(line, highlight=False, markup=False)
        last = line
        time.sleep(1)
    tell(found, _rings(found), f"{found.state} {found.reason}", as_json=as_json)
    if found.state != "done":
        raise RequestError(f"the roll-out was {found.state}: {found.reason}", where=rollout_id)


@app.command(epilog="Example: [bold]zunft rollout pause ROLLOUT --reason 'night shift'[/]")
def pause(
    rollout_id: str, token: Token, hub: Hub = DEFAULT_HUB, reason: Reason = "", as_json: Json = False
) -> None:
    """Open no further ring; robots keep what they have, and it is still stopped where it fails."""
    _order(rollout_id, "pause", reason, hub, token, as_json=as_json)


@app.command(epilog="Example: [bold]zunft rollout resume ROLLOUT[/]")
def resume(
    rollout_id: str, token: Token, hub: Hub = DEFAULT_HUB, reason: Reason = "", as_json: Json = False
) -> None:
    """Go on with one that is paused."""
    _order(rollout_id, "resume", reason, hub, token, as_json=as_json)


@app.command(epilog="Example: [bold]zunft rollout approve ROLLOUT[/]")
def approve(
    rollout_id: str, token: Token, hub: Hub = DEFAULT_HUB, reason: Reason = "", as_json: Json = False
) -> None:
    """Let one that waits for somebody's word open its next ring."""
    _order(rollout_id, "approve", reason, hub, token, as_json=as_json)


@app.command(epilog="Example: [bold]zunft rollout abort ROLLOUT --reason 'seams on cell 7 are too wide'[/]")
def abort(
    rollout_id: str,
    token: Token,
    reason: Annotated[str, typer.Option(help="Why, for the journal and the audit log.")],
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Roll back, also one that is done: all robots return to the version before."""
    _order(rollout_id, "abort", reason, hub, token, as_json=as_json)


@app.command("list", epilog="Example: [bold]zunft rollout list --skill weld-seam --state open[/]")
def list_rollouts(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    skill: Annotated[str, typer.Option(help="Only roll-outs of this skill.")] = "",
    state: Annotated[
        str, typer.Option(help=f"Only those that are: {', '.join(get_args(RolloutState))}.")
    ] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show roll-outs, newest first."""
    query = request(RolloutQuery, {"skill": skill, "state": state or None, "limit": limit, "cursor": cursor})
    client = connect(hub, token)
    page = listed(client.rollouts, query, whole=whole)
    rows = [
        (
            each.rollout_id,
            each.skill,
            f"v{each.old} to v{each.new}",
            f"{each.ring}/{len(each.rings)}",
            _line(each),
        )
        for each in page.items
    ]
    columns = ("roll-out", "skill", "versions", "ring", "state")
    shown = table(columns, rows, keys=2) if rows else "No roll-outs here: zunft rollout start SKILL VERSION."
    tell_page(page, shown, *_counted(client, as_json=as_json), as_json=as_json)


def _counted(client: OperatorClient, *, as_json: bool) -> tuple[str, ...]:
    if as_json:
        return ()
    found = client.rollout_counts()
    return (f"{found.under_way} under way; {found.prevented} prevented an incident.",)


def read_ring(text: str) -> RingPlan:
    """A ring as it is typed: `share=.1,embodiments=ur5e+panda,least_jobs=20`.

    Raises:
        RequestError: It says something that no ring has.
    """
    said: dict[str, object] = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign:
            raise RequestError(f"{part!r} is no FIELD=VALUE.", where="--ring", remedy=PLAN, code="usage")
        said[name.strip()] = value.split("+") if name.strip() in LISTS else value.strip()
    return request(RingPlan, said, f"Fields: {', '.join(RingPlan.model_fields)}.")


def _order(
    rollout_id: str,
    word: Literal["pause", "resume", "approve", "abort"],
    reason: str,
    hub: str,
    token: str,
    *,
    as_json: bool,
) -> None:
    said = request(RolloutOrder, {"order": word, "reason": reason}, "Say why: --reason.")
    found = connect(hub, token).order_rollout(rollout_id, said)
    tell(found, f"roll-out {rollout_id}: {_line(found)}", as_json=as_json)


def _line(found: RolloutView) -> str:
    return " ".join(filter(None, (f"{found.state}.", found.waiting_for or found.reason)))


def _rings(found: RolloutView) -> Table:
    rows = [
        (
            str(number),
            each.plan.in_words(),
            f"v{each.version}",
            *(str(figure) if figure is not None else "-" for figure in (each.robots, each.using)),
            f"{each.done or 0}/{(each.done or 0) + (each.failed or 0)}",
        )
        for number, each in enumerate(found.rings, start=1)
    ]
    return table(("ring", "who", "version", "robots", "using it", "jobs done"), rows)


def _steps(found: RolloutView) -> Table:
    rows = [
        (f"{each.at:%Y-%m-%d %H:%M:%S}", each.event, each.state, str(each.ring), each.reason)
        for each in found.steps
    ]
    return table(("when", "event", "state", "ring", "why"), rows)
