"""A guild's signed metadata in memory, with its keys: what a hub serves, and what a thief could."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import TargetFile

from hub.tuf.keys import online_signers, public_keys
from hub.tuf.metadata import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    make_root,
    make_snapshot,
    make_targets,
    make_timestamp,
    meta_of,
    sign,
    target,
)
from skills.container import digest_of
from skills.messages.skills import VersionView
from skills.signing import SigningKey
from skills.targets import (
    Pointer,
    VersionNote,
    channel_target,
    manifest_digest,
    skill_pattern,
    skill_target,
    token_with_root,
)

__all__ = ["TOKEN", "SignedGuild", "online_of", "root_of"]

ROLE = "ours"
BORN = datetime(2026, 3, 1, tzinfo=UTC)


def online_of(seed: int) -> dict[str, Signer]:
    """The daily keys of a hub, the same for the same seed: so a robot in any process knows the first root."""
    return online_signers(SigningKey(_key(seed)))


def root_of(seed: int) -> list[Signer]:
    return [CryptoSigner(_key(seed + number)) for number in range(3)]


def _key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def _target_of(version: VersionView) -> TargetFile:
    note = VersionNote(manifest=manifest_digest(version.manifest)).model_dump(mode="json")
    return target(skill_target(version.skill, version.version), version.digest, version.size, note)


@dataclass
class SignedGuild:
    """Files by name as they would be served; `age` makes all that is signed from now on so much older."""

    online: dict[str, Signer] = field(default_factory=lambda: online_of(1))
    root_keys: list[Signer] = field(default_factory=lambda: root_of(10))
    files: dict[str, bytes] = field(default_factory=dict)
    counter: int = 0
    number: int = 0
    roots: int = 0
    age: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self.rotate(self.online)

    @property
    def token(self) -> str:
        return token_with_root("one-time-token-of-enough-length", digest_of(self.root))

    @property
    def root(self) -> bytes:
        return self.files[f"{self.roots}.{ROOT}.json"]

    @property
    def tag(self) -> str:
        return f'"{self.roots}-{digest_of(self.files["timestamp.json"])}"'

    def rotate(self, online: dict[str, Signer]) -> None:
        """A new root, by two of its three keys, that names these keys."""
        self.roots += 1
        self.online = online
        keys = [signer.public_key for signer in self.root_keys]
        made = make_root(self.roots, BORN, keys, public_keys(online))
        self.files[f"{self.roots}.{ROOT}.json"] = sign(made, *self.root_keys[:2])

    def publish(
        self,
        versions: Mapping[int, VersionView],
        stable: int,
        *,
        counter: int = 0,
        lowest: int = 1,
        kept: dict[str, int] | None = None,
        signers: dict[str, Signer] | None = None,
    ) -> None:
        """Sign what there is, as the next state; `signers` may be a thief's."""
        self.number += 1
        self.counter = counter or self.counter + 1
        signers, now = signers or self.online, self._now
        names = {view.skill for view in versions.values()}
        targets = [_target_of(view) for view in versions.values()]
        if stable:
            note = Pointer(version=stable, counter=self.counter, lowest=lowest, kept=kept or {})
            path = channel_target(versions[stable].skill, "stable")
            targets.append(target(path, digest_of(b""), 0, note.model_dump(mode="json")))
        key = signers[TARGETS].public_key
        patterns = {ROLE: [skill_pattern(name) for name in names]}
        ours = sign(make_targets(self.number, now, targets), signers[TARGETS])
        top = sign(make_targets(self.number, now, (), patterns, key), signers[TARGETS])
        metas = {role: meta_of(self.number, body) for role, body in ((ROLE, ours), (TARGETS, top))}
        snapshot = sign(make_snapshot(self.number, now, metas), signers[SNAPSHOT])
        newest = meta_of(self.number, snapshot)
        timestamp = sign(make_timestamp(self.number, now, newest), signers[TIMESTAMP])
        for role, body in ((ROLE, ours), (TARGETS, top), (SNAPSHOT, snapshot)):
            self.files[f"{self.number}.{role}.json"] = body
        self.files["timestamp.json"] = timestamp

    @property
    def _now(self) -> datetime:
        return datetime.now(UTC) - self.age


TOKEN = SignedGuild().token
"""Enrols a robot at a guild of the first root."""
