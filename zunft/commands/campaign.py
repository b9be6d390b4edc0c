"""`zunft campaign`: what an operator does with campaigns - start, watch, show, list, stop."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from skills.errors import RequestError
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.lists import CampaignQuery
from skills.messages.plans import OptimiserName, RuleName
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.learners import Knobs, Learner, read_learner
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.merge import Clip, Options, parse_options
from zunft.commands.output import err, facts, out, table, tell
from zunft.commands.teaching import MasterIterations, PracticeAfter, Teach, teaching

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command(
    epilog="Examples: [bold]zunft campaign start weld-seam --rounds 16 --quorum 3[/]; "
    "[bold]zunft campaign start weld-seam --quorum 5 --rule trimmed-mean --option trim=.2 --clip 3[/]; "
    "[bold]zunft campaign start weld-seam --optimiser adam --max-staleness 2[/]; "
    "[bold]zunft campaign start weld-seam --variates --share policy[/]; "
    "[bold]zunft campaign start swing-load --rounds 30 --teach --practice-after 10[/]; "
    "all settings from a file: [bold]zunft campaign start weld-seam --order order.json[/]"
)
def start(
    skill: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    rounds: Annotated[int | None, typer.Option(help="How many rounds; with --teach, of lessons.")] = None,
    quorum: Annotated[int, typer.Option(help="Fewest deltas that make a round.")] = 2,
    target: Annotated[int, typer.Option(help="Close a round at so many deltas; 0 waits for all robots.")] = 0,
    deadline: Annotated[
        float, typer.Option(help="Seconds after which a round closes with its quorum.")
    ] = 600,
    rule: Annotated[RuleName | None, typer.Option(help="How deltas are merged; see docs/merging.md.")] = None,
    option: Options = None,
    clip: Clip = None,
    mixing: Annotated[
        bool | None, typer.Option(help="Mix each delta with its nearest first; needs byzantine=.")
    ] = None,
    optimiser: Annotated[OptimiserName | None, typer.Option(help="What the server steps with.")] = None,
    max_staleness: Annotated[int | None, typer.Option(help="How many rounds late a delta may count.")] = None,
    variates: Annotated[
        bool | None, typer.Option(help="Robots that are unlike share control variates, too.")
    ] = None,
    moments: Annotated[
        bool | None, typer.Option(help="And the moments of gradients; needs --variates or --teach.")
    ] = None,
    share: Annotated[
        Literal["all", "policy"] | None,
        typer.Option(help="Whether the critic is shared or stays at home."),
    ] = None,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Begin the next round while a candidate is still measured.")
    ] = False,
    learner: Learner = "",
    knob: Knobs = None,
    teach: Teach = False,
    master_iterations: MasterIterations = None,
    practice_after: PracticeAfter = 0,
    order: Annotated[
        Path | None,
        typer.Option(help="A JSON file with fields of a campaign request, instead of the options above."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a campaign; what is not said is done as the skill's task advises."""
    training = {
        "learner": read_learner(learner, knob),
        "variates": variates,
        "moments": moments,
        "share": share,
    }
    merge = {
        "rule": rule,
        "options": parse_options(option) if rule or option else None,  # they are a rule's own
        "clip": clip,
        "mixing": mixing,
        "optimiser": optimiser,
        "max_staleness": max_staleness,
    }
    options = {
        "rounds": rounds,
        "quorum": quorum,
        "target": target,
        "deadline_seconds": deadline,
        "training": _said(training),
        "merge": _said(merge),
        "ahead": ahead,
    }
    client = connect(hub, token)
    advice, said = client.advice(skill), _said(options)
    said |= teaching(advice, said, teach, master_iterations, practice_after)
    wanted, remedy = (said, "See --help.") if order is None else (_read(order), f"Correct {order}.")
    asked = request(CampaignRequest, advice.but({**wanted, "skill": skill}), remedy)
    campaign = client.start_campaign(asked)
    name = campaign.campaign_id
    tell(
        campaign,
        campaign.order.in_words(),
        f"campaign {name} runs; watch it: zunft campaign watch {name}",
        as_json=as_json,
    )


@app.command(epilog="Example: [bold]zunft campaign watch CAMPAIGN[/]")
def watch(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Follow a campaign until it ends."""
    client = connect(hub, token)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err if as_json else out) as progress:
        bar = progress.add_task("", total=None)
        campaign = client.campaign(campaign_id)
        total = campaign.order.rounds_in_all
        while campaign.state == "running":
            progress.update(bar, total=total, completed=_done(campaign), description=_line(campaign))
            time.sleep(1)
            campaign = client.campaign(campaign_id)
        progress.update(bar, total=total, completed=_done(campaign), description=campaign.state)
    tell(campaign, _rounds(campaign), as_json=as_json)
    if campaign.state == "failed":
        raise RequestError(f"the campaign failed: {campaign.reason}", where=campaign_id)


@app.command(epilog="Example: [bold]zunft campaign show CAMPAIGN[/]")
def show(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Say what was ordered, how it is merged, and what its rounds came to."""
    campaign = connect(hub, token).campaign(campaign_id)
    order, merge = campaign.order, campaign.order.merge
    rows = {
        "state": " ".join(filter(None, (campaign.state, campaign.reason))),
        "rounds": f"{_done(campaign)} of {order.rounds_in_all}",
        **_phases(order),
        "merge": merge.rule_in_words(),
        "server optimiser": merge.optimiser_in_words(),
        "late deltas": f"staleness up to {merge.max_staleness}" if merge.max_staleness else "refused",
        "now": _line(campaign),
    }
    title = f"{campaign.campaign_id}: {order.skill}"
    tell(campaign, facts(rows, title=title), _rounds(campaign), as_json=as_json)


@app.command(
    "list",
    epilog="Examples: [bold]zunft campaign list --json[/]; "
    "[bold]zunft campaign list --skill weld-seam --state running[/]",
)
def list_campaigns(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    skill: Annotated[str, typer.Option(help="Only campaigns for this skill.")] = "",
    state: Annotated[
        Literal["running", "finished", "stopped", "failed"] | None, typer.Option(help="Only those that are.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show campaigns, newest first."""
    query = request(CampaignQuery, {"skill": skill, "state": state, "limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).campaigns, query, whole=whole)
    rows = [
        (
            each.campaign_id,
            each.order.skill,
            each.state,
            f"{_done(each)}/{each.order.rounds_in_all}",
            _line(each),
        )
        for each in page.items
    ]
    columns = ("campaign", "skill", "state", "rounds", "now")
    shown = table(columns, rows, keys=2) if rows else "No campaigns here: zunft campaign start SKILL."
    tell_page(page, shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft campaign stop CAMPAIGN[/]")
def stop(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """End a campaign; what is published stays."""
    stopped = connect(hub, token).stop_campaign(campaign_id)
    tell(stopped, f"campaign {stopped.campaign_id} is stopped", as_json=as_json)


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"no JSON can be read: {error}.", where=str(file)) from error
    if not isinstance(found, dict):
        raise RequestError("no JSON object.", where=str(file), remedy="Write {...} with fields of an order.")
    return found


def _phases(order: CampaignRequest) -> dict[str, str]:
    """How robots train, a line for each phase."""
    if not order.then:
        plan = order.training
        return {"robots learn": plan.learner_in_words(), "robots send": plan.sent_in_words()}
    return {
        f"rounds {each.first} to {each.last}": f"robots learn {each.training.learner_in_words()}, "
        f"and send {each.training.sent_in_words()}"
        for each in order.stretches
    }


def _done(campaign: CampaignView) -> int:
    return campaign.rounds_ended


def _line(campaign: CampaignView) -> str:
    return campaign.waiting_for or campaign.reason


def _rounds(campaign: CampaignView) -> Table:
    rows = [
        (
            str(each.number),
            each.state,
            str(each.deltas),
            f"{each.samples:,}",
            f"{each.gate.candidate.score:.2f}" if each.gate else "-",
            each.gate.reason if each.gate else "",
        )
        for each in campaign.rounds
    ]
    return table(("round", "state", "deltas", "steps", "success", "gate"), rows)
