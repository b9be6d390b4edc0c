"""`zunft hub join`, `share`, `keep`, `membership`, `leave`: a hall in a larger one, on its own settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skills.messages.halls import SharePlan
from zunft.commands.connection import Json, request
from zunft.commands.order_options import read_order, said
from zunft.commands.output import table, tell
from zunft.commands.settings import DataDir, hub_settings

if TYPE_CHECKING:
    from hub.services import Services

__all__ = ["join", "keep", "leave", "membership", "share"]

Skill = Annotated[str, typer.Argument(help="The skill, called the same in both halls.")]


def join(
    hub: Annotated[str, typer.Option(help="Address of the larger hall.")],
    token: Annotated[str, typer.Option(help="Its operator makes one: zunft token create --hall-robots 50.")],
    name: Annotated[str, typer.Option(help="What this hall is called there.")] = "hall",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Join a larger hall, as one of its robots. Nothing leaves before `zunft hub share` says what."""
    with _services(data_dir) as services:
        from zunft.halls.joining import HallFolder, join_hall  # noqa: PLC0415 - other commands do without

        memberships = services.halls.memberships
        folder = HallFolder(services.settings.data_dir, memberships.key)
        identity = join_hall(memberships, folder, hub, token, name)
        tell(
            {"hall": memberships.hall, "robot_id": identity.robot_id, "hub": hub},
            f"{hub} knows this hall as {identity.robot_id}. Its id is {memberships.hall}.",
            as_json=as_json,
        )


def share(
    skill: Skill,
    private: Annotated[
        bool | None, typer.Option("--private", help="Also where only its organisation sees the skill.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Also where its organisation is pinned to this region.")
    ] = None,
    digests: Annotated[
        bool | None, typer.Option("--digests", help="Tell the digests of this hall's deltas, too.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds here for each of the larger hall's.")] = None,
    quorum: Annotated[int | None, typer.Option(help="Fewest deltas of a round here.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="A JSON file with fields of a share plan, such as merge and gate.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let out what this hall's robots learn of a skill, merged, as one delta a round. Else nothing leaves."""
    fields = read_order(plan) if plan else {}
    fields |= said(skill=skill, private=private, region=region, digests=digests, rounds=rounds, quorum=quorum)
    wanted = request(SharePlan, fields)
    with _services(data_dir) as services:
        services.halls.memberships.share(wanted)
    tell(wanted, f"{skill}: {wanted.in_words()}.", as_json=as_json)


def keep(skill: Skill, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let nothing more out of a skill; a round that is under way is dropped."""
    with _services(data_dir) as services:
        services.halls.memberships.keep(skill)
    tell({"skill": skill}, f"nothing leaves of {skill}.", as_json=as_json)


def membership(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show which larger hall this one joined, what leaves, and what was handed up."""
    with _services(data_dir) as services:
        row, path = services.halls.memberships.current(), services.halls.memberships.path()
        plans, rounds = services.halls.memberships.plans(), services.halls.rounds.newest()
    found = {
        **path.model_dump(),
        "hub": row.hub if row else None,
        "refusal": row.refusal if row else "",
        "shares": [plan.model_dump(mode="json") for plan in plans],
        "rounds": rounds,
    }
    lines = [f"hall {path.hall}"]
    lines.append(f"in {row.hub}, hall {path.above[0]}" if row else "in no other hall")
    lines += [f"refused: {row.refusal}"] if row and row.refusal else []
    lines += [f"{plan.skill}: {plan.in_words()}" for plan in plans] or ["nothing leaves"]
    columns = ("round", "skill", "state", "robots", "steps", "reason")
    shown = table(
        columns, [[str(each[column]) for column in (*columns[:4], "samples", "reason")] for each in rounds]
    )
    tell(found, *lines, *([shown] if rounds else []), as_json=as_json)


def leave(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Leave the larger hall. What was handed up stays there until its operators forget this hall."""
    with _services(data_dir) as services:
        services.halls.memberships.leave()
    tell({"left": True}, "this hall is in no other now.", as_json=as_json)


@contextmanager
def _services(data_dir: Path | None) -> Iterator[Services]:
    """Of the hub whose settings these are, running or not; nothing works in the background."""
    from hub.services import open_services  # noqa: PLC0415 - other commands do without the hub's modules
    from skills.files import keep_private  # noqa: PLC0415

    keep_private()
    services = open_services(hub_settings(data_dir=data_dir))
    try:
        yield services
    finally:
        services.close()
