"""`zunft fleet`: many simulated robots at once, in processes of this machine or on a Ray cluster.

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
from skills.messages.lists import CampaignQuery
from skills.messages.robots import EnrolmentTokenRequest
from zunft.commands.connection import Json
from zunft.commands.learners import Figures
from zunft.commands.output import err, out
from zunft.figure_log import figure_log

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def fleet() -> None:
    """Many simulated robots at once."""
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
