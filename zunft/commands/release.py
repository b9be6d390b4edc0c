"""`zunft skill release`: a channel is pointed at a version, by the hub or by an organisation's own key.

What that key signs is made here of what the hub says would have to be signed, once that was held to what was
asked for; the key never leaves this machine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Annotated, cast, get_args

import typer

from fleet.client import OperatorClient
from skills.errors import ArtefactError, ConflictError, RequestError, SignatureError
from skills.messages.skills import ChannelMove, ChannelName, ReleaseView
from skills.signing import SigningKey
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.output import err, tell

__all__ = ["release"]

LOOK_SECONDS = 0.5


def release(
    name: str,
    version: int,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    channel: Annotated[str, typer.Option(help="Which channel to move.")] = "stable",
    reason: Annotated[
        str, typer.Option(help="Why: it stands in the attestation, and robots may ask for it.")
    ] = "",
    lowest: Annotated[
        int | None, typer.Option(help="No version below this is safe any more; robots refuse it for good.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="File of your organisation's own key: robots that saw a skill released with it take it from "
            "nobody else, the hub included."
        ),
    ] = None,
    old_key: Annotated[
        Path | None, typer.Option(help="File of the key so far, where --key is a new one in its place.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is measured, and say what came of it.")] = True,
    as_json: Json = False,
) -> None:
    """Point a channel at a version: a release or a rollback; what was never measured is measured first."""
    if channel not in get_args(ChannelName):
        raise RequestError(
            f"no channel {channel!r}.", remedy=f"Use one of {', '.join(get_args(ChannelName))}."
        )
    if old_key and not key:
        raise RequestError("--old-key without --key.", remedy="Name the new key, too.")
    own, old = _read(key), _read(old_key)
    move = request(ChannelMove, {"version": version, "reason": reason, "lowest": lowest})
    client = connect(hub, token)
    said = client.move_channel(
        name,
        cast("ChannelName", channel),
        move.version,
        reason=move.reason,
        lowest=move.lowest,
        key=own.public.text if own else "",
    )
    if wait or own:
        with err.status(f"The hub measures {name} v{version} ..."):
            while said.state in {"queued", "measuring"}:
                sleep(LOOK_SECONDS)
                said = client.release(name, said.release_id)
    if own and said.state == "unsigned":
        said = _sign(client, said, move, own, old)
    tell(said, _outcome(said), as_json=as_json)
    if said.state == "refused" or (wait and said.state == "unsigned"):
        raise typer.Exit(1)


def _sign(
    client: OperatorClient, asked: ReleaseView, move: ChannelMove, key: SigningKey, old: SigningKey | None
) -> ReleaseView:
    """Sign what the hub says has to be, if it is what was asked for, and bring it there."""
    from skills.release_keys import sign_release  # noqa: PLC0415 - other commands do without it

    name, draft, digest = asked.skill, asked.draft, client.version(asked.skill, str(move.version)).digest
    if draft is None or (draft.pointer.version, draft.pointer.fixed.get(move.version)) != (
        move.version,
        digest,
    ):
        raise ArtefactError(f"the hub wants something else signed than v{move.version} of {name}.")
    lowest = max(draft.pointer.lowest, move.lowest or 1)
    if lowest > move.version:
        raise ConflictError(f"v{move.version} is below v{lowest}, the lowest safe one.", where="lowest")
    pointer = draft.pointer.model_copy(update={"lowest": lowest})
    now = datetime.now(UTC)
    signed = sign_release(key, name, pointer, version=draft.version, now=now, before=draft.keys, old=old)
    err.print(f"Signed with {key.public.text}: v{move.version} of {name} is {digest}.")
    return client.move_channel(name, "stable", move.version, reason=move.reason, signed=signed.decode())


def _read(path: Path | None) -> SigningKey | None:
    if path is None:
        return None
    if not path.is_file():
        raise SignatureError(
            "there is no such key file.", where=str(path), remedy=f"Make one: zunft keys make {path}."
        )
    return SigningKey.load_or_create(path)


def _outcome(release: ReleaseView) -> str:
    what = f"{release.skill} v{release.version}"
    match release.state:
        case "released":
            return f"{release.skill}: {release.channel} is now v{release.version}"
        case "refused":
            return f"{what} did not become {release.channel}: {release.reason}"
        case "unsigned":
            return (
                f"{what} is measured and waits for the key that releases {release.skill}: "
                f"zunft skill release {release.skill} {release.version} --key FILE"
            )
        case _:
            return f"{what} is {release.state}: it becomes {release.channel} once it was measured"
