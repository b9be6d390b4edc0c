"""`zunft robot cell` and `fault`: a simulated cell in a process of its own, and what is to go wrong with it.

Who drives it is `zunft robot drive --robot cell://...`; docs/runtime.md.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Annotated

import numpy as np
import typer

from fleet.cell.faults import FAULTS
from zunft.commands.connection import Json
from zunft.commands.output import tell

__all__ = ["app"]

app = typer.Typer()


@app.command(
    epilog="Example: [bold]zunft robot cell weld-seam --embodiment ur5e --port 7000[/]; then, elsewhere, "
    "[bold]zunft robot drive --robot cell://127.0.0.1:7000[/]"
)
def cell(
    task: Annotated[str, typer.Argument(help="Which task's scene stands there.")],
    embodiment: Annotated[str | None, typer.Option(help="Which robot; else the task's first.")] = None,
    workshop: Annotated[str, typer.Option(help="A name or a TOML file; else the robot's data sheet.")] = "",
    host: Annotated[
        str, typer.Option(help="Where to listen; whoever reaches it may drive it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the first job.")] = 0,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="A period passes with each command, not with the time.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate a robot's cell in real time, behind a socket, until it is stopped."""
    from envs.single import TaskEnv  # noqa: PLC0415 - MuJoCo
    from envs.task import load_task  # noqa: PLC0415
    from envs.workshop import load_workshop  # noqa: PLC0415
    from fleet.cell.cell import Cell  # noqa: PLC0415
    from fleet.cell.machine import MachineEnv  # noqa: PLC0415
    from fleet.cell.server import CellServer  # noqa: PLC0415

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    found = load_task(task)
    home = load_workshop(workshop) if workshop else None
    inside = MachineEnv(TaskEnv(found, embodiment, home), np.random.default_rng([seed, 2]))
    simulated = Cell(inside, found.contract, seed)
    server = CellServer(simulated, host, port, clock=None if lockstep else time.monotonic)
    address = f"cell://{host}:{server.port}"
    tell({"address": address}, f"a cell for {found.name} is at {address}", as_json=as_json)
    server.serve(stop.is_set)


@app.command(
    epilog="Examples: [bold]zunft robot fault frozen[/]; all is well again: [bold]zunft robot fault clear[/]"
)
def fault(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(FAULTS)}.")],
    cell: Annotated[str, typer.Option(help="The cell's address.")] = "cell://127.0.0.1:7000",
    value: Annotated[
        float, typer.Option(min=0, help="late: seconds; noisy: scales; wear: N m, mm, periods.")
    ] = 1.0,
    after: Annotated[float, typer.Option(min=0, help="Seconds of the cell's time from now.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Have a simulated cell fail, to see what its driver makes of it."""
    from fleet.runtime.cell import order_fault, place_of  # noqa: PLC0415 - MuJoCo

    order_fault(place_of(cell), kind, value, after)
    tell({"fault": kind, "value": value, "after": after}, f"{kind}: {FAULTS[kind]}", as_json=as_json)
