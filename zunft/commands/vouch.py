"""`zunft skill vouch`: who vouches for what of a version, and whether that holds."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.text import Text

from fleet.client import OperatorClient
from skills.attestations import ENVELOPE_LIMIT, Attested, read_attestation
from skills.errors import ArtefactError, NotFoundError, SignatureError
from skills.hall_chain import chain_of
from skills.messages.attestations import AttestationView
from skills.messages.skills import VersionView
from skills.predicates import Gate, Hall, Merge, Release, Score
from skills.signing import VerifyKey
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, split_reference
from zunft.commands.output import table, tell

__all__ = ["vouch"]


class Voucher(BaseModel):
    """One attestation, looked at.

    Attributes:
        complaint: What does not hold; empty where all does.
        says: The statement's predicate; None where it cannot be read.
    """

    digest: str
    kind: str
    signer: str
    complaint: str = ""
    says: dict[str, Any] | None = None
    sentence: str = ""


def vouch(
    reference: Annotated[str, typer.Argument(help="NAME, NAME@stable, NAME@candidate or NAME@7.")],
    hub_key: Annotated[
        str, typer.Option(help="The hub's key; `zunft robot join` shows it. Default: as this hub says.")
    ] = "",
    gate_key: Annotated[
        str, typer.Option(help="The gate's key. Default: the one that the hub's key has signed.")
    ] = "",
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Say who vouches for what of a version, each signature and digest verified; status 1 where one fails.

    A merge and a release count by the hub's key, what was measured by the gate's.
    """
    client = connect(hub, token)
    version = client.version(*split_reference(reference))
    known = VerifyKey(hub_key) if hub_key else None
    gate = VerifyKey(gate_key) if gate_key else client.gate_key(known)
    found = [_looked_at(client, version, each, known, gate) for each in client.attestations(version)]
    found += [
        each for it in found if it.kind == "hall" and not it.complaint for each in _above(client, version, it)
    ]
    rows = [(each.kind, each.sentence, each.signer[:24], _mark(each)) for each in found]
    columns = ("what", "says", "signed by", "holds")
    shown = (
        table(columns, rows, title=f"{version.skill} v{version.version}")
        if rows
        else "Nobody vouches for it."
    )
    answer = {
        "skill": version.skill,
        "version": version.version,
        "digest": version.digest,
        "hub_key": hub_key,
        "gate_key": gate.text,
        "attestations": [each.model_dump() for each in found],
    }
    tell(answer, shown, as_json=as_json)
    if not found or any(each.complaint for each in found):
        raise typer.Exit(1)


def _looked_at(
    client: OperatorClient,
    version: VersionView,
    listed: AttestationView,
    hub_key: VerifyKey | None,
    gate_key: VerifyKey,
) -> Voucher:
    found = Voucher(digest=listed.digest, kind=listed.kind, signer=listed.signer)
    try:
        attested = read_attestation(client.envelope(version, listed.digest, min(listed.size, ENVELOPE_LIMIT)))
    except (ArtefactError, NotFoundError, SignatureError) as error:
        return found.model_copy(update={"complaint": str(error)})
    predicate = attested.predicate
    return Voucher(
        digest=listed.digest,
        kind=attested.kind,
        signer=attested.signer.text,
        complaint=_complaint(attested, version, gate_key if isinstance(predicate, Gate) else hub_key),
        says=predicate.model_dump(mode="json"),
        sentence=_sentence(attested),
    )


def _above(client: OperatorClient, version: VersionView, found: Voucher) -> list[Voucher]:
    """What the halls above say of the same numbers, the nearest first."""
    word = Hall.model_validate_json(json.dumps(found.says))
    with tempfile.TemporaryDirectory() as folder:
        skill = client.fetch_skill(version, None, Path(folder) / "skill")
        return [
            Voucher(
                digest=found.digest,
                kind="above",
                signer=each.hall,
                complaint=each.complaint,
                says={"hall": each.hall, "version": each.version, "released": each.released},
                sentence=each.in_words(),
            )
            for each in chain_of(skill.tensors, word)
        ]


def _complaint(attested: Attested, version: VersionView, key: VerifyKey | None) -> str:
    """What does not hold; `key`: whose word counts, None: whoever says that it signed."""
    if attested.subject != version.digest:
        return f"it speaks of {attested.subject}"
    is_anybodys = key is None or isinstance(attested.predicate, Score)
    if not is_anybodys and attested.signer != key:
        return "another key than the one whose word counts"
    try:
        attested.verify(attested.signer)
    except SignatureError as error:
        return error.message
    return attested.predicate.contradiction() if isinstance(attested.predicate, Gate) else ""


def _sentence(attested: Attested) -> str:
    match attested.predicate:
        case Merge() as merge:
            owners = len({each.organisation for each in merge.deltas})
            count = f"{len(merge.deltas)} deltas of {owners} organisations"
            return f"merged from {count}, {merge.plan.rule_in_words()}, Zunft {merge.code}"
        case Gate() as gate:
            figures = gate.candidate
            best = f"; best before: {gate.best.score.score:.2f}, {gate.best.digest[:19]}" if gate.best else ""
            arms = f", but not on {', '.join(gate.failed_on)}" if gate.failed_on else ""
            said = f"{gate.decision}{arms}: {figures.score:.2f} in {figures.episodes} episodes of {gate.task}"
            return said + best
        case Release() as release:
            why = f": {release.reason}" if release.reason else ""
            return f"made {release.channel} by {release.by}{why}"
        case Hall() as hall:
            halls = f" under {len(hall.path)} others" if hall.path else ""
            return f"has the numbers of v{hall.upper_version} of hall {hall.hall[:19]}{halls}"
        case Score() as score:
            who = f" by {score.by}" if score.by else ""
            return f"scored {score.score.score:.2f} in {score.score.episodes} episodes of {score.task}{who}"
    return ""


def _mark(found: Voucher) -> Text:
    return Text(f"no: {found.complaint}", style="red") if found.complaint else Text("yes", style="green")
