"""`zunft fleet`: how robots fare, their tags, and many simulated ones at once, here or on a Ray cluster.

Training modules are imported where they are needed: other commands run without torch and Ray.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_json

from fleet.client import OperatorClient
from fleet.display import FleetDisplay
from fleet.progress import Progress
from skills.errors import HubUnreachableError, RequestError
from skills.files import keep_private
from skills.messages.lists import CampaignQuery, FleetQuery
from skills.messages.reports import FleetRobot, TagsChange
from skills.messages.robots import EnrolmentTokenRequest
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.learners import Figures
from zunft.commands.listing import All, Cursor, Embodiment, Limit, Organisation, Text, listed, tell_page
from zunft.commands.output import err, out, table, tell
from zunft.commands.overview import overview
from zunft.figure_log import figure_log

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


app.command(epilog="Example: [bold]zunft fleet overview --json[/]")(overview)


@app.callback()
def fleet() -> None:
    """How an operator's robots fare, and many simulated ones at once."""
    keep_private()


@app.command(
    epilog="Example: [bold]zunft fleet simulate --robots 8 --hub http://hub:8080 --token zt_...[/]; "
    "on a Ray cluster: add [bold]--ray[/]"
)
def simulate(
    robots: Annotated[int, typer.Option(min=1, max=1000, help="How many robots.")],
    hub: Annotated[str, typer.Option(envvar="ZUNFT_HUB", help="The hub's address.")],
    token: Annotated[
        str, typer.Option(envvar="ZUNFT_TOKEN", help="An operator's API token: it lets the robots enrol.")
    ],
    skill: Annotated[str, typer.Option(help="Which skill they work on.")] = "weld-seam",
    processes: Annotated[int, typer.Option(min=0, help="Worker processes; 0 = one a core.")] = 0,
    ray: Annotated[bool, typer.Option("--ray", help="Run on a Ray cluster instead of processes.")] = False,
    ray_address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="The cluster; empty starts one here.")
    ] = None,
    home: Annotated[Path, typer.Option(help="Folder of the robots' folders.")] = Path("zunft-fleet"),
    seed: Annotated[int, typer.Option(min=0, help="Of workshops and training.")] = 0,
    figures: Figures = "",
    forever: Annotated[bool, typer.Option(help="Go on when no campaign is running.")] = False,
    as_json: Json = False,
) -> None:
    """Run robots that train for a hub until the skill's campaign is over."""
    from fleet.simulate import FleetPlan, draw_robots  # noqa: PLC0415 - MuJoCo
    from fleet.simulate import simulate as run_fleet  # noqa: PLC0415

    log = figure_log(figures)
    operator = OperatorClient.open(hub, token)
    made = operator.create_tokens(EnrolmentTokenRequest(count=robots))
    drawn = draw_robots(_task_of(operator, skill, home), [each.token for each in made], seed)
    plan = FleetPlan(hub, skill, drawn, home.absolute(), seed=seed)
    until = (lambda: False) if forever else _campaign_over(operator, skill)
    count = min(robots, processes or os.cpu_count() or 1)
    display = nullcontext(_print) if as_json else FleetDisplay(out)
    with _open_crew(count, ray=ray, address=ray_address) as crew, display as show:

        def tell(progress: Progress) -> None:
            log(progress)
            show(progress)

        try:
            run_fleet(plan, crew, tell, until)
        except KeyboardInterrupt:
            err.print("stopped; the robots go on from their folders when started again")


@app.command(
    epilog="Examples: [bold]zunft fleet status weld-seam --drift[/]; "
    "[bold]zunft fleet status weld-seam --embodiment ur5e --lost --json[/]"
)
def status(
    skill: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    text: Text = "",
    organisation: Organisation = "",
    embodiment: Embodiment = "",
    tag: Annotated[str, typer.Option(help="Only robots with this tag.")] = "",
    version: Annotated[
        int | None, typer.Option(min=0, help="Only robots that say they use this one; 0: none.")
    ] = None,
    lost: Annotated[
        bool | None, typer.Option("--lost/--there", help="Only those that are missed, or not.")
    ] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only those that would not take one.")] = False,
    drift: Annotated[
        bool, typer.Option("--drift", help="Only robots that use another version than they are to.")
    ] = False,
    rollout: Annotated[
        str, typer.Option(help="Id of the roll-out whose rings are told; else the one under way.")
    ] = "",
    ring: Annotated[int | None, typer.Option(min=1, max=10, help="Only robots in this ring.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show robots that ask for a skill: what they are to use, and what they say of themselves."""
    said: dict[str, object] = {
        "skill": skill,
        "text": text,
        "organisation": organisation,
        "embodiment": embodiment,
        "tag": tag,
    }
    said |= {"version": version, "lost": lost, "refused": refused, "limit": limit, "cursor": cursor}
    said |= {"drifts": drift, "rollout": rollout, "ring": ring}
    page = listed(connect(hub, token).fleet, request(FleetQuery, said), whole=whole)
    columns = ("robot", "name", "embodiment", "ring", "uses", "is to use", "since", "jobs", "seen", "says")
    rows = [_standing(each) for each in page.items]
    tell_page(page, table(columns, rows) if rows else "No such robots here.", as_json=as_json)


@app.command(epilog="Example: [bold]zunft fleet adoption weld-seam[/]")
def adoption(skill: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Show how many robots say that they use each version of a skill, and how its jobs went."""
    found = connect(hub, token).adoption(skill)
    rows = [
        (
            f"v{each.version}" if each.version else "none",
            str(each.robots),
            str(each.drifting),
            f"{each.done}/{each.done + each.failed}",
            f"{each.success:.2f}" if each.success is not None else "-",
        )
        for each in found
    ]
    columns = ("version", "robots", "of these not as wanted", "jobs done", "share")
    tell(found, table(columns, rows) if rows else "No robot has reported yet.", as_json=as_json)


@app.command(epilog="Example: [bold]zunft fleet uses r-4f1c20b7d9e8[/]")
def uses(robot_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Show which version of each skill a robot says that it uses, and which it is to use."""
    found = connect(hub, token).uses(robot_id)
    rows = [
        (
            each.skill,
            f"v{each.tally.version}" if each.tally else "-",
            f"v{each.wanted}" if each.wanted else "-",
            f"{each.tally.done}/{each.tally.jobs}" if each.tally else "-",
        )
        for each in found
    ]
    columns = ("skill", "uses", "is to use", "jobs done")
    tell(found, table(columns, rows) if rows else "It asks for no skill.", as_json=as_json)


@app.command(epilog="Example: [bold]zunft fleet tag r-4f1c20b7d9e8 test-cell hall-3[/]")
def tag(
    robot_id: str,
    token: Token,
    tags: Annotated[list[str] | None, typer.Argument(help="All that it is to have; none: no more.")] = None,
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Call a robot by tags, in place of all before: rings of roll-outs may ask for them."""
    found = connect(hub, token).tag_robot(robot_id, request(TagsChange, {"tags": tags or []}))
    tell(found, f"{robot_id}: {', '.join(found.tags) or 'no tags'}", as_json=as_json)


def _standing(robot: FleetRobot) -> tuple[str, ...]:
    """A robot's line. What it says may be untrue; when it was seen is the hub's own word."""
    report, refusal, tally = robot.report, robot.refusal, robot.tally
    notes = ["lost"] * (robot.lost_at is not None) + ["drifts"] * robot.drifts
    if report:
        notes += ["busy"] * report.busy + ["stopped"] * report.stopped
        notes += [f"{name} guard {count}" for name, count in report.guards.items() if count]
    notes += [f"refused v{refusal.version}: {refusal.reason}"] if refusal else []
    return (
        robot.robot_id,
        robot.name,
        robot.embodiment,
        str(robot.ring or "-"),
        f"v{tally.version}" if tally else "-",
        f"v{robot.wanted}" if robot.wanted else "-",
        f"{report.since:%m-%d %H:%M}" if report and report.since else "-",
        f"{tally.done}/{tally.jobs}" if tally else "-",
        f"{robot.last_seen_at:%m-%d %H:%M}" if robot.last_seen_at else "never",
        "; ".join(notes),
    )


def _print(progress: Progress) -> None:
    """One document a line."""
    out.print(to_json(progress).decode(), highlight=False, markup=False, soft_wrap=True)


def _task_of(operator: OperatorClient, skill: str, home: Path) -> Any:
    """The task for which workshops are drawn; each robot fetches and verifies its own copy."""
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import borrow_task, is_here  # noqa: PLC0415

    if is_here(skill):
        return load_task(skill)
    wanted = operator.version(skill, "base").manifest
    target = home / ".tasks" / skill
    return borrow_task(operator.connection, wanted.task, wanted.task_digest, None, target)


def _campaign_over(operator: OperatorClient, skill: str) -> Callable[[], bool]:
    seen = False

    def over() -> bool:
        nonlocal seen
        try:
            states = [each.state for each in operator.campaigns(CampaignQuery(skill=skill)).items]
        except HubUnreachableError:
            return False
        running = "running" in states
        seen = seen or running
        return seen and not running

    return over


def _open_crew(count: int, *, ray: bool, address: str | None) -> Any:
    from fleet.workers.crew import Crew  # noqa: PLC0415

    if ray:
        from fleet.workers.cluster import RayActors  # noqa: PLC0415

        return Crew(RayActors(count, address))
    if address:
        raise RequestError("a Ray address needs --ray.", where="--ray-address")
    from fleet.workers.processes import Processes  # noqa: PLC0415

    return Crew(Processes(count))
