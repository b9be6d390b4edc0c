"""`zunft skill export`: a skill as one ONNX file for machines without Python; docs/deploy-a-skill.md."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from skills.errors import RequestError
from skills.files import write_atomically
from skills.signing import VerifyKey
from skills.skill import Skill
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, is_file, split_reference
from zunft.commands.output import tell

__all__ = ["export"]


def export(
    reference: Annotated[
        str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7 of the hub; or FILE.skill.")
    ],
    onnx: Annotated[bool, typer.Option("--onnx", help="As ONNX, the one form there is.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; else NAME-vVERSION.onnx here.")
    ] = None,
    hub_key: Annotated[
        str, typer.Option(help="Accept only what this key signed; `zunft robot join` shows it.")
    ] = "",
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Write a skill as one ONNX file: what acts of its network, and its contract, digest and version.

    Its actions are those of the skill within 1e-6 on ONNX Runtime.
    """
    if not onnx:
        raise RequestError("export as what?", where="zunft skill export", remedy="Say --onnx.")
    from skills.onnx_file import OPSET, onnx_file  # noqa: PLC0415 - an extra

    skill = _skill(reference, hub, token, hub_key)
    manifest = skill.manifest
    target = output or Path(f"{manifest.name}-v{manifest.version}.onnx")
    data = onnx_file(skill)
    write_atomically(target, data)
    made = {
        "file": target,
        "skill": manifest.name,
        "version": manifest.version,
        "digest": skill.digest,
        "opset": OPSET,
        "bytes": len(data),
    }
    said = f"{target}: {manifest.name} v{manifest.version} as ONNX, opset {OPSET}, {len(data):,} bytes"
    tell(made, escape(said), as_json=as_json)


def _skill(reference: str, hub: str, token: str, hub_key: str) -> Skill:
    if is_file(reference):
        return Skill.load(Path(reference))
    client = connect(hub, token)
    version = client.version(*split_reference(reference))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pulled.skill"
        client.fetch_skill(version, VerifyKey(hub_key) if hub_key else None, file)
        return Skill.from_bytes(file.read_bytes())
