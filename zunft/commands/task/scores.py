"""`zunft task leaderboard`, `score` and `replay`: what skills of a task reached, again, and to look at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from fleet.client import OperatorClient
from skills.errors import NotFoundError, RequestError
from skills.messages.leaderboards import BOARD, REPLAY_LIMIT, Leaderboard
from skills.messages.lists import LARGEST_PAGE, BoardQuery
from skills.messages.skills import ScoreView
from skills.signing import SigningKey, VerifyKey
from skills.skill import Skill
from zunft.commands.connection import (
    DEFAULT_HUB,
    Hub,
    Json,
    Token,
    connect,
    is_file,
    request,
    split_reference,
)
from zunft.commands.listing import All, Cursor, Limit, go_on
from zunft.commands.output import err, table, tell

if TYPE_CHECKING:
    from envs.task import Task
    from zunft.rescore import Repeated

__all__ = ["app"]

app = typer.Typer()
WIDTH = 20  # of an interval's bar, characters


@app.command(
    epilog="Examples: [bold]zunft task leaderboard weld-seam --limit 10[/]; "
    "[bold]zunft task leaderboard weld-seam --skill weld-seam --all --json[/]"
)
def leaderboard(
    task: Annotated[str, typer.Argument(help="Name of a task.")],
    skill: Annotated[str, typer.Option(help="Show the scored versions of this skill.")] = "",
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show what the skills of a task scored, best first, with 95 % intervals."""
    query = request(BoardQuery, {"skill": skill, "limit": limit, "cursor": cursor})
    client = connect(hub, token)
    board = _whole_board(client, task, query) if whole else client.leaderboard(task, query)
    shown = _board(board, placed=not cursor) if board.entries else []
    for each in board.unscored:
        why = f"cannot be measured: {each.reason}" if each.state == "failed" else "waits to be measured."
        shown.append(escape(f"{each.skill} v{each.version} of {each.organisation} {why}"))
    if not shown:
        shown = [f"No skill for {task} is stable here: zunft skill publish FILE."]
    tell(board, *shown, *go_on(board.next), as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft task score weld-seam@stable[/]; a file, without a hub: "
    "[bold]zunft task score weld-seam.skill --replay weld.replay[/]; say to all what came out: "
    "[bold]zunft task score weld-seam@7 --attest --key me.pem[/]"
)
def score(
    reference: Annotated[
        str, typer.Argument(help="NAME, NAME@stable or NAME@7 of the hub; or a skill file, without a hub.")
    ],
    hub_key: Annotated[str, typer.Option(help="Accept only what this key signed.")] = "",
    replay: Annotated[Path | None, typer.Option(help="Write a replay there.")] = None,
    attest: Annotated[
        bool, typer.Option("--attest", help="Sign what came out, and hand it to the hub: its board shows it.")
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Your key for that, a PEM file; made where there is none. Default: attestation-key.pem in "
            "Zunft's folder of settings."
        ),
    ] = None,
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Measure a skill as hubs do and compare the digits with the hub's; status 1 where it has none or others.

    A task that is not on this machine is fetched from the hub for the time that it takes.
    """
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import borrow_task  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        board = None
        if is_file(reference):
            if attest:
                raise RequestError("a file is no version of a hub.", where="--attest", remedy="Name a skill.")
            skill = Skill.load(Path(reference))
            task = load_task(skill.manifest.task)
        else:
            name, ref = split_reference(reference)
            client = connect(hub, token)
            version = client.version(name, ref)
            board = _whole_board(client, version.task, BoardQuery(skill=name))
            pinned = VerifyKey(hub_key) if hub_key else None
            skill = client.fetch_skill(version, pinned, Path(folder) / "skill")
            task = borrow_task(
                client.connection, version.task, board.task_digest, pinned, Path(folder) / "task"
            )
        found = _measure(skill, task, board, replay)
    if attest:
        signed = SigningKey.load_or_create(key or Path(typer.get_app_dir("zunft")) / "attestation-key.pem")
        by = f"user:{client.me().name}"
        kept = client.attest_score(version, found.attested(signed, by))
        err.print(f"Attested as {by}, by {signed.public.text}: {kept.digest}")
    tell(found, *_scores(found), as_json=as_json)
    if board is not None and found.hub is None:
        raise NotFoundError(
            "the hub has no score of this version to compare with.",
            where=f"{found.skill} v{found.version}",
            remedy=f"See what it has measured: zunft task leaderboard {found.task} --skill {found.skill}.",
        )
    if found.same is False:
        raise typer.Exit(1)


@app.command("replay", epilog="Example: [bold]zunft task replay weld.replay -o weld.gif[/]")
def draw(
    file: Annotated[Path, typer.Argument(help="A replay.", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write: a .png, or a .gif.")],
    bundle: Annotated[
        str, typer.Option("--task", help="Folder or name of its task, where it is your own.")
    ] = "",
    as_json: Json = False,
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
    said = f"{output}: {found.task} on {found.embodiment} in {found.workshop}{what}"
    tell({"file": output, "rendered": drawn, **found.model_dump()}, said, as_json=as_json)


def _measure(skill: Skill, task: Task, board: Leaderboard | None, target: Path | None) -> Repeated:
    from zunft.rescore import measure_again  # noqa: PLC0415

    if target is not None:
        _ = task.bundle  # refuses a task without a scene before anything is measured
    draws = board.seeds if board else BOARD.draws()
    total = len(task.file.embodiments) * sum(each.episodes for each in draws)
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
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


def _whole_board(client: OperatorClient, task: str, query: BoardQuery) -> Leaderboard:
    """With all entries behind the query's cursor."""
    asked = query.model_copy(update={"limit": LARGEST_PAGE})
    first = last = client.leaderboard(task, asked)
    entries = list(first.entries)
    while last.next is not None:
        last = client.leaderboard(task, asked.model_copy(update={"cursor": last.next}))
        entries += last.entries
    return first.model_copy(update={"entries": tuple(entries), "next": None})


def _board(board: Leaderboard, *, placed: bool) -> list[RenderableType]:
    """A page behind another one does not know its places."""
    plan = board.plan
    arms = list(board.entries[0].by_embodiment)
    rows = [
        (
            str(place) if placed else "",
            f"{entry.skill} v{entry.version}",
            entry.organisation,
            f"{_bar(entry.score)} {_interval(entry.score)}",
            f"{entry.scored_at:%Y-%m-%d %H:%M}",
        )
        for place, entry in enumerate(board.entries, 1)
    ]
    rows += [
        ("", each.name, f"by hand, {each.kind}", f"{_bar(each.score)} {_interval(each.score)}", "")
        for each in board.controllers
    ]
    title = f"{board.task}: {plan.episodes} episodes on each of {len(arms)} robots, seed {plan.seed}"
    columns = ("", "skill", "of", f"success  0 {'-' * (WIDTH - 4)} 1", "scored (UTC)")
    shown: list[RenderableType] = [table(columns, rows, keys=2, title=title)]
    for entry in board.entries:
        each = ", ".join(f"{robot} {_interval(found)}" for robot, found in entry.by_embodiment.items())
        shown.append(f"{entry.skill} v{entry.version}: {each}")
        if said := entry.confirmed_in_words():
            shown.append(escape(f"{entry.skill} v{entry.version}: {said}"))
    return [*shown, f"Repeat a score: [bold]{board.entries[0].command}[/]"]


def _scores(found: Repeated) -> list[RenderableType]:
    hub = found.hub
    theirs = {"all": hub.score, **hub.by_embodiment} if hub else {}
    rows: list[list[str | Text]] = []
    for robot, own in {"all": found.score, **found.by_embodiment}.items():
        row: list[str | Text] = [robot, _interval(own), _digits(own.mean_return)]
        if hub is not None:
            other = theirs.get(robot)
            row += [_interval(other), _digits(other.mean_return)] if other else ["-", "-"]
            row.append(Text("yes", "green") if own == other else Text("no", "red"))
        rows.append(row)
    columns = ("", "here", "return", *(("hub", "return", "same") if hub else ()))
    said = f"{found.digest}, task {found.task_digest}, measured with {found.made_with}"
    shown: list[RenderableType] = [
        table(columns, rows, title=f"{found.skill} v{found.version} at {found.task}"),
        said,
    ]
    if found.same:
        shown.append("The digits are the hub's.")
    elif hub is not None:
        shown.append(f"[red]These are not the hub's digits[/]; it has {hub.made_with}.")
    return shown


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
