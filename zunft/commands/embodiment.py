"""`zunft embodiment`: bring one's own robot - list, import, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from zunft.commands.connection import Json
from zunft.commands.output import show_findings, tell

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command("list", epilog="Example: [bold]zunft embodiment list[/]")
def list_robots(as_json: Json = False) -> None:
    """List the robots that tasks can be practised on here."""
    from envs.embodiment import embodiment_names, load_embodiment, own_embodiments  # noqa: PLC0415 - MuJoCo

    found = {name: load_embodiment(name) for name in (*embodiment_names(), *own_embodiments())}
    known = [
        {"name": name, "product": robot.product, "drive": robot.drive, "file": robot.path}
        for name, robot in found.items()
    ]
    lines = [
        f"{name:12} {escape(f'{robot.product} ({robot.drive}, {robot.path})')}"
        for name, robot in found.items()
    ]
    tell(known, *lines, as_json=as_json)


@app.command(
    "import",
    epilog="Example: [bold]zunft embodiment import arm.urdf --tool link7 "
    "--home '0 -.17 0 -2.4 0 2.2 .785' --product 'Maker Arm 7' -o my-arm.xml[/]",
)
def import_(
    source: Annotated[Path, typer.Argument(help="URDF or MJCF of a fixed-base arm.")],
    tool: Annotated[str, typer.Option(help="The link that carries the tool.")],
    home: Annotated[str, typer.Option(help="Joint angles with the tool pointing straight down, rad.")],
    product: Annotated[str, typer.Option(help="Maker and model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the embodiment.")],
    reach: Annotated[float, typer.Option(help="How far the tip is below that link at home, m.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Make an embodiment of a URDF or MJCF: kinematics, masses and limits, without shapes."""
    from envs.embodiment_import import import_robot  # noqa: PLC0415 - MuJoCo

    try:
        angles = [float(angle) for angle in home.replace(",", " ").split()]
    except ValueError as error:
        raise typer.BadParameter(f"--home: {error}") from error
    output.write_text(import_robot(source, tool_body=tool, home=angles, product=product, reach=reach))
    advice = f"{output}: now [bold]zunft embodiment check {output}[/]"
    tell({"file": output, "product": product}, advice, as_json=as_json)


@app.command(epilog="Example: [bold]zunft embodiment check my-arm.xml[/]")
def check(file: Path, as_json: Json = False) -> None:
    """Does the file hold what tasks need, and does the robot follow as the others do?"""
    from envs.embodiment_check import check_embodiment  # noqa: PLC0415 - MuJoCo

    show_findings(list(check_embodiment(file)), as_json=as_json)
