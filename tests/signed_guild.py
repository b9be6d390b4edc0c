"""A guild's signed metadata in memory, with its keys: what a hub serves, and what a thief could."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key, Signer
from tuf.api.metadata import Metadata, TargetFile

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
from skills.release_keys import release_role
from skills.signing import SigningKey
from skills.targets import (
    NamedKey,
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
    """Files by name as they would be served; `age` makes all that is signed from now on so much older.

    `own` is what an organisation's own key signed of the stable channel, and `own_key` to whom the hub says
    that role belongs; without that one the role is in the snapshot alone.
    """

    online: dict[str, Signer] = field(default_factory=lambda: online_of(1))
    root_keys: list[Signer] = field(default_factory=lambda: root_of(10))
    files: dict[str, bytes] = field(default_factory=dict)
    counter: int = 0
    number: int = 0
    roots: int = 0
    age: timedelta = timedelta(0)
    own: bytes = b""
    own_key: Key | None = None

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

    def rotate(self, online: dict[str, Signer], named: Mapping[str, NamedKey] | None = None) -> None:
        """A new root, by two of its three keys, that names these keys."""
        self.roots += 1
        self.online = online
        keys = [signer.public_key for signer in self.root_keys]
        made = make_root(self.roots, BORN, keys, public_keys(online), None, named)
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
        hub_moves: bool = False,
        more: Sequence[TargetFile] = (),
    ) -> None:
        """Sign what there is, as the next state; `signers` may be a thief's.

        `hub_moves`: the hub's keys move the stable channel, also where that is an organisation's own to do;
        `more`: rings, or tasks.
        """
        self.number += 1
        self.counter = counter or self.counter + 1
        signers, now = signers or self.online, self._now
        names = {view.skill for view in versions.values()}
        targets = [*(_target_of(view) for view in versions.values()), *more]
        if stable and (hub_moves or not self.own):
            note = Pointer(version=stable, counter=self.counter, lowest=lowest, kept=kept or {})
            path = channel_target(versions[stable].skill, "stable")
            targets.append(target(path, digest_of(b""), 0, note.model_dump(mode="json")))
        key = signers[TARGETS].public_key
        below = {ROLE: (key, [*(skill_pattern(name) for name in names), "task-*/*"])}
        metas = {}
        if self.own:
            role, number = release_role(versions[stable].skill), Metadata.from_bytes(self.own).signed.version
            self.files[f"{number}.{role}.json"], metas[role] = self.own, meta_of(number, self.own)
            own = {role: (self.own_key, [channel_target(versions[stable].skill, "stable")])}
            if self.own_key is not None:
                below = {**below, **own} if hub_moves else {**own, **below}
        ours = sign(make_targets(self.number, now, targets), signers[TARGETS])
        top = sign(make_targets(self.number, now, (), below), signers[TARGETS])
        metas |= {role: meta_of(self.number, body) for role, body in ((ROLE, ours), (TARGETS, top))}
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
