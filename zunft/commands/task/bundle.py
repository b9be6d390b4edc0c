"""`zunft task` for a bundle on this machine: list, start, check, look at, try, wrap, pack."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skills.errors import RequestError
from skills.messages.lists import TaskQuery
from skills.messages.skills import Visibility
from zunft.commands.connection import Json, Token, request
from zunft.commands.learners import Knobs, Learner, Network, Sizes, read_learner
from zunft.commands.listing import All, Cursor, Limit, Organisation, Text
from zunft.commands.output import out, show_findings, table, tell
from zunft.commands.task.published import list_hub_tasks

if TYPE_CHECKING:
    from zunft.demo.report import Score
    from zunft.trial import Trial

__all__ = ["app"]

app = typer.Typer()

TEMPLATE = "templates/task"
Bundle = Annotated[str, typer.Argument(help="A task of this package by name, or a bundle's folder.")]


@app.command(
    "list",
    epilog="Examples: [bold]zunft task list[/]; [bold]zunft task list --hub http://hub:8080 --text weld[/]",
)
def list_tasks(
    hub: Annotated[str, typer.Option(help="List the tasks of the hub at this address instead.")] = "",
    token: Token = "",
    text: Text = "",
    organisation: Organisation = "",
    visibility: Annotated[Visibility | None, typer.Option(help="Only those that are seen by these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """List the tasks of this package, or of a hub; filters and pages are for a hub's."""
    filters = {"text": text, "organisation": organisation, "visibility": visibility}
    query = request(TaskQuery, {**filters, "limit": limit, "cursor": cursor})
    if hub:
        list_hub_tasks(hub, token, query, whole=whole, as_json=as_json)
        return
    if query != TaskQuery():
        raise RequestError("filters and pages are for a hub's tasks.", remedy="Say which hub: --hub ADDRESS.")
    from envs.bundle import bundle_names  # noqa: PLC0415 - MuJoCo
    from envs.task import load_task  # noqa: PLC0415

    tasks = [load_task(name) for name in bundle_names()]
    found = [
        {
            "name": task.name,
            "title": task.title,
            "digest": task.digest,
            "embodiments": task.file.embodiments,
            "contract": task.contract,
            "seconds": task.horizon * task.dt,
        }
        for task in tasks
    ]
    rows = [
        (
            task.name,
            task.title,
            ", ".join(task.file.embodiments),
            f"{task.contract.observation_size} / {task.contract.action_size}",
            f"{task.horizon * task.dt:g} s",
        )
        for task in tasks
    ]
    shown = table(("task", "what", "robots", "senses / acts", "episode"), rows)
    tell({"items": found, "next": None}, shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft task new stack-bricks[/]")
def new(
    name: Annotated[str, typer.Argument(help="Lower-case words with hyphens.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where; a folder of the task's name if not said.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a bundle that works: a template to change."""
    import envs  # noqa: PLC0415

    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", name) is None:
        raise RequestError(f"{name!r} is no name.", where="name", remedy="Use lower-case words and hyphens.")
    target = folder or Path(name)
    if target.exists():
        raise RequestError(f"{target} is there already.", where="folder", remedy="Choose another one.")
    source = Path(envs.__file__).parent / TEMPLATE
    shutil.copytree(source, target)
    for path in sorted(target.iterdir()):
        path.write_text(path.read_text(encoding="utf-8").replace("NAME", name), encoding="utf-8")
    advice = f"{target}: change task.toml and scene.xml, then: [bold]zunft task check ./{target}[/]"
    tell({"task": name, "folder": target}, advice, as_json=as_json)


@app.command(epilog="Example: [bold]zunft task check ./stack-bricks[/]")
def check(bundle: Bundle, as_json: Json = False) -> None:
    """Run the contract checker: can everybody be asked to practise this task?

    A bundle's folder is checked as a hub does it, in a process with limits (ZUNFT_CHECK_...).
    """
    from envs.archive import pack as pack_folder  # noqa: PLC0415 - MuJoCo
    from envs.bundle import BUNDLES  # noqa: PLC0415
    from envs.examination import examined, own_limits  # noqa: PLC0415
    from envs.examine import Finding, examine  # noqa: PLC0415
    from envs.format import TaskFile  # noqa: PLC0415
    from envs.task import load_task  # noqa: PLC0415

    task = load_task(bundle)
    if task.folder.parent == BUNDLES or not isinstance(task.file, TaskFile):
        findings = list(examine(task))
    else:
        found = examined(pack_folder(task.folder), own_limits(), Path(tempfile.gettempdir()))
        findings = [Finding(**each.model_dump()) for each in found.findings]
    show_findings(findings, as_json=as_json)


@app.command(epilog="Example: [bold]zunft task view iron-cloth -o iron.png[/]")
def view(
    bundle: Bundle,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the picture.")],
    skill: Annotated[Path | None, typer.Option(help="Who does it; the best controller if not said.")] = None,
    embodiment: Annotated[str | None, typer.Option(help="On which robot; the first if not said.")] = None,
    seed: Annotated[int, typer.Option(help="Which job.")] = 0,
    as_json: Json = False,
) -> None:
    """Draw an episode: three moments side by side, or without GL the tool's way."""
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")  # before MuJoCo is imported
    from envs.scripted import controller, controller_names  # noqa: PLC0415 - MuJoCo
    from envs.task import load_task  # noqa: PLC0415
    from skills.policy import Policy  # noqa: PLC0415
    from skills.skill import Skill  # noqa: PLC0415
    from zunft.task_pictures import draw_episode  # noqa: PLC0415 - plotting loads slowly

    task = load_task(bundle)
    names = controller_names(task)
    if skill is None and not names:
        raise RequestError("the bundle has no controller.", where="scripted", remedy="Give a --skill.")
    policy = Policy(Skill.load(skill)) if skill else controller(names[-1], task)
    robot = embodiment or task.file.embodiments[0]
    done = draw_episode(task, policy, output, embodiment=robot, seed=seed)
    said = f"{output}: {robot}, the job is {'done' if done else 'not done'}"
    tell({"file": output, "embodiment": robot, "done": done}, said, as_json=as_json)


@app.command(
    "try",
    epilog="Examples: [bold]zunft task try iron-cloth --curve curve.png -o iron.skill[/]; "
    "[bold]zunft task try iron-cloth --learner ppo --knob discount=.98 --network mlp --size history=8[/]",
)
def try_(
    bundle: Bundle,
    iterations: Annotated[
        int, typer.Option(min=1, help="Batches, of 3200 steps unless the learner says otherwise.")
    ] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Of network and training.")] = 0,
    episodes: Annotated[int, typer.Option(min=1, help="In each workshop that is scored.")] = 64,
    learner: Learner = "",
    knob: Knobs = None,
    network: Network = "",
    size: Sizes = None,
    curve: Annotated[Path | None, typer.Option(help="Draw the learning curve there (PNG).")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the trained skill there.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result there.")] = None,
) -> None:
    """Train on this machine for a few minutes and compare with the controllers and with noise."""
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from zunft.new_skill import read_network  # noqa: PLC0415
    from zunft.task_pictures import draw_curve  # noqa: PLC0415 - plotting loads slowly
    from zunft.trial import Point, try_task  # noqa: PLC0415
    from zunft.trial_advice import advice  # noqa: PLC0415

    bars = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*bars, console=out) as progress:
        bar = progress.add_task("", total=iterations)

        def tell(point: Point) -> None:
            gained = "" if point.mean_return is None else f"mean return {point.mean_return:.1f}"
            progress.update(bar, advance=1, description=gained)

        task = load_task(bundle)
        chosen = read_learner(learner, knob) or task.file.training.learner
        trial, skill = try_task(
            task,
            iterations=iterations,
            seed=seed,
            learner=chosen,
            network=read_network(network, size),
            episodes=episodes,
            on_iteration=tell,
        )
    _show(trial)
    for said in advice(trial, chosen, task.horizon):
        out.print(f"[yellow]![/] {escape(said)}")
    if curve:
        draw_curve(trial, curve)
    if output:
        skill.save(output)
    if json_file:
        json_file.write_text(trial.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _show(trial: Trial) -> None:
    rows = [(name, _share(home), _share(trial.held_out[name])) for name, home in trial.home.items()]
    columns = ("who", f"at home ({trial.workshop})", "held-out robots")
    out.print(table(columns, rows, title=f"{trial.task}: jobs done"))
    out.print(f"{trial.curve[-1].steps:,} steps in {trial.seconds:.0f} s.")


@app.command(epilog="Example: [bold]zunft task wrap Pusher-v5 --folder tasks/pusher-v5[/]")
def wrap(
    environment: Annotated[str, typer.Argument(help="An environment's name in Gymnasium's registry.")],
    folder: Annotated[Path, typer.Option(help="Where to write the task; its last part is the name.")],
    success_return: Annotated[
        float | None, typer.Option(help="An episode that earns so much is a success.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a local task of any Gymnasium environment that is installed here."""
    from envs.wrapped import save_wrapped  # noqa: PLC0415
    from envs.wrapped_env import wrap  # noqa: PLC0415 - MuJoCo

    if folder.exists():
        raise RequestError(f"{folder} is there already.", where="folder", remedy="Choose another one.")
    file = wrap(environment, folder.name)
    if success_return is not None:
        file = file.model_copy(update={"success_return": success_return})
    save_wrapped(file, folder)
    tell(
        {"task": folder.name, "folder": folder, "success_return": file.success_return},
        f"{folder}: {len(file.observation)} observations, success from a return of {file.success_return:g}.",
        f"Robots and hub find it by name with [bold]ZUNFT_TASKS={folder.resolve().parent}[/]",
        as_json=as_json,
    )


@app.command(epilog="Example: [bold]zunft task pack ./stack-bricks -o stack-bricks.tar.gz[/]")
def pack(
    bundle: Bundle,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the archive.")],
    as_json: Json = False,
) -> None:
    """Put a bundle into one file; equal bundles give equal files."""
    from envs.archive import pack as pack_folder  # noqa: PLC0415 - MuJoCo
    from envs.task import load_task  # noqa: PLC0415

    task = load_task(bundle)
    output.write_bytes(pack_folder(task.folder))
    done = {"file": output, "task": task.name, "digest": task.digest}
    tell(done, f"{output}: {task.name}, {task.digest}", as_json=as_json)


def _share(score: Score) -> str:
    return f"{score.score:.2f} {score.low:.2f}-{score.high:.2f}"
