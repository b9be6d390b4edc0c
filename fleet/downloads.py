"""What a hub hands out of versions: their files, and what vouches for them.

Digest, size and name are looked at here; whether it may be used is `fleet.trust`'s and `fleet.fetch`'s.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from fleet import paths
from fleet.connection import Connection
from fleet.transfer import pull
from skills.container import digest_of
from skills.errors import ArtefactError
from skills.manifest import Digest
from skills.messages.attestations import AttestationView, GateKey
from skills.messages.base import API
from skills.messages.skills import VersionView
from skills.signing import VerifyKey, gate_key_statement, skill_statement
from skills.skill import SIZE_LIMIT, Skill

__all__ = ["attestations_of", "envelope_of", "fetch_version", "gate_key_of"]


def attestations_of(connection: Connection, version: VersionView) -> list[AttestationView]:
    """What vouches for a version, the newest first, as the hub lists it: not yet verified."""
    return connection.ask(list[AttestationView], "GET", paths.attestations(version.skill, version.version))


def envelope_of(connection: Connection, version: VersionView, digest: Digest, limit: int) -> bytes:
    """The envelope of that name, of at most so many bytes.

    Raises:
        ArtefactError: It has another name, or is larger.
        HubUnreachableError: No answer.
    """
    path = f"{paths.attestations(version.skill, version.version)}/{quote(digest, safe='')}"
    data = connection.send("GET", path, limit=limit).body
    if digest_of(data) != digest:
        raise ArtefactError(f"it is not {digest}.", where="attestation", code="digest_mismatch")
    return data


def gate_key_of(connection: Connection, hub_key: VerifyKey | None) -> VerifyKey:
    """Whose word on what the gate found counts; the hub's key, where there is one, has to have signed it.

    Raises:
        SignatureError: It has not.
        HubUnreachableError: No answer.
    """
    told = connection.ask(GateKey, "GET", f"{API}/gate-key")
    if hub_key is not None:
        hub_key.verify(told.signature, gate_key_statement(told.gate_key))
    return VerifyKey(told.gate_key).canonical()


def fetch_version(connection: Connection, version: VersionView, key: VerifyKey | None, target: Path) -> Skill:
    """Download a version's file; what an earlier try left beside it is used.

    Raises:
        ArtefactError: Larger than announced, another digest, or damaged.
        HubUnreachableError: The download broke off; fetch again, and it goes on from there.
    """
    if key is not None:
        key.verify(version.signature, skill_statement(version.digest))
    if version.size > SIZE_LIMIT:
        raise ArtefactError(f"the skill has {version.size} bytes; {SIZE_LIMIT} are allowed.")
    partial = target.with_name(f"{target.name}.partial")
    try:
        pull(connection, f"{paths.version(version.skill, str(version.version))}/file", partial, version.size)
        skill = _opened(partial, version)
    except ArtefactError:
        partial.unlink(missing_ok=True)  # nothing to go on from
        raise
    partial.replace(target)
    return skill


def _opened(path: Path, version: VersionView) -> Skill:
    skill = Skill.load(path, digest=version.digest)
    found, asked = (skill.manifest.name, skill.manifest.version), (version.skill, version.version)
    if found != asked:
        raise ArtefactError(
            f"this is the skill {found[0]!r} v{found[1]}, not {asked[0]!r} v{asked[1]}.", where="name"
        )
    return skill
