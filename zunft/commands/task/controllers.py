"""`zunft task controllers`: what a task's own controllers score by the plan of the leaderboards."""

from __future__ import annotations

from typing import Annotated

import typer

from skills.errors import RequestError
from skills.messages.leaderboards import BOARD, ControllerKind
from skills.messages.skills import ScoreView
from zunft.commands.connection import Json
from zunft.commands.output import err, table, tell

__all__ = ["app"]

app = typer.Typer()

MEANS: dict[ControllerKind, str] = {
    "fixed": "acts on what it observes now",
    "adaptive": "remembers",
    "told": "is told what no robot knows: no yardstick",
}


@app.command(
    epilog="Examples: [bold]zunft task controllers weld-seam[/]; "
    "[bold]zunft task controllers ./press-button --json[/]"
)
def controllers(
    bundle: Annotated[str, typer.Argument(help="A task of this package by name, or a bundle's folder.")],
    as_json: Json = False,
) -> None:
    """Score a task's controllers on the jobs on which hubs score skills, so that both compare."""
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from hub.workers.scoring import score_controllers  # noqa: PLC0415

    task = load_task(bundle)
    with err.status("measuring ...") as status:
        found = score_controllers(task, BOARD.draws(), lambda name: status.update(f"{name} ..."))
    if not found:
        raise RequestError("the task brings no controller.", where="scripted", remedy="Write one.")
    rows = [(each.name, each.kind, MEANS[each.kind], _interval(each.score)) for each in found]
    robots = len(task.file.embodiments)
    title = f"{task.name}: {BOARD.episodes} episodes on each of {robots} robots, seed {BOARD.seed}"
    made = {"task": task.name, "task_digest": task.digest, "plan": BOARD, "controllers": found}
    columns = ("controller", "kind", "what it does", "success")
    tell(made, table(columns, rows, keys=2, title=title), as_json=as_json)


def _interval(score: ScoreView) -> str:
    return f"{score.score:.3f} {score.low:.2f}-{score.high:.2f}"
