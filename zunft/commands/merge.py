"""`zunft merge`: skill files into one, and a hub's merges done again to check them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from typer.core import TyperGroup

from skills.errors import RequestError
from skills.messages.plans import RuleName
from skills.skill import Skill
from zunft.commands.connection import Json, split_reference
from zunft.commands.output import err, tell
from zunft.commands.settings import DataDir, hub_settings

if TYPE_CHECKING:
    from hub.operations.rebuild import Rebuilt

__all__ = ["Clip", "Options", "app", "parse_options"]

Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="One of the rule's options, such as trim=.2; may be repeated."),
]
Clip = Annotated[
    float | None, typer.Option(help="Scale updates down to so many times the median length first.")
]


class _FilesByDefault(TyperGroup):
    """`zunft merge a.skill b.skill` is `zunft merge files a.skill b.skill`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name before arguments that begin with no command."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["files", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(no_args_is_help=True, cls=_FilesByDefault)


@app.command(
    epilog="Examples: [bold]zunft merge a.skill b.skill --rule ties -o c.skill[/]; "
    "[bold]zunft merge a.skill b.skill --weight 3 --weight 1 -o c.skill[/]; "
    "[bold]zunft merge a.skill b.skill --base old.skill --rule dare --option drop=.8 -o c.skill[/]"
)
def files(
    skills: Annotated[list[Path], typer.Argument(help="Skill files of one task and network.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the result.")],
    rule: Annotated[RuleName, typer.Option(help="How; see docs/merging.md.")] = "mean",
    option: Options = None,
    weight: Annotated[
        list[float] | None, typer.Option(help="Weight of each file, in their order; default: equal.")
    ] = None,
    clip: Clip = None,
    base: Annotated[
        Path | None,
        typer.Option(
            help="What differences are taken from; ties, dare, task-arithmetic need the common start. "
            "Default: the first file."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Merge skills of unrelated lineages, too.")] = False,
    as_json: Json = False,
) -> None:
    """Merge skill files into one."""
    # Imported here: the other commands should not wait for the compiled kernels.
    from hub.merging import choose_engine, make_chain  # noqa: PLC0415
    from hub.operations.merge_skills import merge_skills  # noqa: PLC0415

    chain = make_chain(rule, parse_options(option), clip=clip)
    loaded = [_load(path) for path in skills]
    start = _load(base) if base else loaded[0]
    engine = choose_engine("cpu")
    merged = merge_skills(loaded, start, chain, weight or None, engine=engine, unrelated=force)
    merged.save(output)
    name = f"{merged.manifest.name} v{merged.manifest.version}"
    said = f"{output}: {name}, {rule} of {len(loaded)} skills, {merged.digest}"
    tell({"digest": merged.digest, "manifest": merged.manifest}, said, as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft merge rebuild weld-seam@v3[/]; of another folder's hub: "
    "[bold]zunft merge rebuild weld-seam@stable --data-dir demo-output/hub --json[/]"
)
def rebuild(
    version: Annotated[str, typer.Argument(help="NAME@3 or NAME@stable: a version that this hub merged.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Merge a round again from its stored deltas and compare; exit status 1 where the result differs."""
    from hub.operations.rebuild import rebuild as merge_again  # noqa: PLC0415 - as above

    name, ref = split_reference(version)
    settings = hub_settings(data_dir=data_dir)
    columns = (TextColumn("opening deltas"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=None)
        found = merge_again(
            settings,
            name,
            ref,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    what = f"{found.skill} v{found.version}, {found.rule} of {found.deltas} deltas"
    verdict = "[green]OK[/]" if found.same else "[red]DIFFERS[/]"
    attested = [f"The hub's attestation of the merge: {found.attested}."] if found.attested else []
    lines = [f"{verdict} {what} on {found.device_now}: {found.found}", *attested, *_differences(found)]
    tell({**asdict(found), "same": found.same}, *lines, as_json=as_json)
    if not found.same:
        raise typer.Exit(1)


def parse_options(texts: list[str] | None) -> dict[str, int | float]:
    """`NAME=NUMBER` as options of a rule.

    Raises:
        RequestError: Something else.
    """
    options: dict[str, int | float] = {}
    for text in texts or []:
        name, _, value = text.partition("=")
        try:
            options[name] = int(value) if value.lstrip("+-").isdigit() else float(value)
        except ValueError as error:
            raise RequestError(
                f"{text!r} is no option.", where="--option", remedy="Write NAME=NUMBER, such as trim=.2."
            ) from error
    return options


def _load(path: Path) -> Skill:
    if not path.is_file():
        raise RequestError("there is no such file.", where=str(path), remedy="Name skill files.")
    return Skill.load(path)


def _differences(found: Rebuilt) -> list[str]:
    if found.found == found.expected:
        return []
    lines = [f"The catalogue has {found.expected}."]
    for name, largest in found.differences.items():
        lines.append(f"  {name}: " + (f"differs by up to {largest:.3g}" if largest else "differs"))
    if found.device != found.device_now:
        then = found.device or "a device that was not recorded"
        lines.append(f"It was merged on {then}; other devices may round the last bit differently.")
    return lines
