"""The guild's signed metadata: kept in the database, signed when somebody asks after a change, handed out.

A change marks its organisation's role in its own transaction (`hub.tuf.contents.mark`), and whoever asks next
for the timestamp, at whichever of the hub's processes, finds it signed: no move of a channel is seen without
its metadata, nor the reverse, and a hundred moves that nobody asked about are signed once. Versions are
seconds of the clock, or one more than the last: they rise also after an old backup was restored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from securesystemslib.signer import Signer
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from tuf.api.metadata import Metadata, MetaFile, Root, Signed

from hub.access.principal import Viewer
from hub.access.visibility import may_see
from hub.clock import Clock
from hub.storage.database import Database, SettingsError
from hub.storage.record import take_turn
from hub.storage.tables.events import HubRow
from hub.storage.tables.tuf import MetadataRoleRow, MetadataRow
from hub.tuf.contents import enter_file, next_counter, patterns_of, targets_of
from hub.tuf.keys import online_signers, public_keys
from hub.tuf.metadata import (
    ONLINE,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    lifetime,
    make_snapshot,
    make_targets,
    make_timestamp,
    meta_of,
    sign,
)
from hub.tuf.own_keys import own_roles
from skills.errors import NotFoundError
from skills.messages.robots import RootOfTrust
from skills.signing import SigningKey

__all__ = ["Repository", "SignedFile", "newest_root"]

FILE = re.compile(r"(?P<version>[0-9]{1,12})\.(?P<role>[a-z0-9-]{1,64})\.json", re.ASCII)
TIMESTAMP_FILE = f"{TIMESTAMP}.json"
PART = 2
"""Metadata are signed anew when this part of their time is over."""


@dataclass(frozen=True)
class SignedFile:
    """One file as it is sent; `tag` changes when a newer one is to be had."""

    body: str
    tag: str


class Repository:
    """Signs what has changed, and hands it out. Any of a hub's processes may."""

    def __init__(self, database: Database, key: SigningKey, clock: Clock) -> None:
        self._database = database
        self._signers = online_signers(key)
        self._clock = clock

    def file(self, name: str, viewer: Viewer) -> SignedFile:
        """`timestamp.json`, or `<version>.<role>.json`.

        Raises:
            NotFoundError: There is none, or the viewer does not see the organisation's own things.
        """
        if name == TIMESTAMP_FILE:
            return self._timestamp()
        match = FILE.fullmatch(name)
        with self._database.read() as session:
            row = session.get(MetadataRow, (match["role"], int(match["version"]))) if match else None
            role = session.get(MetadataRoleRow, match["role"]) if match else None
        hidden = role is not None and not (role.shown or may_see(viewer, role.organisation, "private"))
        if row is None or hidden:
            raise NotFoundError(f"there is no such metadata: {name[:80]!r}.", where="file")
        return SignedFile(row.body, row.digest)

    def root(self, digest: str) -> SignedFile:
        """The root with this digest, which is named in a robot's token.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as session:
            wanted = MetadataRow.role == ROOT, MetadataRow.digest == digest
            row = session.scalar(select(MetadataRow).where(*wanted))
        if row is None:
            raise NotFoundError(
                "there is no such root.", where="digest", remedy="Ask an operator for a new token."
            )
        return SignedFile(row.body, row.digest)

    def first_root(self) -> RootOfTrust:
        """The first root, signed by the key that robots pinned before there was one."""
        with self._database.read() as session:
            root = session.get_one(MetadataRow, (ROOT, 1))
            return RootOfTrust(root=root.body, signature=session.get_one(HubRow, 1).root_signature)

    def root_digest(self) -> str:
        """Of the newest root, for whoever joins."""
        with self._database.read() as session:
            return newest_root(session).digest

    def renew(self) -> None:
        """Sign what has changed or has less than half of its time left; nothing where there is nothing."""
        with self._database.read() as session:
            if not self._is_due(session):
                return
        with self._database.write() as session:
            take_turn(session)
            if self._is_due(session):
                _Signing(session, self._signers, self._clock()).all()

    def _timestamp(self) -> SignedFile:
        self.renew()
        with self._database.read() as session:
            version = session.get_one(MetadataRoleRow, TIMESTAMP).version
            row = session.get_one(MetadataRow, (TIMESTAMP, version))
            return SignedFile(row.body, f"{newest_root(session).version}-{row.digest}")

    def _is_due(self, session: Session) -> bool:
        due = or_(MetadataRoleRow.changed, MetadataRoleRow.due_at < self._clock())
        return session.scalar(select(MetadataRoleRow.role).where(due).limit(1)) is not None


def newest_root(session: Session) -> MetadataRow:
    """The root that holds now."""
    roots = select(MetadataRow).where(MetadataRow.role == ROOT)
    return session.scalars(roots.order_by(MetadataRow.version.desc()).limit(1)).one()


class _Signing:
    """One pass over all roles, in one transaction that has the turn."""

    def __init__(self, session: Session, signers: dict[str, Signer], now: datetime) -> None:
        self._session = session
        self._signers = signers
        self._now = now

    def all(self) -> None:
        """From below: organisations, targets, snapshot, timestamp.

        Raises:
            SettingsError: The root does not know this hub's keys.
        """
        self._check_keys()
        mine = MetadataRoleRow.role.not_in(ONLINE)
        below = self._session.scalars(
            select(MetadataRoleRow).where(mine).order_by(MetadataRoleRow.role)
        ).all()
        for row in below:
            if not row.skill and self._is_due(row):
                self._organisation(row)
        rows = {role: self._session.get_one(MetadataRoleRow, role) for role in ONLINE}
        if self._is_due(rows[TARGETS]):
            key = self._signers[TARGETS].public_key
            theirs = {role: (key, patterns) for role, patterns in patterns_of(self._session).items()}
            roles = {**own_roles(self._session), **theirs}
            self._keep(rows[TARGETS], TARGETS, lambda version: make_targets(version, self._now, (), roles))
        files = {row.role: self._meta(row) for row in (*below, rows[TARGETS]) if row.version}
        self._keep(rows[SNAPSHOT], SNAPSHOT, lambda version: make_snapshot(version, self._now, files))
        newest = self._meta(rows[SNAPSHOT])
        self._keep(rows[TIMESTAMP], TIMESTAMP, lambda version: make_timestamp(version, self._now, newest))

    def _organisation(self, row: MetadataRoleRow) -> None:
        targets = list(targets_of(self._session, row.organisation, shown=row.shown))
        self._keep(row, TARGETS, lambda version: make_targets(version, self._now, targets))

    def _is_due(self, row: MetadataRoleRow) -> bool:
        return row.changed or row.due_at is None or row.due_at < self._now

    def _keep(self, row: MetadataRoleRow, signer: str, make: Callable[[int], Signed]) -> None:
        version = next_counter(row.version, self._now)
        body = sign(make(version), self._signers[signer])
        row.changed, row.due_at = False, self._now + lifetime(row.role) / PART
        enter_file(self._session, row, version, body)

    def _meta(self, row: MetadataRoleRow) -> MetaFile:
        body = self._session.get_one(MetadataRow, (row.role, row.version)).body
        return meta_of(row.version, body.encode())

    def _check_keys(self) -> None:
        root = Metadata[Root].from_bytes(newest_root(self._session).body.encode()).signed
        for role, key in public_keys(self._signers).items():
            if key.keyid not in root.roles[role].keyids:
                raise SettingsError(
                    "the guild's root of trust names other keys than this hub's.",
                    where="hub-key.pem",
                    remedy="Have it name these: zunft keys rotate, with two of the root's keys.",
                )
