"""Releases that an organisation's own key signs: where a skill's stable channel points, and nothing else.

Pure, and the same for whoever signs (`zunft skill release --key`), for the hub that hands it out and cannot
make it, and for robots, which remember the key. It is a delegated role of The Update Framework, one a skill.
Keys follow each other in the role itself, each signed by the one before; a lost one is replaced by the root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import TypeAdapter, ValidationError
from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Targets
from tuf.api.serialization.json import JSONSerializer

from skills.container import digest_of
from skills.errors import ArtefactError, SignatureError
from skills.manifest import Name
from skills.signing import SigningKey, VerifyKey
from skills.targets import HandedOn, NamedKey, Pointer, channel_target, hidden_name

__all__ = [
    "RELEASE_KEYS_FIELD",
    "SignedRelease",
    "leads",
    "named_keys",
    "read_release",
    "release_role",
    "sign_release",
    "tuf_key",
]

HANDED_ON_FIELD = "x-zunft-keys"
"""Of a release: keys since the first, as `HandedOn`."""
RELEASE_KEYS_FIELD = "x-zunft-release-keys"
"""Of a root: keys that it names in place of lost or stolen ones, by the skill's hidden name."""
LIFETIME = timedelta(days=365)
"""After that robots take nothing new until somebody with the key releases again."""
MOST_KEYS = 64
COMPACT = JSONSerializer(compact=True)


@dataclass(frozen=True)
class SignedRelease:
    """A release whose signature was verified, by the last of its keys.

    Attributes:
        pointer: Where the stable channel points, with the digests of the versions that it names.
        version: Of the metadata: rises with each.
        expires: When robots stop to believe it.
        keys: Since the first.
    """

    pointer: Pointer
    version: int
    expires: datetime
    keys: tuple[HandedOn, ...]

    @property
    def key(self) -> str:
        """The public key that signed it."""
        return self.keys[-1].key


def release_role(skill: Name) -> str:
    """Name of the role that holds a skill's stable pointer."""
    return f"release-{hidden_name(skill)}"


def sign_release(
    key: SigningKey,
    skill: Name,
    pointer: Pointer,
    *,
    version: int,
    now: datetime,
    before: Sequence[HandedOn] = (),
    old: SigningKey | None = None,
) -> bytes:
    """Sign where a skill's stable channel points from now on.

    Args:
        key: The organisation's.
        skill: Its name.
        pointer: With the digest of each version that it names.
        version: Of the metadata, higher than the last.
        now: The time.
        before: Keys of the last release.
        old: The last of these, where `key` follows on it.

    Raises:
        SignatureError: `key` signed nothing before, and `old` is not the key that did.
    """
    text, keys = key.public.text, [*before]
    if not keys:
        keys = [HandedOn(key=text)]
    elif keys[-1].key != text:
        if old is None or old.public.text != keys[-1].key:
            raise SignatureError(
                f"{skill} is released with another key, {keys[-1].key}.",
                where="key",
                remedy="Use that; to go over to a new one name the old one, too: --old-key FILE.",
            )
        keys.append(HandedOn(key=text, signature=old.sign(_statement(skill, text))))
    note = pointer.model_dump(mode="json")
    body = pointer.model_dump_json().encode()
    path = channel_target(skill, "stable")
    hashes = {"sha256": digest_of(body).removeprefix("sha256:")}
    said = Targets(
        version,
        expires=(now + LIFETIME).astimezone(UTC).replace(microsecond=0),
        targets={path: TargetFile(len(body), hashes, path, {"custom": note})},
        unrecognized_fields={HANDED_ON_FIELD: [each.model_dump(mode="json") for each in keys]},
    )
    metadata: Metadata[Targets] = Metadata(said)
    private: Any = load_pem_private_key(key.to_pem(), password=None)
    metadata.sign(CryptoSigner(private))
    return metadata.to_bytes(COMPACT)


def read_release(body: bytes, skill: Name) -> SignedRelease:
    """What a release says, once its signature holds; whether its key counts is `leads`'.

    Raises:
        ArtefactError: It is no release of this skill.
        SignatureError: Its key did not sign it.
    """
    try:
        metadata: Metadata[Targets] = Metadata.from_bytes(body)
        said = metadata.signed
        (target,) = said.targets.values()
        keys = TypeAdapter(tuple[HandedOn, ...]).validate_python(said.unrecognized_fields[HANDED_ON_FIELD])
        pointer = Pointer.model_validate(target.custom or {})
        named = {pointer.version, *pointer.kept.values()}
        if (
            not isinstance(said, Targets)
            or said.delegations is not None
            or target.path != channel_target(skill, "stable")
            or not 0 < len(keys) <= MOST_KEYS
            or not named <= set(pointer.fixed)
        ):
            raise ArtefactError(f"this is no release of {skill}.", where="signed")
    except (RepositoryError, ValidationError, ValueError, KeyError, AttributeError) as error:
        raise ArtefactError(f"this is no release of {skill}: {error}.", where="signed") from error
    key = tuf_key(VerifyKey(keys[-1].key))
    try:
        key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
    except Exception as error:  # whatever the library meets: it does not hold
        raise SignatureError(f"a release of {skill} is not signed by its key.", where="signed") from error
    return SignedRelease(pointer, said.version, said.expires, keys)


def leads(skill: Name, known: str, keys: Sequence[HandedOn]) -> bool:
    """Whether the last of these is the known key, or each since that one was signed by the one before."""
    places = [place for place, each in enumerate(keys) if each.key == known]
    if not places:
        return False
    try:
        for place in range(places[-1] + 1, len(keys)):
            statement = _statement(skill, keys[place].key)
            VerifyKey(keys[place - 1].key).verify(keys[place].signature, statement)
    except SignatureError:
        return False
    return True


def named_keys(fields: Mapping[str, Any]) -> dict[str, NamedKey]:
    """By hidden name of a skill: what a root says of its key.

    Raises:
        ArtefactError: It cannot be read.
    """
    try:
        return TypeAdapter(dict[str, NamedKey]).validate_python(fields.get(RELEASE_KEYS_FIELD, {}))
    except ValidationError as error:
        raise ArtefactError(
            f"what the root says of organisations' keys cannot be read ({error.error_count()} deviations).",
            where=RELEASE_KEYS_FIELD,
        ) from error


def tuf_key(key: VerifyKey) -> Key:
    """The same key as The Update Framework's metadata name it.

    Raises:
        SignatureError: It is no public key.
    """
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(key.raw()))


def _statement(skill: Name, key: str) -> bytes:
    return f"zunft.release-key/1\n{skill}\n{key}".encode()
