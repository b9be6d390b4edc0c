"""The commands `zunft robot` and `zunft fleet`; `zunft.cli` mounts both apps.

Options beat the environment (`ZUNFT_ROBOT_...`, see `fleet.settings`). Training modules are imported
where a command trains: `zunft robot use` runs without torch and Ray.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from fleet.client import OperatorClient
from fleet.display import FleetDisplay, describe
from fleet.membership import connect, join
from fleet.progress import Progress
from fleet.settings import RobotSettings
from fleet.workbench import Workbench
from skills.errors import HubUnreachableError, RequestError
from skills.lists import CampaignQuery
from skills.messages import EnrolmentTokenRequest

__all__ = ["fleet_app", "robot_app"]

robot_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="What a robot does: join, work, use skills."
)
fleet_app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Many simulated robots at once.")
out = Console()

Home = Annotated[Path | None, typer.Option(help="The robot's own folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
OwnEnv = Annotated[
    str | None, typer.Option("--env", help="Your robot: package.module:make_env, returns a gymnasium.Env.")
]
SkillName = Annotated[str | None, typer.Option("--skill", help="Which skill to work on.")]
ENDS_ONCE = {"pushed", "dropped", "failed", "waiting", "offline"}


@robot_app.callback()
def robot() -> None:
    """What a robot does: join a guild, work for it, use its skills."""


@fleet_app.callback()
def fleet() -> None:
    """Many simulated robots at once."""


@robot_app.command(
    "join",
    epilog="Example: [bold]zunft robot join --hub http://hub:8080 --token ze_... "
    "--name cell-4 --embodiment ur5e[/]",
)
def join_guild(
    hub: Annotated[str | None, typer.Option(help="The hub's address.")] = None,
    token: Annotated[
        str | None,
        typer.Option(help="One-time token from `zunft token create`; better in ZUNFT_ROBOT_TOKEN."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What operators will call this robot.")] = None,
    embodiment: Annotated[str | None, typer.Option(help="Which arm it is, such as ur5e.")] = None,
    workshop: Annotated[str | None, typer.Option(help="Its workshop: a name or a TOML file.")] = None,
    home: Home = None,
) -> None:
    """Enrol this robot at a hub. Its key is made here and stays here; repeating it is harmless."""
    settings = _settings(hub=hub, token=token, name=name, embodiment=embodiment, workshop=workshop, home=home)
    bench = Workbench(settings.home)
    is_new = not bench.joined()
    if is_new:
        _check_given(settings)
    with bench.locked():
        identity = join(
            bench,
            settings.hub,
            token=settings.token.get_secret_value(),
            name=settings.name,
            embodiment=settings.embodiment,
            workshop=settings.workshop,
        )
    if is_new:
        _introduce(bench)
    out.print(f"{identity.name} is {identity.robot_id} of {identity.organisation} at {identity.hub}")
    out.print(f"the hub signs with {identity.hub_key}", highlight=False, soft_wrap=True)


@robot_app.command(
    "run",
    epilog="Examples: [bold]zunft robot run[/]; "
    "your own robot: [bold]zunft robot run --env my_cell.env:make_env[/]",
)
def run_robot(
    skill: SkillName = None,
    env: OwnEnv = None,
    home: Home = None,
    once: Annotated[bool, typer.Option(help="Work for one round at most, then exit.")] = False,
) -> None:
    """Work for the guild until stopped: train when asked, send what was learned, take new versions."""
    settings = _settings(skill=skill, env=env, home=home)
    bench = Workbench(settings.home)
    bench.identity()
    own_env = _own_env(bench, settings)
    from fleet.daemon import make_agent  # noqa: PLC0415 - RLlib loads slowly: what is wrong is said before

    stop = threading.Event()
    phases: list[str] = []

    def report(progress: Progress) -> None:
        phases.append(progress.phase)
        out.print(f"{time.strftime('%H:%M:%S')} {describe(progress)}", highlight=False, markup=False)

    with bench.locked():
        agent = make_agent(bench, settings, own_env, report, stop.is_set)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            stop.wait(agent.step())
            if once and phases and phases[-1] in ENDS_ONCE:
                break
    if once and phases and phases[-1] == "offline":
        raise HubUnreachableError("the hub did not answer; the work is kept.", remedy="Run it again later.")


@robot_app.command(epilog="Example: [bold]zunft robot status --json[/]")
def status(skill: SkillName = None, home: Home = None, as_json: Json = False) -> None:
    """Show who this robot is, which version it uses and what it still owes the hub."""
    settings = _settings(skill=skill, home=home)
    facts = _facts(Workbench(settings.home), settings.skill)
    if as_json:
        out.print_json(data=facts)
        return
    for name, value in facts.items():
        out.print(f"{name.replace('_', ' '):>12}  {_in_words(value)}", soft_wrap=True)


@robot_app.command(
    epilog="Examples: [bold]zunft robot use weld-seam[/]; "
    "an older version: [bold]zunft robot use weld-seam@7[/]"
)
def use(
    reference: Annotated[str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7.")],
    episodes: Annotated[int, typer.Option(min=1, help="How many jobs to do.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Which jobs; equal seeds give equal jobs.")] = 0,
    env: OwnEnv = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Pull a skill, verify it and do jobs with it: no torch, no Ray, no training."""
    from fleet.usage import use_skill  # noqa: PLC0415 - MuJoCo

    settings = _settings(env=env, home=home)
    bench = Workbench(settings.home)
    result = use_skill(bench, connect(bench), reference, episodes=episodes, seed=seed, own_env=settings.env)
    if as_json:
        out.print_json(data=result.as_dict())
    else:
        out.print(result.sentence(), highlight=False)


@fleet_app.command(
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
    forever: Annotated[bool, typer.Option(help="Go on when no campaign is running.")] = False,
) -> None:
    """Run robots that train for a hub until the skill's campaign is over."""
    from fleet.simulate import FleetPlan, draw_robots  # noqa: PLC0415 - MuJoCo
    from fleet.simulate import simulate as run_fleet  # noqa: PLC0415

    operator = OperatorClient.open(hub, token)
    made = operator.create_tokens(EnrolmentTokenRequest(count=robots))
    drawn = draw_robots(_task_of(operator, skill, home), [each.token for each in made], seed)
    plan = FleetPlan(hub, skill, drawn, home.absolute(), seed=seed)
    until = (lambda: False) if forever else _campaign_over(operator, skill)
    count = min(robots, processes or os.cpu_count() or 1)
    with _open_crew(count, ray=ray, address=ray_address) as crew, FleetDisplay(out) as display:
        try:
            run_fleet(plan, crew, display, until)
        except KeyboardInterrupt:
            out.print("stopped; the robots go on from their folders when started again")


def _settings(**given: Any) -> RobotSettings:
    try:
        return RobotSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = "ZUNFT_ROBOT_" + "_".join(str(part) for part in first["loc"]).upper()
        raise typer.BadParameter(f"{option}: {first['msg']}") from error


def _check_given(settings: RobotSettings) -> None:
    given = settings.model_dump() | {"token": settings.token.get_secret_value()}
    for name in ("hub", "token", "name", "embodiment"):
        if not given[name]:
            raise typer.BadParameter(f"give --{name} or set ZUNFT_ROBOT_{name.upper()}")


def _introduce(bench: Workbench) -> None:
    """Say what the robot serves; of one that no task here admits, its own environment will say it."""
    from fleet.abilities import abilities_of  # noqa: PLC0415 - MuJoCo

    said = abilities_of(bench.identity().embodiment)
    if said.abilities:
        with suppress(HubUnreachableError):  # it has joined; it will say so again when it runs
            connect(bench).tell_abilities(said)


def _own_env(bench: Workbench, settings: RobotSettings) -> Any:
    from fleet.own_env import load_env  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import find_task  # noqa: PLC0415

    if not settings.env:
        return None
    return load_env(settings.env, find_task(bench, connect(bench), settings.skill))


def _task_of(operator: OperatorClient, skill: str, home: Path) -> Any:
    """The task for which workshops are drawn; each robot fetches and verifies its own copy."""
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import borrow_task, is_here  # noqa: PLC0415

    if is_here(skill):
        return load_task(skill)
    wanted = operator.version(skill, "stable").manifest
    target = home / ".tasks" / skill
    return borrow_task(operator.connection, wanted.task, wanted.task_digest, None, target)


def _in_words(fact: Any) -> str:
    if isinstance(fact, dict):
        fact = ", ".join(f"{name} {value}" for name, value in fact.items())
    return str(fact) if fact else "-"


def _facts(bench: Workbench, skill: str) -> dict[str, Any]:
    identity, memory, owed = bench.identity(), bench.memory(skill), bench.pending()
    return {
        **identity.model_dump(mode="json"),
        "skill": skill,
        "in_use": memory.in_use.model_dump() if memory.in_use else None,
        "refused": memory.refused,
        "owes": owed[0].model_dump(mode="json") if owed else None,
    }


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
    from fleet.crew import Crew  # noqa: PLC0415

    if ray:
        from fleet.cluster import RayActors  # noqa: PLC0415

        return Crew(RayActors(count, address))
    if address:
        raise RequestError("a Ray address needs --ray.", where="--ray-address")
    from fleet.processes import Processes  # noqa: PLC0415

    return Crew(Processes(count))
