"""`zunft robot health`: how the robot finds its machine, and that somebody has looked after it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from fleet.health.sharing import Usual
from fleet.health.watch import HOME, Health, renewed
from fleet.robot_folder import RobotFolder
from fleet.settings import RobotSettings
from zunft.commands.connection import Json
from zunft.commands.output import tell
from zunft.commands.robot.own import Home, SkillName
from zunft.commands.settings import settings_of

__all__ = ["app"]

app = typer.Typer()
BARS, LAST = "▁▂▃▄▅▆▇█", 60


@app.command(
    epilog="Examples: [bold]zunft robot health[/]; "
    "somebody has looked after the machine: [bold]zunft robot health --renew[/]"
)
def health(
    skill: SkillName = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="It was looked after: learn anew what is usual.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """How far the robot's machine is from what is usual for it and its kind, and whether it is worn."""
    settings = settings_of(RobotSettings, skill=skill, home=home)
    bench = RobotFolder(settings.home)
    if renew:
        with bench.locked("drive"):  # whoever drives would write it again
            bench.keep_note(settings.skill, "health", renewed(bench.note(settings.skill, "health", Health)))
    found = bench.note(settings.skill, "health", Health)
    usual = bench.note(settings.skill, "usual", Usual)
    made = {
        "skill": settings.skill,
        "jobs": found.number,
        "at_home": len(found.home),
        "counted": usual.counted,
        "guild_robots": usual.model.robots if usual.model else 0,
        "distances": list(found.told),
        **found.state.model_dump(mode="json", exclude={"jobs"}),
    }
    tell(made, escape(_said(found, usual)), as_json=as_json)


def _said(found: Health, usual: Usual) -> str:
    if not found.number:
        return "No job has said anything of its machine yet: drive it with a driver that gives its joints."
    if not found.knows_home:
        return f"It learns what is usual at home: {len(found.home)} of {HOME} jobs."
    state = found.state
    by = f"{usual.model.robots} robots of its kind" if usual.model else "its own first jobs alone"
    lines = [
        f"Worn since {state.worn_since:%Y-%m-%d %H:%M} ({state.figure})."
        if state.worn_since
        else "As usual.",
        f"CUSUM {state.height:.1f} of {state.limit:.1f} after {state.jobs} jobs.",
        f"The last one was {state.distance:.1f} standard deviations off. What is usual is known by {by}.",
    ]
    if found.told:
        lines.append(_bars(found.told[-LAST:]))
    return "\n".join(lines)


def _bars(distances: tuple[float, ...]) -> str:
    """The last distances, the highest bar being ten standard deviations."""
    return "".join(BARS[min(len(BARS) - 1, int(each / 10 * len(BARS)))] for each in distances)
