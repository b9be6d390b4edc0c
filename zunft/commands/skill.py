"""`zunft skill`: what a researcher does with skills - start, look at, publish, pull, release."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from fleet.robot_folder import RobotFolder
from skills.errors import RequestError
from skills.fits import RobotFit, fit_of
from skills.messages.lists import FitQuery, Page, SkillQuery, VersionQuery
from skills.messages.skills import (
    ChannelName,
    MinimumChange,
    ScoreView,
    SkillView,
    Visibility,
)
from skills.signing import VerifyKey
from skills.skill import Skill
from zunft.commands.compare import compare
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
from zunft.commands.explain import explain
from zunft.commands.export import export
from zunft.commands.learners import Network, Sizes
from zunft.commands.listing import All, Cursor, Embodiment, Limit, Organisation, Text, listed, tell_page
from zunft.commands.output import facts, table, tell
from zunft.commands.release import release
from zunft.commands.replay import replay
from zunft.commands.vouch import vouch
from zunft.new_skill import new_skill, read_network

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
app.command("compare", epilog="Example: [bold]zunft skill compare weld-seam@stable 8[/]")(compare)
app.command("explain", epilog="Example: [bold]zunft skill explain weld-seam@7[/]")(explain)
app.command(
    "replay", epilog="Example: [bold]zunft skill replay weld-seam@7 --embodiment ur5e -o film.json[/]"
)(replay)
app.command("vouch", epilog="Example: [bold]zunft skill vouch weld-seam@stable --json[/]")(vouch)
app.command(
    "release",
    epilog="Examples: [bold]zunft skill release weld-seam 6[/] - back to version 6; "
    "[bold]zunft skill release weld-seam 9 --lowest 8[/] - and never again to 7 or older; "
    "[bold]zunft skill release weld-seam 9 --key release.pem[/] - with your organisation's own key "
    "(zunft keys make), and from then on with no other; "
    "[bold]zunft skill release weld-seam 10 --key new.pem --old-key release.pem --json[/]",
)(release)
app.command(
    "export", epilog="Example: [bold]zunft skill export weld-seam@stable --onnx -o weld-seam.onnx[/]"
)(export)

Reference = Annotated[
    str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7 of the hub; or FILE.skill.")
]


@app.command(
    epilog="Examples: [bold]zunft skill new weld-seam -o weld-seam.skill[/]; with memory: "
    "[bold]zunft skill new weld-seam --network gru --size memory=64 -o weld-seam.skill[/]"
)
def new(
    task: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the file.")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 0,
    network: Network = "",
    size: Sizes = None,
    as_json: Json = False,
) -> None:
    """Make version 1 of a skill: an untrained network for a task."""
    skill = new_skill(task, seed=seed, network=read_network(network, size))
    skill.save(output)
    done = {"file": output, "skill": skill.manifest.name, "version": 1, "digest": skill.digest}
    tell(done, f"{output}: {skill.manifest.name} v1, {skill.digest}", as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft skill show weld-seam.skill --json[/]; of a hub: "
    "[bold]zunft skill show weld-seam@7[/]"
)
def show(reference: Reference, token: Token = "", hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Say what a skill is: manifest, size, digest. Of a hub's skill no file is read."""
    arms = ""
    if is_file(reference):
        skill = Skill.load(Path(reference))
        manifest, digest, size = skill.manifest, skill.digest, skill.size
    else:
        version = connect(hub, token).version(*split_reference(reference))
        manifest, digest, size = version.manifest, version.digest, version.size
        arms = version.arms_in_words()
    contract = manifest.contract
    rows = {
        "digest": digest,
        "task": manifest.task,
        "origin": f"{manifest.origin}, {manifest.contributors} robots, {manifest.samples:,} steps",
        "network": manifest.network.in_words(),
        "size": f"{size:,} bytes",
        "observation": ", ".join(f"{c.name} ({c.size} x {c.unit})" for c in contract.observation),
        "action": ", ".join(f"{c.name} ({c.size} x {c.unit})" for c in contract.action),
        "rate": f"{contract.control_hz:g} Hz",
        "licence": manifest.licence,
        **({"arms": arms} if arms else {}),
    }
    tell(manifest, facts(rows, title=f"{manifest.name} v{manifest.version}"), as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft skill versions weld-seam --limit 10[/]; "
    "[bold]zunft skill versions weld-seam --origin merge --sort oldest --all[/]"
)
def versions(
    name: Annotated[str, typer.Argument(help="A skill of the hub.")],
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    origin: Annotated[
        Literal["initial", "upload", "merge"] | None, typer.Option(help="Only versions that came to be so.")
    ] = None,
    withdrawn: Annotated[
        bool | None, typer.Option("--withdrawn/--not-withdrawn", help="Only those that are, or are not.")
    ] = None,
    sort: Annotated[Literal["oldest", "newest"], typer.Option(help="Which come first.")] = "newest",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show a skill's versions: where each comes from, what it reached, which channels point at it."""
    wanted = {"origin": origin, "withdrawn": withdrawn, "sort": sort, "limit": limit, "cursor": cursor}
    query = request(VersionQuery, wanted)
    page = listed(partial(connect(hub, token).versions, name), query, whole=whole)
    rows = [
        (
            f"v{each.version}",
            "withdrawn" if each.withdrawn else ", ".join(each.channels),
            each.origin,
            format_score(each.score),
            str(each.contributors),
            f"{each.created_at:%Y-%m-%d %H:%M}",
        )
        for each in page.items
    ]
    columns = ("version", "channels", "origin", "success", "robots", "made (UTC)")
    tell_page(page, table(columns, rows, title=name), as_json=as_json)


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
    as_json: Json = False,
) -> None:
    """Put a skill file into the hub's catalogue; a new name becomes your organisation's."""
    version = connect(hub, token).publish_skill(Skill.load(file), visibility)
    tell(version, f"published {version.skill} v{version.version} ({version.digest})", as_json=as_json)


@app.command(
    "list",
    epilog="Examples: [bold]zunft skill list --all --json[/]; "
    "[bold]zunft skill list --task weld-seam --lowest-score 0.8 --sort updated[/]",
)
def list_skills(
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    text: Annotated[str, typer.Option(help="Words, or what it should do: the most fitting first.")] = "",
    task: Annotated[str, typer.Option(help="Only skills for this task.")] = "",
    embodiment: Annotated[str, typer.Option(help="Only those measured on this arm.")] = "",
    organisation: Organisation = "",
    channel: Annotated[ChannelName | None, typer.Option(help="Only those that have it.")] = None,
    lowest_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only those whose stable version reached it.")
    ] = None,
    robot: Annotated[
        str, typer.Option(help="Only those whose stable version this robot can run, by its id.")
    ] = "",
    sort: Annotated[
        Literal["name", "updated", "score"], typer.Option(help="score: the best first; updated: the last.")
    ] = "name",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show the catalogue."""
    wanted = {
        "text": text,
        "task": task,
        "embodiment": embodiment,
        "organisation": organisation,
        "channel": channel,
        "lowest_score": lowest_score,
        "robot": robot,
        "sort": sort,
        "limit": limit,
        "cursor": cursor,
    }
    page = listed(connect(hub, token).skills, request(SkillQuery, wanted), whole=whole)
    rows = [
        (
            skill.name,
            skill.organisation,
            skill.task,
            f"{_stable(skill)} of {skill.versions}",
            format_score(skill.stable.score if skill.stable else None),
            skill.visibility,
        )
        for skill in page.items
    ]
    columns = ("skill", "owner", "task", "stable", "success", "seen by")
    shown = table(columns, rows) if rows else "No skills here: zunft skill publish FILE."
    tell_page(page, shown, as_json=as_json)


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
    as_json: Json = False,
) -> None:
    """Download a skill file and verify its digest, and its signature where the hub's key is given.

    Said again after a broken connection, it goes on from what is in OUTPUT.partial.
    """
    client = connect(hub, token)
    version = client.version(*split_reference(reference))
    skill = client.fetch_skill(version, VerifyKey(hub_key) if hub_key else None, output)
    said = f"{output}: {version.skill} v{version.version}, {skill.digest}"
    tell({"file": output, **version.model_dump()}, said, as_json=as_json)


@app.command(epilog="Example: [bold]zunft skill minimum weld-seam 0.8[/]")
def minimum(
    name: str,
    success: Annotated[str, typer.Argument(help="From 0 to 1; `nothing`: more than doing nothing does.")],
    token: Token,
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Say what success a version must reach to become the first stable one."""
    change = request(MinimumChange, {"minimum": _share(success)})
    changed = connect(hub, token).change_minimum(name, change.minimum)
    words = "more than doing nothing does" if changed.minimum is None else f"at least {changed.minimum:g}"
    tell(changed, f"{changed.name}: {words}", as_json=as_json)


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
    as_json: Json = False,
) -> None:
    """Say who may see a skill from now on; what others have of it already they keep."""
    changed = connect(hub, token).change_visibility(name, seen_by)
    said = f"{changed.name} of {escape(changed.organisation)}: {changed.visibility}"
    tell(changed, said, as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft skill fits weld-seam@stable[/]; a file, on this machine's robot: "
    "[bold]zunft skill fits weld-seam.skill --home zunft-robot[/]"
)
def fits(
    reference: Reference,
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    home: Annotated[
        Path, typer.Option(envvar="ZUNFT_ROBOT_HOME", help="For a file: the robot's own folder.")
    ] = Path("zunft-robot"),
    env: Annotated[
        str,
        typer.Option(envvar="ZUNFT_ROBOT_ENV", help="For a file: your robot, package.module:make_env."),
    ] = "",
    text: Text = "",
    organisation: Organisation = "",
    embodiment: Embodiment = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Say which robots can run a skill, and why the others cannot.

    Of a hub's skill: your organisation's robots, by what each has said that it serves; no file is read. Of a
    FILE.skill: the robot of this machine, without a hub.
    """
    if is_file(reference):
        page = Page[RobotFit](items=(_here(Path(reference), home, env),))
    else:
        filters = {"text": text, "organisation": organisation, "embodiment": embodiment}
        query = request(FitQuery, {**filters, "limit": limit, "cursor": cursor})
        page = listed(partial(connect(hub, token).fits, *split_reference(reference)), query, whole=whole)
    rows = [
        (each.name, each.embodiment, each.fits, "; ".join(each.differences) or "-") for each in page.items
    ]
    columns = ("robot", "embodiment", "runs it", "difference")
    shown = table(columns, rows, keys=2) if rows else "No robots here: zunft token create."
    tell_page(page, shown, as_json=as_json)


def _share(text: str) -> float | None:
    try:
        return None if text == "nothing" else float(text)
    except ValueError as error:
        raise RequestError(
            f"{text!r} is no share of episodes.", where="SUCCESS", remedy="Write 0.8, or nothing."
        ) from error


def _stable(skill: SkillView) -> str:
    return f"v{skill.stable.version}" if skill.stable else "none"


def format_score(score: ScoreView | None) -> str:
    """Score and interval in a table's cell."""
    return "-" if score is None else f"{score.score:.2f} ({score.low:.2f}-{score.high:.2f})"


def _here(file: Path, home: Path, own_env: str) -> RobotFit:
    """The robot whose folder this is."""
    from envs.task import load_task  # noqa: PLC0415 - MuJoCo
    from fleet.abilities import abilities_of  # noqa: PLC0415
    from fleet.own_robot import load_env  # noqa: PLC0415
    from fleet.tasks import kept_tasks  # noqa: PLC0415

    manifest, bench = Skill.load(file).manifest, RobotFolder(home)
    identity = bench.identity()
    task = load_task(manifest.task) if own_env else None
    if task is not None:
        load_env(own_env, task)  # it must be what it is taken for
    found = fit_of(manifest, abilities_of(identity.embodiment, task, kept_tasks(bench)), identity.embodiment)
    return RobotFit(
        robot_id=identity.robot_id,
        name=identity.name,
        organisation=identity.organisation,
        embodiment=identity.embodiment,
        fits=found.fits,
        differences=found.differences,
    )
