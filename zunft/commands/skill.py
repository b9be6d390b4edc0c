"""`zunft skill`: what a researcher does with skills - start, look at, publish, pull, release."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from skills.errors import RequestError
from skills.lists import SkillQuery, VersionQuery
from skills.messages import Channel, ScoreView, SkillView, Visibility
from skills.signing import VerifyKey
from skills.skill import Skill
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.listing import All, Cursor, Limit, asked, behind, listed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Start, inspect, publish and pull skills.")
out = Console()


@app.command(epilog="Example: [bold]zunft skill new weld-seam -o weld-seam.skill[/]")
def new(
    task: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the file.")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 0,
    hidden: Annotated[str, typer.Option(help="Widths of the hidden layers.")] = "64,64",
) -> None:
    """Make version 1 of a skill: an untrained network for a task."""
    from zunft.starting import new_skill  # noqa: PLC0415 - MuJoCo, which `zunft hub` does without

    skill = new_skill(task, seed=seed, hidden=_widths(hidden))
    skill.save(output)
    out.print(f"{output}: {skill.manifest.name} v1, {skill.digest}", soft_wrap=True)


@app.command(epilog="Example: [bold]zunft skill show weld-seam.skill --json[/]")
def show(file: Path, as_json: Json = False) -> None:
    """Say what a skill file is: manifest, tensors, digest."""
    skill = Skill.load(file)
    if as_json:
        out.print_json(skill.manifest.model_dump_json())
        return
    manifest, network = skill.manifest, skill.manifest.network
    table = Table(title=f"{manifest.name} v{manifest.version}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    numbers = sum(tensor.size for tensor in skill.tensors.values())
    rows = {
        "digest": skill.digest,
        "task": manifest.task,
        "origin": f"{manifest.origin}, {manifest.contributors} robots, {manifest.samples:,} steps",
        "network": f"{network.inputs} -> {network.hidden} -> {network.outputs}, {network.activation}",
        "size": f"{numbers:,} numbers",
        "observation": ", ".join(f"{c.name} ({c.size} x {c.unit})" for c in manifest.contract.observation),
        "action": ", ".join(f"{c.name} ({c.size} x {c.unit})" for c in manifest.contract.action),
        "rate": f"{manifest.contract.control_hz:g} Hz",
        "licence": manifest.licence,
    }
    for name, value in rows.items():
        table.add_row(name, value)
    out.print(table)


@app.command(
    epilog="Examples: [bold]zunft skill publish weld-seam.skill[/]; so that only your organisation sees it: "
    "[bold]zunft skill publish weld-seam.skill --visibility organisation[/]"
)
def publish(
    file: Path,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    visibility: Annotated[
        Visibility | None,
        typer.Option(help="Who may see a new skill; default: what your organisation has decided."),
    ] = None,
) -> None:
    """Put a skill file into the hub's catalogue; a new name becomes your organisation's."""
    version = connect(hub, token).publish_skill(Skill.load(file), visibility)
    out.print(f"published {version.skill} v{version.version} ({version.digest})", soft_wrap=True)


@app.command("list", epilog="Example: [bold]zunft skill list --json[/]")
def list_skills(
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    text: Annotated[str, typer.Option(help="Part of name, task or summary.")] = "",
    task: Annotated[str, typer.Option(help="Only skills for this task.")] = "",
    embodiment: Annotated[str, typer.Option(help="Only those measured on this arm.")] = "",
    organisation: Annotated[str, typer.Option(help="Only skills of this organisation.")] = "",
    channel: Annotated[Channel | None, typer.Option(help="Only those that have it.")] = None,
    lowest_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only those whose stable version reached it.")
    ] = None,
    sort: Annotated[Literal["name", "updated"], typer.Option(help="`updated`: the last one first.")] = "name",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show the catalogue."""
    query = asked(
        SkillQuery,
        text=text,
        task=task,
        embodiment=embodiment,
        organisation=organisation,
        channel=channel,
        lowest_score=lowest_score,
        sort=sort,
        limit=limit,
        cursor=cursor,
    )
    page = listed(connect(hub, token).skills, query, whole=whole)
    skills = page.items
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("skill", "task", "stable", "success", "versions", "owner", "seen by")
    for skill in skills:
        owner = skill.organisation, skill.visibility
        table.add_row(skill.name, skill.task, *_stable(skill), str(skill.versions), *owner)
    out.print(table if skills else "No skill: zunft skill publish FILE.")
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


@app.command(epilog="Example: [bold]zunft skill versions weld-seam --limit 10[/]")
def versions(
    name: str,
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    origin: Annotated[
        Literal["initial", "upload", "merge"] | None, typer.Option(help="Only versions that came to be so.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show a skill's versions, newest first."""
    client = connect(hub, token)
    query = asked(VersionQuery, origin=origin, sort="newest", limit=limit, cursor=cursor)
    page = listed(partial(client.versions, name), query, whole=whole)
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("version", "channels", "origin", "success", "robots", "made (UTC)")
    for each in page.items:
        success = f"{each.score.score:.2f}" if each.score else "-"
        channels = "withdrawn" if each.withdrawn else ", ".join(each.channels)
        made = f"{each.created_at:%Y-%m-%d %H:%M}"
        table.add_row(f"v{each.version}", channels, each.origin, success, str(each.contributors), made)
    out.print(table)
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


@app.command(
    epilog="Example: [bold]zunft skill pull weld-seam@stable --hub-key ed25519:... -o weld-seam.skill[/]"
)
def pull(
    reference: Annotated[str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the file.")],
    hub_key: Annotated[
        str, typer.Option(help="Accept only what this key signed; `zunft robot join` shows it.")
    ] = "",
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
) -> None:
    """Download a skill file and verify its digest, and its signature where the hub's key is given.

    Said again after a broken connection, it goes on from what is in OUTPUT.partial.
    """
    name, _, ref = reference.partition("@")
    client = connect(hub, token)
    version = client.version(name, ref or "stable")
    skill = client.fetch_skill(version, VerifyKey(hub_key) if hub_key else None, output)
    out.print(f"{output}: {version.skill} v{version.version}, {skill.digest}", soft_wrap=True)


@app.command(epilog="Example: [bold]zunft skill release weld-seam 6[/] - back to version 6")
def release(
    name: str,
    version: int,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    channel: Annotated[str, typer.Option(help="Which channel to move.")] = "stable",
) -> None:
    """Point a channel at a version: a release or a rollback."""
    if channel not in get_args(Channel):
        raise RequestError(f"no channel {channel!r}.", remedy=f"Use one of {', '.join(get_args(Channel))}.")
    moved = connect(hub, token).move_channel(name, cast("Channel", channel), version)
    out.print(f"{moved.skill}: {channel} is now v{moved.version}")


@app.command("visibility", epilog="Example: [bold]zunft skill visibility weld-seam organisation[/]")
def change_visibility(
    name: str,
    seen_by: Annotated[
        Visibility,
        typer.Argument(
            help="private: operators, robots and publishers of your organisation; organisation: all of it; "
            "guild: everybody who has a login, and anybody where the catalogue is public."
        ),
    ],
    token: Token,
    hub: Hub = DEFAULT_HUB,
) -> None:
    """Say who may see a skill from now on; what others have of it already they keep."""
    changed = connect(hub, token).change_visibility(name, seen_by)
    out.print(f"{changed.name} of {changed.organisation}: {changed.visibility}")


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise RequestError(
            f"{text!r} is no list of widths.", where="--hidden", remedy="Write 64,64."
        ) from error


def _stable(skill: SkillView) -> tuple[str, str]:
    if skill.stable is None:
        return "-", "-"
    return f"v{skill.stable.version}", format_score(skill.stable.score)


def format_score(score: ScoreView | None) -> str:
    """Score and interval in a table's cell."""
    return "-" if score is None else f"{score.score:.2f} ({score.low:.2f}-{score.high:.2f})"
