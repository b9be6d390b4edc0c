"""`zunft robot record`: episodes done by somebody who knows how, to learn from; they never leave the robot.

What a recording holds is `fleet.episodes`'; that it teaches is said with `zunft robot master --episodes`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.membership import connect
from fleet.robot_folder import RobotFolder
from fleet.settings import RobotSettings
from skills.errors import RequestError
from skills.skill import Skill
from zunft.commands.connection import Json
from zunft.commands.output import err, tell
from zunft.commands.robot.own import Home, OwnEnv, SkillName, own_env_of
from zunft.commands.settings import settings_of

if TYPE_CHECKING:
    from envs.task import Task
    from skills.player import Player

__all__ = ["app"]

app = typer.Typer()


@app.command(
    epilog="Examples: [bold]zunft robot record --skill weld-seam --controller p -o weld.episodes[/]; "
    "a person at your own robot: [bold]zunft robot record --env my_cell.env:make_env "
    "--player my_cell.joystick:make_player -o weld.episodes[/]"
)
def record(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the recording.")],
    skill: SkillName = None,
    controller: Annotated[str, typer.Option(help="One of the task's controllers acts.")] = "",
    file: Annotated[Path | None, typer.Option(help="A skill file acts.")] = None,
    player: Annotated[
        str, typer.Option(help="Your own: package.module:make_player, with begin() and act(observation).")
    ] = "",
    env: OwnEnv = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="Of the jobs in the twin.")] = 0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Record episodes on this robot, without --env in its twin; it learns from them as from a master."""
    if sum((bool(controller), file is not None, bool(player))) != 1:
        raise RequestError(
            "somebody has to act.",
            where="zunft robot record",
            remedy="Give --controller, --file or --player.",
        )
    from envs.single import TaskEnv  # noqa: PLC0415 - MuJoCo
    from fleet.episodes import Recorded, save_episodes  # noqa: PLC0415
    from fleet.home import home_workshop  # noqa: PLC0415
    from fleet.own_robot import rehearse  # noqa: PLC0415
    from fleet.tasks import find_task  # noqa: PLC0415

    settings = settings_of(RobotSettings, skill=skill, env=env, home=home)
    bench = RobotFolder(settings.home)
    task = find_task(bench, connect(bench), settings.skill)
    own = own_env_of(bench, settings)
    recorded = Recorded(own or TaskEnv(task, workshop=home_workshop(bench.identity(), task)), task.name)
    with recorded, err.status(f"{episodes} episodes ..."):
        acts = _player(task, controller, file, player)
        found = rehearse(recorded, acts, task, episodes, seed)
    recording = recorded.episodes
    save_episodes(output, recording)
    made = {"file": output, "task": task.name, "episodes": len(recording.episodes), "steps": recording.steps}
    said = f"{output}: {len(recording.episodes)} episodes of {task.name}, {recording.steps:,} steps"
    tell(
        made | {"succeeded": found.successes},
        f"{said}, of which {found.successes} succeeded.",
        f"To learn from them: zunft robot master --skill {task.name} --episodes {output}",
        as_json=as_json,
    )


def _player(task: Task, controller: str, file: Path | None, reference: str) -> Player:
    from fleet.masters import robots_controller  # noqa: PLC0415 - MuJoCo
    from fleet.own_code import load_player  # noqa: PLC0415
    from skills.policy import Policy  # noqa: PLC0415

    if reference:
        return load_player(reference)
    if file is not None:
        return Policy(Skill.load(file))
    return robots_controller(task, controller)
