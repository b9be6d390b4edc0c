"""`zunft skill fits`: which robots can run a skill, asked before anybody downloads it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fleet.lists import everything
from fleet.workbench import Workbench
from skills.fits import RobotFit, fit_of
from skills.lists import RobotQuery
from skills.skill import Skill
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect

__all__ = ["fits"]

SUFFIX = ".skill"
out = Console()


def fits(
    skill: Annotated[str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7; or FILE.skill.")],
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    home: Annotated[
        Path, typer.Option(envvar="ZUNFT_ROBOT_HOME", help="For a file: the robot's own folder.")
    ] = Path("zunft-robot"),
    env: Annotated[
        str,
        typer.Option(envvar="ZUNFT_ROBOT_ENV", help="For a file: your robot, package.module:make_env."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Say which robots can run a skill, and why the others cannot.

    Of a hub's skill: your organisation's robots, by what each has said that it serves; no file is read. Of a
    FILE.skill: the robot of this machine, without a hub.
    """
    name, _, ref = skill.partition("@")
    found = (
        [_here(Path(skill), home, env)]
        if skill.endswith(SUFFIX)
        else list(everything(partial(connect(hub, token).fits, name, ref or "stable"), RobotQuery()))
    )
    if as_json:
        out.print_json(data=[each.model_dump(mode="json") for each in found])
        return
    table = Table("robot", "embodiment", "runs it", "difference")
    for each in found:
        table.add_row(each.name, each.embodiment, each.fits, "; ".join(each.differences) or "-")
    out.print(table if found else "No robots yet: zunft token create.")


def _here(file: Path, home: Path, own_env: str) -> RobotFit:
    """The robot whose folder this is."""
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from fleet.abilities import abilities_of  # noqa: PLC0415
    from fleet.own_env import load_env  # noqa: PLC0415

    manifest, identity = Skill.load(file).manifest, Workbench(home).identity()
    task = load_task(manifest.task) if own_env else None
    if task is not None:
        load_env(own_env, task)  # it must be what it is taken for
    found = fit_of(manifest, abilities_of(identity.embodiment, task), identity.embodiment)
    return RobotFit(
        robot_id=identity.robot_id,
        name=identity.name,
        organisation=identity.organisation,
        embodiment=identity.embodiment,
        fits=found.fits,
        differences=found.differences,
    )
