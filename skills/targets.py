"""What the guild's signed metadata speak of: versions, channels and tasks, as The Update Framework's targets.

Shared by the hub, which signs them, and by robots, which look them up. The name of a skill or task is in them
as a hash alone: who may sign for which name is read by everybody, also of names that not everybody sees.
Signing is `hub.tuf`'s, verifying `fleet.updater`'s.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field

from skills.container import digest_of
from skills.manifest import Digest, Manifest, Name

__all__ = [
    "GATE_KEY_FIELD",
    "ROLLOUT",
    "HandedOn",
    "NamedKey",
    "Pointer",
    "TaskNote",
    "VersionNote",
    "channel_target",
    "hidden_name",
    "manifest_digest",
    "skill_pattern",
    "skill_target",
    "task_pattern",
    "task_target",
    "token_with_root",
    "trusted_root",
]


GATE_KEY_FIELD = "x-zunft-gate-key"
"""Of a root: the public key whose word on what the gate found counts, as text."""
ROLLOUT = "rollout"
"""Under this name, beside the skill's channels, stands which rings a roll-out has: `skills.rings`."""


class _Note(BaseModel):
    """What a target says beside length and digest; what a later version adds is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class VersionNote(_Note):
    """Of a version: the digest of its manifest, so that nothing is fetched that does not fit."""

    manifest: Digest
    attestations: tuple[Digest, ...] = ()


class TaskNote(_Note):
    """Of a published task: the digest of the files in the archive."""

    bundle: Digest


class Pointer(_Note):
    """Of a channel: where it points.

    Attributes:
        version: Number of the version.
        counter: Rises with each move.
        lowest: No version below this is safe any more.
        kept: Embodiments on which that version failed, and the older one that their robots stay with.
        stopped: Versions whose roll-out was rolled back: who uses one goes to `version` without a trial.
        fixed: Digests of the versions that it names, by number, where an organisation's own key signed it:
            the hub's key then cannot say that another file is that version.
    """

    version: int = Field(ge=1)
    counter: int = Field(ge=0)
    lowest: int = Field(ge=1)
    kept: dict[Name, int] = Field(default_factory=dict, exclude_if=lambda it: not it)
    stopped: tuple[int, ...] = Field(default=(), exclude_if=lambda versions: not versions)
    fixed: dict[int, Digest] = Field(default_factory=dict, exclude_if=lambda it: not it)

    def on(self, embodiment: str) -> Pointer:
        """The same for robots of one embodiment."""
        return self.model_copy(update={"version": self.kept.get(embodiment, self.version)})


class HandedOn(_Note):
    """A key, and the signature of the one before it on that; the first has none."""

    key: str = Field(max_length=128)
    signature: str = Field(default="", max_length=128)


class NamedKey(_Note):
    """What a root says of a skill's key, to whoever has seen none since that one; empty: the hub's."""

    key: str = Field(max_length=128)
    since: int = Field(ge=1)


def skill_pattern(name: str) -> str:
    """Fits all targets of a skill."""
    return f"skill-{hidden_name(name)}/*"


def skill_target(name: str, number: int) -> str:
    """A version of a skill."""
    return f"skill-{hidden_name(name)}/v{number}"


def channel_target(name: str, channel: str) -> str:
    """A channel of a skill."""
    return f"skill-{hidden_name(name)}/{channel}"


def task_pattern(name: str) -> str:
    """Fits all targets of a task."""
    return f"task-{hidden_name(name)}/*"


def task_target(name: str, number: int) -> str:
    """A version of a task."""
    return f"task-{hidden_name(name)}/v{number}"


def manifest_digest(manifest: Manifest) -> Digest:
    """Of what a manifest says, as canonical JSON: sorted keys, no spaces, ASCII."""
    said = manifest.model_dump(mode="json")
    return digest_of(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())


def token_with_root(secret: str, root: Digest) -> str:
    """A one-time token that says, too, which root of trust whoever uses it shall believe."""
    return f"{secret}.{root.removeprefix('sha256:')}"


def trusted_root(token: str) -> Digest | None:
    """The root that a one-time token names; None of one that was made before there were any."""
    digest = token.rpartition(".")[2]
    is_digest = "." in token and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    return f"sha256:{digest}" if is_digest else None


def hidden_name(name: str) -> str:
    """How a skill or task is named in what everybody reads."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
