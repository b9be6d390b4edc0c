"""`zunft task leaderboard`, `score` and `replay`: what skills of a task reached, again, and to look at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from skills.leaderboards import BOARD, REPLAY_LIMIT, Leaderboard
from skills.messages import ScoreView
from skills.signing import VerifyKey
from skills.skill import Skill
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect

if TYPE_CHECKING:
    from envs.task import Task
    from zunft.rescore import Repeated

__all__ = ["app", "draw"]

app = typer.Typer()
out = Console()
WIDTH = 20  # of an interval's bar, characters


@app.command(epilog="Example: [bold]zunft task leaderboard weld-seam[/]")
def leaderboard(
    task: Annotated[str, typer.Argument(help="Name of a task.")],
    skill: Annotated[str, typer.Option(help="Show all scored versions of this skill.")] = "",
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Show what the skills of a task scored, best first, with 95 % intervals."""
    board = connect(hub, token).leaderboard(task, skill)
    if as_json:
        out.print_json(board.model_dump_json())
        return
    if board.entries:
        _show_board(board)
    for each in board.unscored:
        why = f"cannot be measured: {each.reason}" if each.state == "failed" else "waits to be measured."
        out.print(f"{each.skill} v{each.version} of {each.organisation} {why}", soft_wrap=True)
    if not board.entries and not board.unscored:
        out.print(f"No skill for {task} is stable here: zunft skill publish FILE.")


@app.command(
    epilog="Examples: [bold]zunft task score weld-seam@stable[/]; a file, without a hub: "
    "[bold]zunft task score weld-seam.skill --replay weld.replay[/]"
)
def score(
    reference: Annotated[
        str, typer.Argument(help="NAME, NAME@stable or NAME@7 of the hub; or a skill file, without a hub.")
    ],
    hub_key: Annotated[str, typer.Option(help="Accept only what this key signed.")] = "",
    replay: Annotated[Path | None, typer.Option(help="Write a replay there.")] = None,
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Measure a skill as hubs do, and compare the digits with the hub's; exit status 1 where they differ.

    A task that is not on this machine is fetched from the hub for the time that it takes.
    """
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import borrow_task  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        board = None
        if Path(reference).is_file():
            skill = Skill.load(Path(reference))
            task = load_task(skill.manifest.task)
        else:
            name, _, ref = reference.partition("@")
            client = connect(hub, token)
            version = client.version(name, ref or "stable")
            board = client.leaderboard(version.task, name)
            key = VerifyKey(hub_key) if hub_key else None
            skill = client.fetch_skill(version, key, Path(folder) / "skill")
            task = borrow_task(client.connection, version.task, board.task_digest, key, Path(folder) / "task")
        found = _measure(skill, task, board, replay)
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        _show_scores(found, asked=board is not None)
    if found.same is False:
        raise typer.Exit(1)


@app.command("replay", epilog="Example: [bold]zunft task replay weld.replay -o weld.gif[/]")
def draw(
    file: Annotated[Path, typer.Argument(help="A replay.", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write: a .png, or a .gif.")],
    bundle: Annotated[
        str, typer.Option("--task", help="Folder or name of its task, where it is your own.")
    ] = "",
) -> None:
    """Draw the best, the median and the worst episode of a replay."""
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")  # before MuJoCo is imported
    from envs.replay import read_replay  # noqa: PLC0415 - MuJoCo
    from envs.task import load_task  # noqa: PLC0415
    from zunft.replay_pictures import draw_replay  # noqa: PLC0415 - plotting loads slowly

    with file.open("rb") as opened:
        found, tensors = read_replay(opened.read(REPLAY_LIMIT + 1))
    drawn = draw_replay(load_task(bundle or found.task), found, tensors, output)
    what = "" if drawn else "; without GL only the ways are plotted"
    out.print(f"{output}: {found.task} on {found.embodiment} in {found.workshop}{what}", soft_wrap=True)


def _measure(skill: Skill, task: Task, board: Leaderboard | None, target: Path | None) -> Repeated:
    from zunft.rescore import measure_again  # noqa: PLC0415

    if target is not None:
        _ = task.bundle  # refuses a task without a scene before anything is measured
    draws = board.seeds if board else BOARD.draws()
    total = len(task.file.embodiments) * sum(each.episodes for each in draws)
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=total)
        found, data = measure_again(
            skill,
            task,
            board,
            recorded=target is not None,
            tell=lambda episodes: progress.advance(bar, episodes),
        )
    if target is not None and data is not None:
        target.write_bytes(data)
    return found


def _show_board(board: Leaderboard) -> None:
    plan = board.plan
    arms = list(board.entries[0].by_embodiment)
    title = f"{board.task}: {plan.episodes} episodes on each of {len(arms)} robots, seed {plan.seed}"
    table = Table("", "skill", "of", f"success  0 {'-' * (WIDTH - 4)} 1", "episodes", "scored", title=title)
    for place, entry in enumerate(board.entries, 1):
        shown = f"{_bar(entry.score)} {_interval(entry.score)}"
        when = f"{entry.scored_at:%Y-%m-%d %H:%M}"
        name = f"{entry.skill} v{entry.version}"
        table.add_row(str(place), name, entry.organisation, shown, str(entry.score.episodes), when)
    out.print(table)
    for entry in board.entries:
        each = ", ".join(f"{robot} {_interval(found)}" for robot, found in entry.by_embodiment.items())
        out.print(f"{entry.skill} v{entry.version}: {each}", soft_wrap=True, highlight=False)
    out.print(f"Repeat a score: [bold]{board.entries[0].command}[/]", soft_wrap=True)


def _show_scores(found: Repeated, *, asked: bool) -> None:
    hub = found.hub
    table = Table("", "here", "return", title=f"{found.skill} v{found.version} at {found.task}")
    if hub is not None:
        for heading in ("hub", "return", "same"):
            table.add_column(heading)
    theirs = {"all": hub.score, **hub.by_embodiment} if hub else {}
    for robot, own in {"all": found.score, **found.by_embodiment}.items():
        cells = [robot, _interval(own), _digits(own.mean_return)]
        if hub is not None:
            other = theirs.get(robot)
            cells += [_interval(other), _digits(other.mean_return)] if other else ["-", "-"]
            cells.append("[green]yes[/]" if own == other else "[red]no[/]")
        table.add_row(*cells)
    out.print(table)
    out.print(f"{found.digest}, task {found.task_digest}, measured with {found.made_with}", soft_wrap=True)
    if found.same:
        out.print("The digits are the hub's.")
    elif hub is not None:
        out.print(f"[red]These are not the hub's digits[/]; it has {hub.made_with}.", soft_wrap=True)
    elif asked:
        out.print("The hub has no score of this version to compare with.")


def _bar(score: ScoreView) -> str:
    """An interval on a line from 0 to 1, with a dot where the score is."""
    ends = [round(share * (WIDTH - 1)) for share in (score.low, score.score, score.high)]
    cells = ["━" if ends[0] <= place <= ends[2] else "·" for place in range(WIDTH)]
    cells[ends[1]] = "●"
    return "".join(cells)


def _interval(score: ScoreView) -> str:
    return f"{score.score:.3f} {score.low:.2f}-{score.high:.2f}"


def _digits(number: float | None) -> str:
    return "-" if number is None else f"{number:.9g}"
