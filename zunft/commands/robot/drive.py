"""`zunft robot drive` and `release`: work with the version in use; a stop stays until a person ends it.

What may be sent and what stops it: docs/runtime.md.
"""

from __future__ import annotations

import getpass
import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from fleet.membership import connect
from fleet.own_code import load_driver
from fleet.robot_folder import RobotFolder
from fleet.settings import RobotSettings
from skills.errors import ZunftError
from skills.files import write_atomically
from zunft.commands.connection import Json
from zunft.commands.output import err, tell
from zunft.commands.robot.own import Home, OwnEnv, SkillName
from zunft.commands.settings import settings_of

if TYPE_CHECKING:
    from envs.task import Task
    from fleet.health.listening import ListenedRobot
    from fleet.runtime.counters import Counters
    from fleet.runtime.drive import Driven
    from fleet.runtime.loop import Clock
    from fleet.runtime.robot import Robot
    from skills.player import Player
    from skills.skill import Skill

__all__ = ["app"]

app = typer.Typer()
OwnRobot = Annotated[
    str | None,
    typer.Option("--robot", help="Its driver: cell://HOST:PORT, or package.module:make_robot."),
]
STOPPED = 3
"""Exit status where the robot is stopped now."""


@app.command(
    epilog="Examples: [bold]zunft robot drive --jobs 20[/]; "
    "your own robot, without end: [bold]zunft robot drive --robot my_cell.driver:make_robot --jobs 0[/]"
)
def drive(
    skill: SkillName = None,
    jobs: Annotated[int, typer.Option(min=0, help="How many; 0: until it is stopped.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the jobs in the twin.")] = 0,
    supervised: Annotated[
        bool, typer.Option("--supervised", help="Try the version that waits, slowly: you watch, and decide.")
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of its speed at which it is tried.")
    ] = 0.25,
    by: Annotated[str, typer.Option(help="Who watches and agrees; else you are asked.")] = "",
    metrics: Annotated[
        Path | None, typer.Option(help="Write counters there after each job, as Prometheus reads them.")
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Act through ONNX Runtime instead of numpy.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Folder for a recording of each job (MCAP); the newest 100 are kept.")
    ] = None,
    env: OwnEnv = None,
    robot: OwnRobot = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Do jobs with the version in use, at the contract's rate and within this robot's limits.

    Without --robot or --env its twin is driven, in real time. Status 3: a guard or the robot stopped it: look
    at it, then `zunft robot release`.
    """
    from fleet.runtime.counters import Counters  # noqa: PLC0415 - MuJoCo
    from fleet.runtime.drive import drive as drive_robot  # noqa: PLC0415
    from fleet.runtime.loop import Monotonic  # noqa: PLC0415
    from fleet.tasks import find_task  # noqa: PLC0415

    settings = settings_of(RobotSettings, skill=skill, env=env, driver=robot, home=home)
    bench, clock, counters = RobotFolder(settings.home), Monotonic(), Counters()
    task = find_task(bench, connect(bench), settings.skill)
    driven_robot = _robot(bench, settings, task, clock, seed)
    listened = _listened(driven_robot, bench, settings.skill, task, counters)
    driven_robot = _recorded(listened or driven_robot, task, record)
    if supervised and not by:
        typer.confirm("Is the cell clear, and your hand at the emergency stop?", abort=True, err=True)

    with bench.locked() if settings.env else nullcontext():  # nobody trains in it meanwhile
        done = drive_robot(
            bench,
            settings.skill,
            driven_robot,
            task.contract,
            clock,
            counters,
            jobs=jobs,
            horizon=task.horizon,
            make_player=_maker(onnx=onnx),
            speed=speed if supervised else None,
            tell=partial(_tell, settings.skill, counters, metrics, listened),
            is_over=_ended_by_signal(),
        )
    if supervised:
        _settle(bench, settings.skill, done, by)
    _conclude(settings.skill, done, counters, as_json=as_json)


@app.command(epilog="Example: [bold]zunft robot release[/]")
def release(home: Home = None, as_json: Json = False) -> None:
    """Let a robot that stopped move again: somebody has looked at it."""
    from fleet.runtime.stop import release as release_robot  # noqa: PLC0415

    settings = settings_of(RobotSettings, home=home)
    reason = release_robot(RobotFolder(settings.home))
    said = f"released; it was stopped: {reason}" if reason else "it was not stopped"
    tell({"released": bool(reason), "reason": reason}, escape(said), as_json=as_json)


def _robot(bench: RobotFolder, settings: RobotSettings, task: Task, clock: Clock, seed: int) -> Robot:
    """What is driven: a cell, a driver, an environment, or the twin; only the last two need a simulator."""
    from fleet.runtime.cell import CellRobot, place_of  # noqa: PLC0415

    if settings.driver.startswith("cell:"):
        return CellRobot(place_of(settings.driver), task.contract, clock)
    if settings.driver:
        return load_driver(settings.driver)
    from envs.single import TaskEnv  # noqa: PLC0415 - MuJoCo
    from fleet.home import home_workshop  # noqa: PLC0415
    from fleet.own_robot import load_env  # noqa: PLC0415
    from fleet.runtime.environment import EnvironmentRobot  # noqa: PLC0415

    if settings.env:
        return EnvironmentRobot(load_env(settings.env, task), clock)
    return EnvironmentRobot(TaskEnv(task, workshop=home_workshop(bench.identity(), task)), clock, seed)


def _listened(
    robot: Robot, bench: RobotFolder, skill: str, task: Task, counters: Counters
) -> ListenedRobot | None:
    """The robot with its machine judged by each job; None where it is no arm, or there is no simulator."""
    try:
        from envs.nominal import NominalArm  # noqa: PLC0415 - MuJoCo, which a robot need not have
        from fleet.health.listening import ListenedRobot  # noqa: PLC0415 - the same

        arm = NominalArm(task, bench.identity().embodiment)
    except (ImportError, ZunftError):
        return None
    return ListenedRobot(robot, bench, skill, arm, counters, lambda: datetime.now(UTC))


def _tell(
    skill: str, counters: Counters, metrics: Path | None, listened: ListenedRobot | None, driven: Driven
) -> None:
    """Say how a job went and that the machine is worn, and write the counters where they are wanted."""
    state = listened.judge() if listened else None
    if state is not None and state.worn_since is not None:
        err.print(escape(f"worn: {state.figure}; look at the machine, then zunft robot health --renew"))
    if metrics is not None:
        write_atomically(metrics, counters.text().encode())
    err.print(escape(_sentence(skill, driven)))


def _ended_by_signal() -> Callable[[], bool]:
    """Whether somebody wants it to end, by SIGTERM or Ctrl-C from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop.is_set


def _conclude(skill: str, done: list[Driven], counters: Counters, *, as_json: bool) -> None:
    outcomes = [each.job.outcome for each in done]
    made = {"skill": skill, "jobs": [_fact(each) for each in done], "counters": counters.as_dict()}
    tell(made, f"{outcomes.count('done')} of {len(outcomes)} jobs done.", as_json=as_json)
    if "stopped" in outcomes:
        raise typer.Exit(STOPPED)


def _maker(*, onnx: bool) -> Callable[[Skill], Player]:
    """What makes a player of a skill."""
    from skills.onnx_policy import OnnxPolicy  # noqa: PLC0415
    from skills.policy import Policy  # noqa: PLC0415

    return OnnxPolicy.of_skill if onnx else Policy


def _recorded(robot: Robot, task: Task, folder: Path | None) -> Robot:
    if folder is None:
        return robot
    from fleet.runtime.recording import RecordedRobot  # noqa: PLC0415

    return RecordedRobot(robot, task.contract, folder, time.time)


def _settle(bench: RobotFolder, skill: str, done: list[Driven], by: str) -> None:
    """Somebody has seen the version that waited, and says whether it may work alone."""
    from fleet.updates import consent, decline, waiting_version  # noqa: PLC0415

    if not done or done[-1].job.outcome in {"stopped", "ended"}:
        return  # neither: it waits on
    seen = waiting_version(bench, skill)
    if seen.digest != done[-1].digest:
        return  # the guild has another one by now
    if by or typer.confirm(f"May version {seen.version} work alone from now on?", err=True):
        consent(bench, skill, seen, by or getpass.getuser())
    else:
        decline(bench, skill, seen, getpass.getuser())


def _fact(driven: Driven) -> dict[str, object]:
    job = driven.job
    return {
        "version": driven.version,
        "share": driven.share,
        "outcome": job.outcome,
        "periods": job.periods,
        "reason": job.reason,
    }


def _sentence(skill: str, driven: Driven) -> str:
    job = driven.job
    why = f": {job.reason}" if job.reason else ""
    return f"{skill} v{driven.version}: {job.outcome} after {job.periods} periods{why}"
