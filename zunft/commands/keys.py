"""`zunft keys`: the guild's root of trust, and organisations' own keys. All without HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zunft.commands.connection import Json
from zunft.commands.output import facts, tell
from zunft.commands.settings import DataDir, hub_settings

if TYPE_CHECKING:
    from hub.operations.ceremony import Rotation

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
DRAFT = Path("next-root.json")


@app.command(
    epilog="Examples: [bold]zunft keys ceremony --root-keys /media/stick --data-dir zunft-data[/]; "
    "[bold]zunft keys ceremony --root-keys /media/stick --json[/]"
)
def ceremony(
    root_keys: Annotated[
        Path, typer.Option(help="Folder for the three keys of the root; not the hub's own.")
    ],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Begin a new hub with a root whose keys never lie beside it; then give each key to somebody else."""
    from hub.operations.ceremony import hold_ceremony  # noqa: PLC0415 - other commands do without the hub's modules
    from skills.files import keep_private  # noqa: PLC0415

    keep_private()
    state = hold_ceremony(hub_settings(data_dir=data_dir), root_keys, datetime.now(UTC))
    tell(
        state,
        f"Root 1 holds: {state.digest}",
        f"Its keys are in {root_keys}. Two of three sign a new root: give each to somebody else, elsewhere.",
        as_json=as_json,
    )


@app.command(
    epilog="Examples: [bold]zunft keys show[/]; [bold]zunft keys show --data-dir zunft-data --json[/]"
)
def show(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show which root holds, which keys it names, and where root keys lie that should not."""
    from hub.operations.ceremony import show_root  # noqa: PLC0415 - as above

    state = show_root(hub_settings(data_dir=data_dir))
    rows = {
        "root": f"{state.version}, until {state.expires:%Y-%m-%d}",
        "digest": state.digest,
        **{
            f"{role} keys": ", ".join(key[:16] for key in keys)
            + (f" ({state.threshold} must sign)" if role == "root" else "")
            for role, keys in state.keys.items()
        },
        "beside the data": ", ".join(map(str, state.beside)) or "none",
    }
    advice = (
        "Root keys lie beside what they protect: whoever takes this machine has them. Move them away."
        if state.beside
        else "No root key lies beside the data."
    )
    tell(state, facts(rows), advice, as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft keys make release.pem[/]; [bold]zunft keys make release.pem --json[/]"
)
def make(
    file: Annotated[Path, typer.Argument(help="Where the new key goes; keep it where the hub is not.")],
    as_json: Json = False,
) -> None:
    """Make a key with which an organisation releases its skills itself: zunft skill release --key FILE."""
    from skills.errors import ConflictError  # noqa: PLC0415 - as above
    from skills.signing import SigningKey  # noqa: PLC0415

    if file.exists():
        raise ConflictError("there is such a file.", where=str(file), remedy="Name another one.")
    text = SigningKey.load_or_create(file).public.text
    tell(
        {"file": file, "key": text},
        f"{file}: {text}",
        "Keep a copy apart. The first zunft skill release NAME VERSION --key FILE names it for that skill.",
        as_json=as_json,
    )


@app.command(
    epilog="Examples: the hub's key was stolen: "
    "[bold]zunft keys rotate --hub-key --root-keys /media/stick[/]; "
    "the gate's: [bold]zunft keys rotate --gate-key --root-keys /media/stick[/]; "
    "an organisation lost its own: [bold]zunft keys rotate --release-key weld-seam=ed25519:...[/]; "
    "with keys elsewhere: [bold]zunft keys rotate --draft next-root.json[/], then "
    "[bold]zunft keys sign[/] twice, then [bold]zunft keys rotate --signed next-root.json --json[/]"
)
def rotate(
    data_dir: DataDir = None,
    root_keys: Annotated[
        list[Path] | None,
        typer.Option(help="Files or folders of the root's keys that are at hand; repeat it."),
    ] = None,
    hub_key: Annotated[
        bool,
        typer.Option("--hub-key", help="Make a new key for the stopped hub first: the old one was stolen."),
    ] = False,
    gate_key: Annotated[
        bool,
        typer.Option(
            "--gate-key",
            help="Make a new key for the gate of the stopped hub first: what the old one signed counts no "
            "more. Where ZUNFT_GATE_KEY names another one than before, it is that.",
        ),
    ] = False,
    new_root_keys: Annotated[
        Path | None, typer.Option(help="Folder for three new keys of the root, in place of the old ones.")
    ] = None,
    release_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SKILL=KEY",
            help="The public key that releases a skill from now on, in place of one that its organisation "
            "has lost; SKILL= gives it back to the hub. Repeat it.",
        ),
    ] = None,
    draft: Annotated[Path, typer.Option(help="Where the next root goes: to be signed, or kept.")] = DRAFT,
    signed: Annotated[Path | None, typer.Option(help="A draft that enough keys signed: it holds.")] = None,
    as_json: Json = False,
) -> None:
    """Make the next root of trust; robots follow it by themselves, also those that were away."""
    from hub.attestations.gate_key import replace_gate_key  # noqa: PLC0415 - as above
    from hub.operations.ceremony import install_signed, rotate  # noqa: PLC0415
    from hub.tuf.keys import ROOT_KEYS  # noqa: PLC0415
    from skills.files import keep_private  # noqa: PLC0415

    keep_private()
    settings, now = hub_settings(data_dir=data_dir), datetime.now(UTC)
    old_gate_key = replace_gate_key(settings, now) if gate_key else None
    if signed is not None:
        done = install_signed(settings, signed, now)
    else:
        beside = settings.data_dir / ROOT_KEYS
        done = rotate(
            settings,
            now,
            root_keys=root_keys or ([beside] if beside.is_dir() else []),
            draft=draft,
            new_hub_key=hub_key,
            new_root_keys=new_root_keys,
            release_keys=_by_skill(release_key or []),
        )
    said = [_rotated(done)]
    said += [f"The gate's old key is {old_gate_key}: delete it."] if old_gate_key else []
    said += ["What is stable is measured anew when the hub starts."] if gate_key else []
    tell(done, " ".join(said), as_json=as_json)


def _rotated(done: Rotation) -> str:
    old = f" The hub's old key is {done.old_hub_key}: delete it." if done.old_hub_key else ""
    if done.missing:
        return (
            f"Root {done.version} lacks {done.missing} signatures. Have it signed where the keys are: "
            f"zunft keys sign {done.file} --key root-1.pem. Then: zunft keys rotate --signed {done.file}{old}"
        )
    return (
        f"Root {done.version} holds, and all is signed anew. Keep {done.file} with the root's keys: after an "
        f"older backup was restored, have it hold again: zunft keys rotate --signed {done.file}.{old}"
    )


@app.command(epilog="Example: [bold]zunft keys sign next-root.json --key /media/stick/root-1.pem --json[/]")
def sign(
    draft: Annotated[Path, typer.Argument(help="What zunft keys rotate wrote.")],
    key: Annotated[Path, typer.Option(help="One of the root's keys.")],
    as_json: Json = False,
) -> None:
    """Sign the next root, on a machine that need be neither the hub nor online."""
    from hub.operations.ceremony import sign_draft  # noqa: PLC0415 - as above

    sign_draft(draft, key)
    tell({"signed": draft, "key": key}, f"{draft} is signed by {key}.", as_json=as_json)


def _by_skill(named: list[str]) -> dict[str, str]:
    from skills.errors import RequestError  # noqa: PLC0415 - as above

    found = dict(each.partition("=")[::2] for each in named if "=" in each)
    if len(found) != len(named):
        raise RequestError(
            "this names no skill and its key.", where="--release-key", remedy="SKILL=ed25519:..."
        )
    return found
