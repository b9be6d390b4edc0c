"""`zunft robot master`: who shows the guild how the work is done at this robot; it never leaves the robot.

How a master teaches is `fleet.training.imitation`'s; this names one, and trains one where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fleet.membership import connect
from fleet.robot_folder import RobotFolder
from fleet.settings import RobotSettings
from skills.errors import RequestError
from skills.messages.plans import TrainingPlan
from skills.skill import Skill
from zunft.commands.connection import Json
from zunft.commands.learners import Knobs, Learner, Network, Sizes, read_learner
from zunft.commands.output import err, out, tell
from zunft.commands.robot.own import Home, SkillName
from zunft.commands.settings import settings_of

if TYPE_CHECKING:
    from envs.task import Task
    from fleet.training.report import TrainingReport

__all__ = ["app"]

app = typer.Typer()


@app.command(
    epilog="Examples: [bold]zunft robot master --skill swing-load --train[/]; "
    "[bold]zunft robot master --skill swing-load --controller feedback[/]; "
    "[bold]zunft robot master --skill weld-seam --episodes weld.episodes[/]"
)
def master(
    skill: SkillName = None,
    train: Annotated[bool, typer.Option("--train", help="Train one at home, without the guild.")] = False,
    iterations: Annotated[int, typer.Option(min=1, help="Of that training.")] = 60,
    file: Annotated[Path | None, typer.Option(help="A skill file that becomes the master.")] = None,
    controller: Annotated[str, typer.Option(help="One of the task's controllers becomes it.")] = "",
    episodes: Annotated[
        Path | None, typer.Option(help="What was recorded here becomes it: zunft robot record.")
    ] = None,
    learner: Learner = "",
    knob: Knobs = None,
    network: Network = "",
    size: Sizes = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Name this robot's master of a task, for campaigns of lessons.

    One takes the other's place; a robot that runs and had one already takes the new one when it starts again.
    """
    if sum((train, file is not None, bool(controller), episodes is not None)) != 1:
        raise RequestError(
            "one master, please.",
            where="zunft robot master",
            remedy="Give --train, --file, --controller or --episodes.",
        )
    from fleet.episodes import load_episodes  # noqa: PLC0415 - MuJoCo
    from fleet.masters import bring_controller, bring_episodes, bring_skill  # noqa: PLC0415
    from fleet.tasks import find_task  # noqa: PLC0415
    from zunft.new_skill import new_skill, read_network  # noqa: PLC0415

    settings = settings_of(RobotSettings, skill=skill, home=home)
    bench = RobotFolder(settings.home)
    task = find_task(bench, connect(bench), settings.skill)
    if controller:
        bring_controller(bench, task, controller)
        said = f"the controller {controller}"
    elif episodes:
        recording = load_episodes(episodes)
        bring_episodes(bench, task, recording)
        said = f"{len(recording.episodes)} recorded episodes, {recording.steps:,} steps"
    else:
        plan = TrainingPlan(iterations=1, learner=read_learner(learner, knob))
        first = new_skill(task, seed=settings.seed, network=read_network(network, size))
        mine = Skill.load(file) if file else _trained(bench, task, first, plan, iterations, as_json=as_json)
        bring_skill(bench, task, mine)
        said = f"{file}" if file else f"trained here in {mine.manifest.samples:,} steps"
    tell({"task": task.name, "master": said}, f"{task.name}: this robot's master is {said}", as_json=as_json)


def _trained(
    bench: RobotFolder, task: Task, first: Skill, plan: TrainingPlan, iterations: int, *, as_json: bool
) -> Skill:
    from fleet.home import home_workshop  # noqa: PLC0415
    from fleet.local_training import train_alone  # noqa: PLC0415 - RLlib

    bars = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*bars, console=err if as_json else out) as progress:
        bar = progress.add_task("", total=iterations)

        def step(report: TrainingReport) -> None:
            done = "" if report.success_rate is None else f"{report.success_rate:.0%} of the jobs, exploring"
            progress.update(bar, advance=1, description=done)

        shop = home_workshop(bench.identity(), task)
        return train_alone(first, task, shop, plan, iterations, seed=0, on_iteration=step)
