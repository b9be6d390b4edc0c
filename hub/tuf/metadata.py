"""The guild's metadata as The Update Framework has them: pure, from what is to be said and keys to bytes.

One targets role for what each organisation shows to all, one for what it shows to its own. Where the rows
come from is `hub.tuf.contents`'s, where the files lie `hub.tuf.repository`'s business.
https://theupdateframework.github.io/specification/v1.0.34/
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from skills.release_keys import RELEASE_KEYS_FIELD
from skills.targets import GATE_KEY_FIELD, NamedKey

__all__ = [
    "LIFETIMES",
    "ONLINE",
    "ROOT",
    "SNAPSHOT",
    "TARGETS",
    "THRESHOLD",
    "TIMESTAMP",
    "expiry",
    "lifetime",
    "make_root",
    "make_snapshot",
    "make_targets",
    "make_timestamp",
    "meta_of",
    "role_of",
    "sign",
    "target",
    "with_signature",
]

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = Root.type, Targets.type, Snapshot.type, Timestamp.type
ONLINE = (TARGETS, SNAPSHOT, TIMESTAMP)
"""Roles whose keys the hub has at hand."""
THRESHOLD = 2
"""Keys of the root that must sign."""
LIFETIMES = {
    ROOT: timedelta(days=3650),
    TARGETS: timedelta(days=90),
    SNAPSHOT: timedelta(days=7),
    TIMESTAMP: timedelta(days=1),
}
"""How long each is valid; organisations' as long as `TARGETS`. Robots can be kept from news for a day."""
COMPACT = JSONSerializer(compact=True)


def role_of(organisation: str, *, shown: bool) -> str:
    """The role of an organisation's things that everybody sees, or of those that only its own see."""
    return f"{hashlib.sha256(organisation.encode()).hexdigest()[:16]}-{'guild' if shown else 'own'}"


def lifetime(role: str) -> timedelta:
    """How long metadata of a role are valid."""
    return LIFETIMES.get(role, LIFETIMES[TARGETS])


def expiry(role: str, now: datetime) -> datetime:
    """When metadata end that are made now, to the second."""
    return (now + lifetime(role)).astimezone(UTC).replace(microsecond=0)


def target(path: str, digest: str, length: int, note: Mapping[str, Any]) -> TargetFile:
    """One target, with what is said of it."""
    hashes = {"sha256": digest.removeprefix("sha256:")}
    return TargetFile(length, hashes, path, {"custom": dict(note)})


def make_root(
    version: int,
    now: datetime,
    root_keys: Sequence[Key],
    online: Mapping[str, Key],
    gate_key: str | None = None,
    release_keys: Mapping[str, NamedKey] | None = None,
) -> Root:
    """Who may sign what; `online` has a key for each role of `ONLINE`.

    Robots are told `gate_key`, and `release_keys` for skills whose organisation has lost its own.
    """
    keys = {key.keyid: key for key in (*root_keys, *online.values())}
    roles = {role: Role([key.keyid], 1) for role, key in online.items()}
    roles[ROOT] = Role([key.keyid for key in root_keys], THRESHOLD)
    more: dict[str, Any] = {GATE_KEY_FIELD: gate_key} if gate_key else {}
    if release_keys:
        more[RELEASE_KEYS_FIELD] = {skill: named.model_dump() for skill, named in release_keys.items()}
    expires = expiry(ROOT, now)
    return Root(
        version, expires=expires, keys=keys, roles=roles, consistent_snapshot=True, unrecognized_fields=more
    )


def make_targets(
    version: int,
    now: datetime,
    targets: Iterable[TargetFile] = (),
    below: Mapping[str, tuple[Key, Sequence[str]]] | None = None,
) -> Targets:
    """What a role vouches for, and which roles stand under it, by which key and for which names.

    Of two for the same name the first counts.
    """
    found = Targets(version, expires=expiry(TARGETS, now), targets={each.path: each for each in targets})
    roles = {
        name: DelegatedRole(name, [key.keyid], 1, terminating=True, paths=[*paths])
        for name, (key, paths) in (below or {}).items()
        if paths
    }
    if below and roles:
        keys = {key.keyid: key for name, (key, _) in below.items() if name in roles}
        found.delegations = Delegations(keys, roles)
    return found


def make_snapshot(version: int, now: datetime, files: Mapping[str, MetaFile]) -> Snapshot:
    """Which metadata belong together, by role."""
    meta = {f"{role}.json": file for role, file in files.items()}
    return Snapshot(version, expires=expiry(SNAPSHOT, now), meta=meta)


def make_timestamp(version: int, now: datetime, snapshot: MetaFile) -> Timestamp:
    """Which snapshot is the newest."""
    return Timestamp(version, expires=expiry(TIMESTAMP, now), snapshot_meta=snapshot)


def meta_of(version: int, body: bytes) -> MetaFile:
    """How one file is named in another."""
    return MetaFile(version, len(body), {"sha256": hashlib.sha256(body).hexdigest()})


def sign(signed: Signed, *signers: Signer) -> bytes:
    """The file."""
    metadata: Metadata[Any] = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes(COMPACT)


def with_signature(body: bytes, signer: Signer) -> bytes:
    """The same file, signed by one more."""
    metadata: Metadata[Root] = Metadata.from_bytes(body)
    metadata.sign(signer, append=True)
    return metadata.to_bytes(COMPACT)
