"""Roots of trust: the first, which a new hub makes, and those that follow, signed by two of three root keys.

A new hub makes the root's keys itself, in files of their own: they are worth something once they have been
moved to where a thief of the hub is not. `zunft keys` is this with options.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Key, Signer
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from hub.settings import Settings
from hub.storage.database import Database, SettingsError
from hub.storage.record import HUB, note, take_turn
from hub.storage.tables.events import HubRow
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.tuf import MetadataRoleRow, MetadataRow
from hub.tuf.contents import mark
from hub.tuf.keys import ROOT_KEYS, make_root_keys, online_signers, public_keys, root_signers
from hub.tuf.metadata import ONLINE, ROOT, THRESHOLD, make_root, sign, with_signature
from hub.tuf.own_keys import follow_root
from hub.tuf.repository import newest_root
from skills.container import digest_of
from skills.errors import ArtefactError, ConflictError
from skills.release_keys import named_keys
from skills.signing import SigningKey, VerifyKey, root_statement
from skills.targets import GATE_KEY_FIELD, NamedKey, hidden_name

__all__ = ["add_signature", "begin", "ensure_root", "install", "next_root", "read_root", "signatures_missing"]


def ensure_root(settings: Settings, database: Database, key: SigningKey, now: datetime) -> None:
    """A hub that has no root makes one; one whose own key is new names it, where the root's keys are here.

    Raises:
        SettingsError: They are not, so that this hub could sign nothing.
    """
    folder = settings.data_dir / ROOT_KEYS
    with database.write() as session:
        take_turn(session)
        if session.get(MetadataRow, (ROOT, 1)) is None:
            begin(session, key, folder, now)
            return
        if _names(_root(newest_root(session).body.encode()), key, session.get_one(HubRow, 1).gate_key):
            return
        body = next_root(session, key, now)
        for signer in root_signers(folder):
            body = add_signature(body, signer)
        if signatures_missing(session, body):
            raise SettingsError(
                "the guild's root of trust names other keys than this hub's or its gate's, so no robot would "
                "believe it.",
                where=str(settings.key_path),
                remedy="Have the root name these: zunft keys rotate --root-keys DIR, with two of its keys.",
            )
        install(session, body, now)


def begin(session: Session, key: SigningKey, folder: Path, now: datetime) -> None:
    """Make the first root, and its keys in a folder.

    Raises:
        ConflictError: The hub has a root, or the folder has keys.
    """
    if session.get(MetadataRow, (ROOT, 1)) is not None:
        raise ConflictError("the hub has a root.", remedy="Make the next one: zunft keys rotate.")
    signers = make_root_keys(folder)
    online = public_keys(online_signers(key))
    keys = [signer.public_key for signer in signers]
    body = sign(make_root(1, now, keys, online, session.get_one(HubRow, 1).gate_key), *signers)
    session.add_all(MetadataRoleRow(role=role) for role in ONLINE)
    session.get_one(HubRow, 1).root_signature = key.sign(root_statement(digest_of(body)))
    _keep(session, 1, body, now)


def next_root(
    session: Session,
    key: SigningKey,
    now: datetime,
    root_keys: list[Signer] | None = None,
    release_keys: Mapping[str, str] | None = None,
) -> bytes:
    """The root that would follow, with this hub's and gate's keys, unsigned.

    Perhaps it has other root keys, and names keys by skill in place of those that organisations have lost.
    """
    known = _root(newest_root(session).body.encode())
    keys: list[Key] = [known.keys[each] for each in known.roles[ROOT].keyids]
    if root_keys:
        keys = [signer.public_key for signer in root_keys]
    online, gate_key = public_keys(online_signers(key)), session.get_one(HubRow, 1).gate_key
    version, named = known.version + 1, named_keys(known.unrecognized_fields)
    for skill, text in (release_keys or {}).items():
        named[hidden_name(skill)] = NamedKey(
            key=VerifyKey(text).canonical().text if text else "", since=version
        )
    return sign(make_root(version, now, keys, online, gate_key, named))


def add_signature(body: bytes, signer: Signer) -> bytes:
    """The same root, signed by one more."""
    return with_signature(body, signer)


def signatures_missing(session: Session, body: bytes) -> int:
    """How many keys of the root that holds, and of the next one, have still to sign; the larger of both.

    Raises:
        ArtefactError: It is no root.
    """
    metadata, known = _metadata(body), _root(newest_root(session).body.encode())
    found = [
        root.get_verification_result(ROOT, metadata.signed_bytes, metadata.signatures)
        for root in (known, metadata.signed)
    ]
    return max(max(0, THRESHOLD - len(each.signed)) for each in found)


def install(session: Session, body: bytes, now: datetime) -> Root:
    """Have the next root hold: everything is signed anew by the keys that it names.

    Raises:
        ArtefactError: It is no root.
        ConflictError: It is not the next one, or too few have signed it.
    """
    take_turn(session)
    root, known = _metadata(body).signed, newest_root(session)
    if root.version != known.version + 1:
        raise ConflictError(
            f"this is root {root.version}, and the hub has {known.version}.",
            remedy=f"Make root {known.version + 1}: zunft keys rotate.",
        )
    missing = signatures_missing(session, body)
    if missing:
        raise ConflictError(
            f"{missing} more of the root's keys have to sign this.",
            remedy="Use zunft keys sign FILE --key PEM.",
        )
    follow_root(session, named_keys(root.unrecognized_fields), root.version, now)
    _keep(session, root.version, body, now)
    return root


def read_root(session: Session) -> tuple[Root, str]:
    """The root that holds, and its digest."""
    row = newest_root(session)
    return _root(row.body.encode()), row.digest


def _keep(session: Session, version: int, body: bytes, now: datetime) -> None:
    session.add(MetadataRow(role=ROOT, version=version, body=body.decode(), digest=digest_of(body)))
    session.flush()
    for organisation in session.scalars(select(OrganisationRow.name)).all():
        mark(session, organisation)
    session.execute(update(MetadataRoleRow).where(MetadataRoleRow.skill == "").values(changed=True))
    note(session, "root.made", now, by=HUB, subject=f"root {version}", digest=digest_of(body))


def _names(root: Root, key: SigningKey, gate_key: str | None) -> bool:
    """Whether a root names this hub's keys; of one that names no gate's, robots have pinned that."""
    online = public_keys(online_signers(key))
    return root.unrecognized_fields.get(GATE_KEY_FIELD, gate_key) == gate_key and all(
        each.keyid in root.roles[role].keyids for role, each in online.items()
    )


def _root(body: bytes) -> Root:
    return _metadata(body).signed


def _metadata(body: bytes) -> Metadata[Root]:
    try:
        found: Metadata[Root] = Metadata.from_bytes(body)
    except RepositoryError as error:
        raise ArtefactError(
            f"this is no metadata: {error}.", remedy="Use what zunft keys rotate wrote."
        ) from error
    if not isinstance(found.signed, Root):
        raise ArtefactError("this is no root.", remedy="Use what zunft keys rotate wrote.")
    return found
