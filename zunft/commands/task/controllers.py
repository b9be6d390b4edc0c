"""`zunft task controllers`: what a task's own controllers score by the plan of the leaderboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skills.errors import RequestError
from zunft.commands.connection import Json
from zunft.commands.output import err, table, tell

if TYPE_CHECKING:
    from zunft.demo.report import Score

__all__ = ["app"]

app = typer.Typer()

MEANS = {
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
    from envs import scripted  # noqa: PLC0415 - MuJoCo
    from envs.evaluate import evaluate_held_out  # noqa: PLC0415
    from envs.task import load_task  # noqa: PLC0415
    from skills.messages.leaderboards import BOARD  # noqa: PLC0415
    from zunft.demo.report import Score  # noqa: PLC0415

    task = load_task(bundle)
    found = scripted.controllers(task)
    if not found:
        raise RequestError("the task brings no controller.", where="scripted", remedy="Write one.")
    scores: dict[str, Score] = {}
    for name, player in found.items():
        with err.status(f"{name} ..."):
            scores[name] = Score.of(*evaluate_held_out(player, task, BOARD.draws()).values())
    rows = [(name, each.kind, MEANS[each.kind], _interval(scores[name])) for name, each in found.items()]
    robots = len(task.file.embodiments)
    title = f"{task.name}: {BOARD.episodes} episodes on each of {robots} robots, seed {BOARD.seed}"
    items = [{"name": name, "kind": each.kind, **scores[name].model_dump()} for name, each in found.items()]
    made = {"task": task.name, "task_digest": task.digest, "plan": BOARD, "controllers": items}
    columns = ("controller", "kind", "what it does", "success")
    tell(made, table(columns, rows, keys=2, title=title), as_json=as_json)


def _interval(score: Score) -> str:
    return f"{score.score:.3f} {score.low:.2f}-{score.high:.2f}"
