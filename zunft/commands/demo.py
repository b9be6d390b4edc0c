"""`zunft demo`: the whole way of the data in one command."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from skills.errors import RequestError

if TYPE_CHECKING:
    from zunft.demo.plan import DemoPlan
    from zunft.hub_process import HubProcess

__all__ = ["demo"]

out = Console()


def demo(
    task: Annotated[str, typer.Option(help="Which task, by its name.")] = "weld-seam",
    fast: Annotated[bool, typer.Option("--fast", help="Half a minute, for tests; learns nothing.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Keep skills, pictures and the hub's data in this folder.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the hub up at the end, with its console.")
    ] = False,
    halls: Annotated[
        int | None,
        typer.Option(min=2, max=8, help="So many sites of four robots, and the hall above; else one guild."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of networks, training and fresh workshops.")] = 0,
    processes: Annotated[int, typer.Option(help="Worker processes that the robots share.")] = 2,
) -> None:
    """Let four different robots learn a task together, and others use what they learned."""
    # Imported here: MuJoCo is for who simulates, and the command line's help waits for none of this.
    from zunft.demo.plan import fast_plan, full_plan  # noqa: PLC0415
    from zunft.demo.report import print_report, write_report  # noqa: PLC0415
    from zunft.demo.run import run_demo  # noqa: PLC0415
    from zunft.demo.screen import LiveScreen  # noqa: PLC0415
    from zunft.hub_process import run_hub  # noqa: PLC0415

    _check_name(task)
    plan = (fast_plan if fast else full_plan)(task, seed=seed, processes=processes)
    if halls is not None:
        _show_halls(plan, halls, json_file, output)
        return
    with _folder(output) as folder, run_hub(folder / "hub") as hub:
        out.print(f"A hub is up at [bold]{hub.url}[/]: open it in a browser to watch.")
        with LiveScreen(out) as screen:
            report = run_demo(plan, hub, folder / "robots", screen)
        print_report(report, out)
        if json_file:
            write_report(report, json_file)
        if output:
            from zunft.demo.picture import draw_report  # noqa: PLC0415 - plotting loads slowly

            write_report(report, output / "result.json")
            for name in ("result.svg", "result.png"):
                draw_report(report, output / name)
            out.print(f"Skills, pictures and the hub's data are in {output}.")
            again = f"zunft merge rebuild {plan.order.skill}@stable --data-dir {output / 'hub'}"
            out.print(f"Merge its last version again and compare: [bold]{again}[/]", soft_wrap=True)
        if keep:
            _wait(hub)


def _show_halls(plan: DemoPlan, sites: int, json_file: Path | None, output: Path | None) -> None:
    """Sites of four robots and the hall above them, against one guild."""
    from zunft.demo.halls import print_halls, run_halls  # noqa: PLC0415
    from zunft.demo.screen import LiveScreen  # noqa: PLC0415

    with _folder(output) as folder:
        with LiveScreen(out) as screen:
            report = run_halls(plan, sites, folder, screen)
        print_halls(report, out)
        if json_file:
            json_file.write_text(report.model_dump_json(indent=2))


def _check_name(task: str) -> None:
    """A hub and its robots know a task by its name alone."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - loads slowly, as does what uses it

    from skills.manifest import Name  # noqa: PLC0415

    try:
        TypeAdapter(Name).validate_python(task)
    except ValidationError as error:
        raise RequestError(
            f"{task!r} is no task's name.",
            where="--task",
            remedy="Say the name of the bundle's folder, and set ZUNFT_TASKS to the folder that it is in.",
        ) from error


@contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    """The folder that was named, emptied of an earlier demo; or one that is gone at the end."""
    if output is None:
        with tempfile.TemporaryDirectory(prefix="zunft-demo-") as name:
            yield Path(name)
        return
    for part in output.glob("*") if output.is_dir() else ():
        if part.name in {"hub", "robots", "flat", "flat-robots", "upper"} or part.name.startswith("site-"):
            shutil.rmtree(part, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    yield output


def _wait(hub: HubProcess) -> None:
    out.print(f"The hub stays up at [bold]{hub.url}[/]; its admin token is {hub.admin_token}")
    out.print("Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        out.print("The hub is down.")
