"""`zunft campaign`: what an operator does with campaigns - start, watch, show, list, stop."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from skills.errors import RequestError
from skills.lists import CampaignQuery
from skills.messages import CampaignRequest, CampaignView, OptimiserName, RuleName
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.listing import All, Cursor, Limit, asked, behind, listed
from zunft.commands.merge import Clip, Options, parse_options

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Give a standing order to improve a skill, and watch it.")
out = Console()


@app.command(
    epilog="Examples: [bold]zunft campaign start weld-seam --rounds 16 --quorum 3[/]; "
    "[bold]zunft campaign start weld-seam --quorum 5 --rule trimmed-mean --option trim=.2 --clip 3[/]; "
    "[bold]zunft campaign start weld-seam --optimiser adam --max-staleness 2[/]; "
    "all settings from a file: [bold]zunft campaign start weld-seam --order order.json[/]"
)
def start(
    skill: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    rounds: Annotated[int, typer.Option(help="How many rounds.")] = 16,
    quorum: Annotated[int, typer.Option(help="Fewest deltas that make a round.")] = 2,
    target: Annotated[int, typer.Option(help="Close a round at so many deltas; 0 waits for all robots.")] = 0,
    deadline: Annotated[
        float, typer.Option(help="Seconds after which a round closes with its quorum.")
    ] = 600,
    rule: Annotated[RuleName, typer.Option(help="How deltas are merged; see docs/merging.md.")] = "mean",
    option: Options = None,
    clip: Clip = None,
    mixing: Annotated[
        bool, typer.Option("--mixing", help="Mix each delta with its nearest first; needs byzantine=.")
    ] = False,
    optimiser: Annotated[OptimiserName, typer.Option(help="What the server steps with.")] = "momentum",
    max_staleness: Annotated[int, typer.Option(help="How many rounds late a delta may count.")] = 0,
    order: Annotated[
        Path | None,
        typer.Option(help="A JSON file with any field of a campaign request, instead of the options above."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a campaign."""
    wanted = {
        "skill": skill,
        "rounds": rounds,
        "quorum": quorum,
        "target": target,
        "deadline_seconds": deadline,
        "merge": {
            "rule": rule,
            "options": parse_options(option),
            "clip": clip,
            "mixing": mixing,
            "optimiser": optimiser,
            "max_staleness": max_staleness,
        },
    }
    campaign = connect(hub, token).start_campaign(_order(wanted) if order is None else _read(order, skill))
    if as_json:
        out.print_json(campaign.model_dump_json())
    else:
        out.print(
            f"campaign {campaign.campaign_id} runs; watch it: zunft campaign watch {campaign.campaign_id}"
        )


@app.command(epilog="Example: [bold]zunft campaign watch CAMPAIGN[/]")
def watch(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB) -> None:
    """Follow a campaign until it ends."""
    client = connect(hub, token)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task("", total=None)
        campaign = client.campaign(campaign_id)
        while campaign.state == "running":
            progress.update(
                bar, total=campaign.order.rounds, completed=_done(campaign), description=_line(campaign)
            )
            time.sleep(1)
            campaign = client.campaign(campaign_id)
        progress.update(
            bar, total=campaign.order.rounds, completed=_done(campaign), description=campaign.state
        )
    out.print(_table(campaign))
    if campaign.state == "failed":
        raise RequestError(f"the campaign failed: {campaign.reason}", where=campaign_id)


@app.command(epilog="Example: [bold]zunft campaign show CAMPAIGN[/]")
def show(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Say what was ordered, how it is merged, and what its rounds came to."""
    campaign = connect(hub, token).campaign(campaign_id)
    if as_json:
        out.print_json(campaign.model_dump_json())
        return
    order, merge = campaign.order, campaign.order.merge
    facts = Table(title=f"{campaign.campaign_id}: {order.skill}", show_header=False)
    rows = {
        "state": " ".join(filter(None, (campaign.state, campaign.reason))),
        "rounds": f"{_done(campaign)} of {order.rounds}",
        "merge": merge.rule_in_words(),
        "server optimiser": merge.optimiser_in_words(),
        "late deltas": f"staleness up to {merge.max_staleness}" if merge.max_staleness else "refused",
        "now": _line(campaign),
    }
    for name, value in rows.items():
        facts.add_row(name, value)
    out.print(facts, _table(campaign))


@app.command("list", epilog="Example: [bold]zunft campaign list --json[/]")
def list_campaigns(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    skill: Annotated[str, typer.Option(help="Only campaigns for this skill.")] = "",
    state: Annotated[
        Literal["running", "finished", "stopped", "failed"] | None,
        typer.Option(help="Only those in this state."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show all campaigns."""
    query = asked(CampaignQuery, skill=skill, state=state, limit=limit, cursor=cursor)
    page = listed(connect(hub, token).campaigns, query, whole=whole)
    campaigns = page.items
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("campaign", "skill", "state", "rounds", "now")
    for campaign in campaigns:
        done = f"{_done(campaign)}/{campaign.order.rounds}"
        table.add_row(campaign.campaign_id, campaign.order.skill, campaign.state, done, _line(campaign))
    out.print(table if campaigns else "No campaigns yet: zunft campaign start SKILL.")
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


@app.command(epilog="Example: [bold]zunft campaign stop CAMPAIGN[/]")
def stop(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB) -> None:
    """End a campaign; what is published stays."""
    out.print(f"campaign {connect(hub, token).stop_campaign(campaign_id).campaign_id} is stopped")


def _order(wanted: dict[str, Any]) -> CampaignRequest:
    try:
        return CampaignRequest.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"{first['msg']}.", where=where, remedy="See --help.") from error


def _read(file: Path, skill: str) -> CampaignRequest:
    try:
        order = CampaignRequest.model_validate_json(file.read_text())
    except (OSError, ValidationError) as error:
        raise RequestError(f"no campaign request: {error}", where=str(file)) from error
    return order.model_copy(update={"skill": skill})


def _done(campaign: CampaignView) -> int:
    return campaign.rounds_ended


def _line(campaign: CampaignView) -> str:
    return campaign.waiting_for or campaign.reason


def _table(campaign: CampaignView) -> Table:
    table = Table("round", "state", "deltas", "steps", "success", "gate")
    for round_ in campaign.rounds:
        gate = round_.gate
        score = f"{gate.candidate.score:.2f}" if gate else "-"
        table.add_row(
            str(round_.number),
            round_.state,
            str(round_.deltas),
            f"{round_.samples:,}",
            score,
            gate.reason if gate else "",
        )
    return table
