"""`zunft task trace`: one episode step by step, and which condition it failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from skills.errors import RequestError
from zunft.commands.connection import Json
from zunft.commands.output import table, tell

if TYPE_CHECKING:
    from envs.task import Task
    from envs.trace import ConditionTrace, Trace
    from envs.workshop import Workshop
    from skills.player import Player

__all__ = ["app"]

app = typer.Typer()

ASKED = {"steps": "in the steps", "end": "at the end", "failure": "fails it"}
MOST_SPANS = 3
"""Times from when to when a condition held that a row shows."""


@app.command(
    epilog="Examples: [bold]zunft task trace ./stack-bricks --embodiment panda -o trace.png[/]; "
    "[bold]zunft task trace weld-seam --skill weld.skill --held-out --episode 3 --quantity seam.speed[/]"
)
def trace(
    bundle: Annotated[str, typer.Argument(help="A task of this package by name, or a bundle's folder.")],
    controller: Annotated[
        str,
        typer.Option(help="Of the bundle, or `oracle`; its best if not said; nothing is done without any."),
    ] = "",
    skill: Annotated[Path | None, typer.Option(help="Let this skill do it instead.")] = None,
    embodiment: Annotated[str, typer.Option(help="On which robot; the first if not said.")] = "",
    workshop: Annotated[
        str, typer.Option(help="Where: a name or a TOML file; a robot as its data sheet says if not said.")
    ] = "",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Where `task check` looks with figures kept from training.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the jobs; that of `task check` if not said.")
    ] = None,
    episode: Annotated[
        int | None, typer.Option(help="Which one; the first that is not done if not said.")
    ] = None,
    quantity: Annotated[list[str] | None, typer.Option(help="Show this one, too; may be repeated.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw it over time there (PNG).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show an episode step by step: when each condition held, and which of them decided the outcome.

    The episodes are those of `task check`, also of a bundle that fails it. Times are in seconds.
    """
    from envs.examine import EPISODES, SEED  # noqa: PLC0415 - MuJoCo
    from envs.recording import record  # noqa: PLC0415
    from envs.task import load_task  # noqa: PLC0415
    from envs.trace import trace_of  # noqa: PLC0415

    task = load_task(bundle)
    who, policy = _player(task, controller, skill)
    shop = _workshop(task, embodiment, workshop, held_out=held_out)
    jobs = SEED if seed is None else seed
    found = trace_of(record(policy, task, shop, EPISODES, jobs, quantity or ()), task, episode)
    title = f"{task.name}: {who} on {shop.embodiment} in {shop.name}, episode {found.episode}"
    if output is not None:
        from zunft.trace_pictures import draw_trace  # noqa: PLC0415 - plotting loads slowly

        draw_trace(found, f"{title}, {_outcome(found)}", output)
    made = {"task": task.name, "player": who, "workshop": shop, "seed": jobs, "file": output, "trace": found}
    tell(made, *_shown(found, title), as_json=as_json)


def _player(task: Task, name: str, file: Path | None) -> tuple[str, Player]:
    from envs.examine import Idle  # noqa: PLC0415 - MuJoCo
    from envs.scripted import controller, controller_names  # noqa: PLC0415
    from skills.policy import Policy  # noqa: PLC0415
    from skills.skill import Skill  # noqa: PLC0415

    if file is not None and name:
        raise RequestError("two cannot act.", where="--skill", remedy="Give --controller or --skill.")
    if file is not None:
        return file.name, Policy(Skill.load(file))
    if not name and not controller_names(task):
        return "doing nothing", Idle(task.contract.action_size)
    best = controller(name or controller_names(task)[-1], task)
    return best.label, best


def _workshop(task: Task, embodiment: str, name: str, *, held_out: bool) -> Workshop:
    from envs.examine import shops_of  # noqa: PLC0415 - MuJoCo
    from envs.workshop import load_workshop  # noqa: PLC0415

    if name and (embodiment or held_out):
        raise RequestError(
            "a workshop says which robot it is.",
            where="--workshop",
            remedy="Leave out --embodiment and --held-out.",
        )
    if name:
        return load_workshop(name)
    return shops_of(task.bundle, embodiment or task.bundle.embodiments[0])[int(held_out)]


def _shown(found: Trace, title: str) -> list[RenderableType]:
    rows = [
        (
            f"{ASKED[each.role]}: {each.words}",
            _spans(each),
            "-" if each.role == "failure" else f"{each.share:.0%}",
            "not finite" if each.last is None else f"{each.last:.3g}",
            _verdict(each),
        )
        for each in found.conditions
    ]
    columns = ("condition", "held, s", "of steps", "last", "")
    shown: list[RenderableType] = [table(columns, rows, keys=5, title=title), _sentence(found)]
    done = found.episodes - len(found.not_done)
    others = f"{done} of {found.episodes} such episodes are done"
    if 0 < len(found.not_done) < found.episodes:
        others += f", not done: {', '.join(map(str, found.not_done))} (--episode)"
    return [*shown, f"{others}."]


def _sentence(found: Trace) -> str:
    said = f"The job is {_outcome(found)}"
    if found.broke_off:
        said += ": what was sensed or rewarded then was no finite number"
    if any(each.role == "steps" for each in found.conditions):
        said += (
            f". All that is asked in the steps held at once in {found.together:.0%} of those "
            f"after {found.counted_from:g} s; {found.asked:.0%} are asked for"
        )
    return f"{said}."


def _outcome(found: Trace) -> str:
    return f"{'done' if found.success else 'not done'} after {found.times[-1]:g} s"


def _spans(each: ConditionTrace) -> str:
    shown = [f"{begin:.2f}-{end:.2f}" for begin, end in each.held[:MOST_SPANS]]
    more = len(each.held) - len(shown)
    return ", ".join(shown + ([f"and {more} more"] if more else [])) or "never"


def _verdict(each: ConditionTrace) -> Text:
    return Text(each.verdict, "red" if each.decided else "green" if each.verdict == "met" else "")
