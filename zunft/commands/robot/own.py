"""`zunft robot` on the robot itself: join, run, status, use, personalise.

Options beat the environment (`ZUNFT_ROBOT_...`, see `fleet.settings`). Training modules are imported
where a command trains: `zunft robot use` runs without torch and Ray.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_json
from rich.markup import escape

from fleet.display import describe
from fleet.membership import connect, join
from fleet.place import StoppedError
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from fleet.settings import RobotSettings
from fleet.tuning import in_words
from skills.errors import HubUnreachableError
from zunft.commands.connection import Json
from zunft.commands.learners import Figures
from zunft.commands.output import err, out, tell
from zunft.commands.settings import settings_of
from zunft.figure_log import figure_log

__all__ = ["app"]

app = typer.Typer()

Home = Annotated[Path | None, typer.Option(help="The robot's own folder.")]
OwnEnv = Annotated[
    str | None,
    typer.Option(
        "--env", help="Your robot, which then moves: package.module:make_env, returns a gymnasium.Env."
    ),
]
SkillName = Annotated[str | None, typer.Option("--skill", help="Which skill to work on.")]
ENDS_ONCE = {"pushed", "dropped", "failed", "waiting", "offline"}


@app.command(
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
    as_json: Json = False,
) -> None:
    """Enrol this robot at a hub. Its key is made here and stays here; repeating it is harmless."""
    settings = settings_of(
        RobotSettings, hub=hub, token=token, name=name, embodiment=embodiment, workshop=workshop, home=home
    )
    bench = RobotFolder(settings.home)
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
    who = f"{identity.name} is {identity.robot_id} of {identity.organisation} at {identity.hub}"
    tell(identity, escape(who), f"the hub signs with {identity.hub_key}", as_json=as_json)


@app.command(
    "run",
    epilog="Examples: [bold]zunft robot run[/]; "
    "your own robot: [bold]zunft robot run --env my_cell.env:make_env[/]",
)
def run_robot(
    skill: SkillName = None,
    env: OwnEnv = None,
    home: Home = None,
    once: Annotated[bool, typer.Option(help="Work for one round at most, then exit.")] = False,
    figures: Figures = "",
    as_json: Json = False,
) -> None:
    """Work for the guild until stopped: train when asked, send what was learned, take new versions.

    It trains in its twin; with --env on the robot itself, whenever the guild asks, and nobody is asked first.
    """
    settings = settings_of(RobotSettings, skill=skill, env=env, home=home)
    bench = RobotFolder(settings.home)
    bench.identity()
    log = figure_log(figures)
    own_env = own_env_of(bench, settings)
    # Imported here, for RLlib loads slowly: what is wrong is said before.
    from fleet.agent import take_turns  # noqa: PLC0415
    from fleet.daemon import make_agent  # noqa: PLC0415

    stop = threading.Event()
    phases: list[str] = []

    def report(progress: Progress) -> None:
        phases.append(progress.phase)
        log(progress)
        if as_json:
            out.print(to_json(progress).decode(), highlight=False, markup=False, soft_wrap=True)
        else:
            out.print(f"{time.strftime('%H:%M:%S')} {describe(progress)}", highlight=False, markup=False)

    with bench.locked(), own_env or nullcontext():
        agent = make_agent(bench, settings, own_env, report, stop.is_set)

        def end(*_: object) -> None:
            stop.set()
            if agent.waits:
                raise StoppedError

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)

        def is_over() -> bool:
            return stop.is_set() or bool(once and phases and phases[-1] in ENDS_ONCE)

        take_turns([agent], is_over, stop.wait)
    if once and phases and phases[-1] == "offline":
        raise HubUnreachableError("the hub did not answer; the work is kept.", remedy="Run it again later.")


@app.command(epilog="Example: [bold]zunft robot status --json[/]")
def status(skill: SkillName = None, home: Home = None, as_json: Json = False) -> None:
    """Show who this robot is, which version it uses and what it still owes the hub."""
    settings = settings_of(RobotSettings, skill=skill, home=home)
    facts = _facts(RobotFolder(settings.home), settings.skill)
    lines = [f"{name.replace('_', ' '):>12}  {escape(_in_words(value))}" for name, value in facts.items()]
    tell(facts, *lines, as_json=as_json)


@app.command(epilog="Example: [bold]zunft robot retry --skill weld-seam[/]")
def retry(skill: SkillName = None, home: Home = None, as_json: Json = False) -> None:
    """Forget which versions were refused, and why: a robot that runs looks at the stable one again."""
    settings = settings_of(RobotSettings, skill=skill, home=home)
    bench = RobotFolder(settings.home)
    memory = bench.memory(settings.skill)
    bench.keep_memory(settings.skill, memory.model_copy(update={"refused": {}}))
    lines = [escape(f"{digest}: {reason}") for digest, reason in memory.refused.items()]
    said = "these are tried again" if memory.refused else f"nothing of {settings.skill} was refused"
    tell({"skill": settings.skill, "forgotten": memory.refused}, *lines, said, as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft robot use weld-seam[/]; "
    "an older version: [bold]zunft robot use weld-seam@7[/]"
)
def use(
    reference: Annotated[str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7.")],
    episodes: Annotated[int, typer.Option(min=1, help="How many jobs to do.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Which jobs; equal seeds give equal jobs.")] = 0,
    plain: Annotated[
        bool, typer.Option("--plain", help="The guild's skill, without what was tuned at home.")
    ] = False,
    env: OwnEnv = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Pull a skill, verify it and do jobs with it: no torch, no Ray, no training.

    NAME alone is the stable version, with what this robot tuned from it by `zunft robot personalise`.
    """
    from fleet.usage import use_skill  # noqa: PLC0415 - MuJoCo

    settings = settings_of(RobotSettings, env=env, home=home)
    bench = RobotFolder(settings.home)
    result = use_skill(
        bench,
        connect(bench),
        reference,
        episodes=episodes,
        seed=seed,
        own_env=settings.env,
        plain=plain,
    )
    tell(result.as_dict(), escape(result.sentence()), as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft robot personalise weld-seam[/]; "
    "longer: [bold]zunft robot personalise --iterations 32[/]"
)
def personalise(
    skill: Annotated[str | None, typer.Argument(help="Which skill; else the one it works on.")] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Training iterations; 8, unless the settings say so.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Learning rate; 1e-4, unless the settings say so.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(help="In which each mix is tried, and as many fresh ones decide; 128.")
    ] = None,
    env: OwnEnv = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Tune the stable version for this robot's home, and use that where it does better there.

    The guild gets nothing of it. A new version of the guild's makes it void. With --env it trains on the
    robot itself, and tries each mix there in --episodes episodes: all that time it moves.
    """
    settings = settings_of(
        RobotSettings,
        skill=skill,
        tune_iterations=iterations,
        tune_rate=rate,
        tune_episodes=episodes,
        env=env,
        home=home,
    )
    bench = RobotFolder(settings.home)
    bench.identity()
    own_env = own_env_of(bench, settings)
    from fleet.daemon import tune_stable  # noqa: PLC0415 - RLlib loads slowly: what is wrong is said before

    with bench.locked(), own_env or nullcontext(), err.status("The robot tunes at home ..."):
        record = tune_stable(bench, settings, own_env)
    tell(record, escape(f"{settings.skill} {in_words(record)}"), as_json=as_json)


def _check_given(settings: RobotSettings) -> None:
    given = settings.model_dump() | {"token": settings.token.get_secret_value()}
    for name in ("hub", "token", "name", "embodiment"):
        if not given[name]:
            raise typer.BadParameter(f"give --{name} or set ZUNFT_ROBOT_{name.upper()}")


def _introduce(bench: RobotFolder) -> None:
    """Say what the robot serves; of one that no task here admits, its own environment will say it."""
    from fleet.abilities import abilities_of  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import kept_tasks  # noqa: PLC0415

    said = abilities_of(bench.identity().embodiment, kept=kept_tasks(bench))
    if said.abilities:
        with suppress(HubUnreachableError):  # it has joined; it will say so again when it runs
            connect(bench).tell_abilities(said)


def own_env_of(bench: RobotFolder, settings: RobotSettings) -> Any:
    """The robot's own environment, within its owner's limits; None where it has none."""
    if not settings.env:
        return None
    from fleet.own_robot import load_env  # noqa: PLC0415 - MuJoCo
    from fleet.runtime.training import GuardedEnv  # noqa: PLC0415
    from fleet.tasks import find_task  # noqa: PLC0415

    task = find_task(bench, connect(bench), settings.skill)
    return GuardedEnv(load_env(settings.env, task), task.contract, bench)


def _in_words(fact: Any) -> str:
    if isinstance(fact, dict):
        fact = ", ".join(f"{name} {value}" for name, value in fact.items())
    return str(fact) if fact else "-"


def _facts(bench: RobotFolder, skill: str) -> dict[str, Any]:
    identity, memory, owed = bench.identity(), bench.memory(skill), bench.pending()
    personal = bench.personal(skill)
    return {
        **identity.model_dump(mode="json"),
        "skill": skill,
        "in_use": memory.in_use.model_dump() if memory.in_use else None,
        "personal": personal.model_dump() if personal else None,
        "refused": memory.refused,
        "owes": owed[0].model_dump(mode="json") if owed else None,
    }
