"""`zunft campaign`: what an operator does with campaigns - start, watch, show, list, stop."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from skills.errors import RequestError
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.lists import AtWorkQuery, CampaignQuery
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.learners import Knobs, Learner, read_learner
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.merge import Clip, Options, parse_options
from zunft.commands.order_options import (
    Ahead,
    Alpha,
    ArmMargin,
    Contributions,
    Deadline,
    LowRankOption,
    Margin,
    MaxStaleness,
    Mixing,
    Moments,
    MostEpisodes,
    OnWeak,
    Optimiser,
    OrderFile,
    Power,
    Quorum,
    Release,
    Rounds,
    Rule,
    Share,
    StopBelow,
    StopRounds,
    Target,
    Variates,
    low_rank_said,
    read_order,
    said,
    stop_said,
)
from zunft.commands.output import err, facts, out, table, tell
from zunft.commands.teaching import MasterIterations, PracticeAfter, Teach, teaching

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command(
    epilog="Examples: [bold]zunft campaign start weld-seam --rounds 16 --quorum 3[/]; "
    "[bold]zunft campaign start weld-seam --quorum 5 --rule trimmed-mean --option trim=.2 --clip 3[/]; "
    "[bold]zunft campaign start weld-seam --optimiser adam --max-staleness 2[/]; "
    "[bold]zunft campaign start weld-seam --variates --share policy[/]; "
    "[bold]zunft campaign start weld-seam --margin .04 --most-episodes 960 --on-weak-arm release_others[/]; "
    "[bold]zunft campaign start weld-seam --rounds 200 --stop-below 20[/]; "
    "[bold]zunft campaign start swing-load --rounds 30 --teach --practice-after 10[/]; "
    "all settings from a file: [bold]zunft campaign start weld-seam --order order.json[/]"
)
def start(
    skill: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    rounds: Rounds = None,
    quorum: Quorum = 2,
    target: Target = 0,
    deadline: Deadline = 600,
    rule: Rule = None,
    option: Options = None,
    clip: Clip = None,
    mixing: Mixing = None,
    optimiser: Optimiser = None,
    max_staleness: MaxStaleness = None,
    variates: Variates = None,
    moments: Moments = None,
    share: Share = None,
    low_rank: LowRankOption = None,
    ahead: Ahead = False,
    learner: Learner = "",
    knob: Knobs = None,
    teach: Teach = False,
    master_iterations: MasterIterations = None,
    practice_after: PracticeAfter = 0,
    margin: Margin = None,
    arm_margin: ArmMargin = None,
    alpha: Alpha = None,
    power: Power = None,
    most_episodes: MostEpisodes = None,
    on_weak_arm: OnWeak = None,
    contributions: Contributions = None,
    release: Release = "stable",
    stop_below: StopBelow = None,
    stop_rounds: StopRounds = 5,
    order: OrderFile = None,
    as_json: Json = False,
) -> None:
    """Start a campaign; what is not said is done as the skill's task advises."""
    options = parse_options(option) if rule or option else None  # they are a rule's own
    merge = said(rule=rule, options=options, clip=clip, mixing=mixing, optimiser=optimiser)
    factors, plain = low_rank_said(low_rank)
    merge |= said(max_staleness=max_staleness) | plain
    gate = said(margin=margin, arm_margin=arm_margin, alpha=alpha, power=power, most=most_episodes)
    gate |= said(on_weak_arm=on_weak_arm)
    learns = said(learner=read_learner(learner, knob), variates=variates, moments=moments, share=share)
    learns |= factors
    ends = said(rounds=rounds, quorum=quorum, target=target, deadline_seconds=deadline, ahead=ahead)
    ends |= said(release=release) | stop_said(stop_below, stop_rounds)
    client, remedy = connect(hub, token), "See --help."
    advice, wanted = client.advice(skill), {**ends, "training": learns, "merge": merge, "gate": gate}
    wanted |= said(contributions=contributions)
    wanted |= teaching(advice, wanted, teach, master_iterations, practice_after)
    if order is not None:
        wanted, remedy = read_order(order), f"Correct {order}."
    campaign = client.start_campaign(request(CampaignRequest, advice.but({**wanted, "skill": skill}), remedy))
    name = campaign.campaign_id
    runs = f"campaign {name} runs; watch it: zunft campaign watch {name}"
    tell(campaign, campaign.order.in_words(), runs, as_json=as_json)


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
        "gate": order.gate.in_words(),
        "late deltas": f"staleness up to {merge.max_staleness}" if merge.max_staleness else "refused",
        **({"ends early": f"once {order.stop_when.in_words()}"} if order.stop_when else {}),
        "cost": campaign.cost.in_words(),
        "now": _line(campaign),
    }
    title = f"{campaign.campaign_id}: {order.skill}"
    shown = [facts(rows, title=title), _rounds(campaign)]
    tell(campaign, *shown, *([_contributions(campaign)] * order.contributions), as_json=as_json)


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


@app.command(
    epilog="Examples: [bold]zunft campaign robots CAMPAIGN[/]; "
    "[bold]zunft campaign robots CAMPAIGN --round 3 --json[/]"
)
def robots(
    campaign_id: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    number: Annotated[int | None, typer.Option("--round", help="An older round than the newest.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show your robots in a round: who is at work for how long, and what each brought."""
    query = request(AtWorkQuery, {"round": number, "limit": limit, "cursor": cursor})
    page = listed(partial(connect(hub, token).robots_at_work, campaign_id), query, whole=whole)
    rows = [
        (
            each.robot_id,
            each.name,
            each.state,
            f"{each.samples:,}",
            "-" if each.success is None else f"{each.success:.2f}",
            "-" if each.norm is None else f"{each.norm:.3g}",
        )
        for each in page.items
    ]
    columns = ("robot", "name", "state", "steps", "success", "norm")
    shown = table(columns, rows, keys=1) if rows else "None of your robots was given this round."
    tell_page(page, shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft campaign stop CAMPAIGN[/]")
def stop(campaign_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """End a campaign; what is published stays."""
    stopped = connect(hub, token).stop_campaign(campaign_id)
    tell(stopped, f"campaign {stopped.campaign_id} is stopped", as_json=as_json)


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


def _contributions(campaign: CampaignView) -> Table:
    """By how much the mean return of each round would be lower without each delta, the least first."""
    rows = [
        (str(each.number), delta.removeprefix("sha256:")[:12], f"{effect:+.3g}")
        for each in campaign.rounds
        if each.gate
        for delta, effect in sorted(each.gate.contributions.items(), key=lambda found: found[1])
    ]
    return table(("round", "delta", "gain in return"), rows)


def _rounds(campaign: CampaignView) -> Table:
    rows = [
        (
            str(each.number),
            each.state,
            str(each.deltas),
            f"{each.samples:,}",
            f"{each.gate.candidate.score:.2f}" if each.gate else "-",
            f"{each.cost.core_hours:.2g}",
            f"{each.cost.kwh:.2g}",
            each.gate.reason if each.gate else "",
        )
        for each in campaign.rounds
    ]
    return table(("round", "state", "deltas", "steps", "success", "core-hours", "kWh", "gate"), rows)
