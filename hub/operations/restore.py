"""Restore a backup into an empty hub: any database, any store, whatever the backup was made from.

Its signature and then the whole file are checked before anything is written. Then come blobs, the key, and
all rows in one transaction: if that breaks off, the hub is still empty and the command can be repeated. The
file is described in `hub.operations.archive`.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError
from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.orm import Session

from hub.operations.archive import (
    GATE_KEY,
    KEY,
    MANIFEST,
    SIGNATURE,
    BackupError,
    BackupManifest,
    Member,
    backup_statement,
    row_of,
    table_path,
    tables,
)
from hub.operations.backup import Progress
from hub.settings import SPOOL_FOLDER, Settings
from hub.storage.blobs import blobs_of
from hub.storage.database import Database, SettingsError, open_database
from hub.storage.objects.contract import PIECE
from hub.storage.regions import HOME, Stores, connect_stores
from hub.storage.spool import Spool
from hub.storage.tables.tuf import MetadataRoleRow
from skills.errors import ConflictError, SignatureError
from skills.files import write_atomically
from skills.messages.organisations import REGION
from skills.signing import SigningKey, VerifyKey

__all__ = ["Restored", "restore"]

BATCH = 500
LARGEST_MANIFEST = 2**30
LARGEST_SIGNATURE = 1000
BLOB = re.compile(
    rf"(?:blobs|regions/(?P<region>{REGION}))/sha256/(?P<head>[0-9a-f]{{2}})/(?P<tail>[0-9a-f]{{62}})"
)
"""Where a blob lies in the tar, see `hub.operations.archive`."""


@dataclass(frozen=True)
class Restored:
    """What came back.

    Attributes:
        manifest: Of the backup.
        has_key: Whether this hub now signs with the key that the robots know.
        absent: By region, how many of the blobs that the backup left out are not in the region's store.
    """

    manifest: BackupManifest
    has_key: bool
    absent: dict[str, int]


def restore(settings: Settings, path: Path, *, hub_key: str | None = "", progress: Progress) -> Restored:
    """Fill an empty hub from a backup.

    Args:
        settings: Of the hub to fill; it must not be running.
        path: The backup.
        hub_key: Public key of the hub that made it; empty: that of the key in the folder to fill; None:
            whoever made it is believed.
        progress: Told of each blob.

    Raises:
        BackupError: Not a backup, not that hub's, damaged, or of another version. Nothing was written.
        ConflictError: The hub has data, or another key. Nothing was written.
        SettingsError, StoreError: Database or store cannot be used; repeat the command later.
    """
    with _opened(path) as archive:
        if hub_key is not None:
            _check_signature(archive, hub_key or _own_key(settings.key_path))
        manifest = _checked(archive)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with open_database(settings.database) as database:
            database.migrate()
            _check_version(database, manifest)
            _check_empty(database)
            has_key = _check_key(settings.key_path, manifest)
            stores = connect_stores(settings)
            _check_regions(stores, manifest)
            stores.check()
            spool = Spool(stores.of(HOME), settings.data_dir / SPOOL_FOLDER)
            _put_blobs(archive, stores, spool, manifest, progress)
            if KEY in manifest.members:
                write_atomically(settings.key_path, archive.file(KEY).read(), mode=0o600)
            if GATE_KEY in manifest.members:
                write_atomically(settings.gate_key_path, archive.file(GATE_KEY).read(), mode=0o600)
            _insert_rows(archive, database, manifest)
            absent = _absent(database, stores, manifest)
    return Restored(manifest, has_key, absent)


@dataclass(frozen=True)
class _Archive:
    """A tar being read."""

    tar: tarfile.TarFile
    infos: dict[str, tarfile.TarInfo]

    def file(self, name: str) -> IO[bytes]:
        """A member at its start."""
        info = self.infos.get(name)
        file = self.tar.extractfile(info) if info is not None and info.isreg() else None
        if file is None:
            raise _damaged("it lacks a file", name)
        return file


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    try:
        with tarfile.open(path, "r:") as tar:
            members = tar.getmembers()
            yield _Archive(tar, {member.name: member for member in members})
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(f"it is no whole tar ({error})", path) from error
    except OSError as error:
        raise BackupError(
            f"restoring failed: {error.strerror or error}.",
            where=str(error.filename or path),
            remedy="Check path, rights and free space, and repeat the command.",
        ) from error


def _checked(archive: _Archive) -> BackupManifest:
    """The manifest, once every member was read and held to it."""
    manifest = _manifest(archive)
    names = {table_path(table) for table in manifest.rows}
    found = set(archive.infos) - {MANIFEST, SIGNATURE}
    if found != set(manifest.members) or not names <= found:
        odd = (found ^ set(manifest.members)) | (names - found)
        raise _damaged("members and manifest differ", ", ".join(sorted(odd)[:3]))
    for name, member in manifest.members.items():
        if _measure(archive.file(name)) != member:
            raise _damaged("a member is not what the manifest says", name)
        blob = BLOB.fullmatch(name)
        is_blob = blob is not None and member.sha256 == _digest_of(blob)
        if not (is_blob or name in {KEY, GATE_KEY} or name in names):
            raise _damaged("a member has a name that is not its own", name)
    return manifest


def _own_key(path: Path) -> str:
    if not path.exists():
        raise BackupError(
            "nobody said whose backup this is to be.",
            where="hub_key",
            remedy="Give --hub-key as `zunft hub backup` printed it, or put hub-key.pem into the folder.",
        )
    return SigningKey.load_or_create(path).public.text


def _check_signature(archive: _Archive, hub_key: str) -> None:
    if SIGNATURE not in archive.infos:
        raise BackupError(
            "the backup is not signed.",
            where=SIGNATURE,
            remedy="Take another; one of an older Zunft, which you trust, is restored with --unverified.",
        )
    signature = archive.file(SIGNATURE).read(LARGEST_SIGNATURE).decode("ascii", "replace")
    try:
        VerifyKey(hub_key).verify(signature, backup_statement(archive.file(MANIFEST).read(LARGEST_MANIFEST)))
    except SignatureError as error:
        raise BackupError(
            f"the backup is not of the hub with the key {hub_key}: {error.message}",
            where=SIGNATURE,
            remedy="Take another; nothing was written.",
            code="bad_signature",
        ) from error


def _manifest(archive: _Archive) -> BackupManifest:
    data = archive.file(MANIFEST).read(LARGEST_MANIFEST)
    try:
        return BackupManifest.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(f"its manifest is not readable ({error.error_count()} errors)", MANIFEST) from error


def _measure(file: IO[bytes]) -> Member:
    size, found = 0, hashlib.sha256()
    while piece := file.read(PIECE):
        size += len(piece)
        found.update(piece)
    return Member(size=size, sha256=found.hexdigest())


def _digest_of(blob: re.Match[str]) -> str:
    return blob["head"] + blob["tail"]


def _blobs(manifest: BackupManifest) -> list[re.Match[str]]:
    return [blob for name in manifest.members if (blob := BLOB.fullmatch(name))]


def _damaged(what: str, where: str | Path) -> BackupError:
    return BackupError(
        f"this is not a sound backup: {what}.", where=str(where), remedy="Take another; nothing was written."
    )


def _check_version(database: Database, manifest: BackupManifest) -> None:
    _, ours = database.schema()
    if manifest.schema_revision != ours or set(manifest.rows) != {table.name for table in tables()}:
        raise BackupError(
            f"the backup has schema {manifest.schema_revision}, this program {ours}.",
            where=MANIFEST,
            remedy=f"Restore with Zunft {manifest.zunft}, then upgrade.",
        )


def _check_empty(database: Database) -> None:
    with database.read() as session:
        for table in tables():
            if session.scalar(select(func.count()).select_from(table)):
                raise ConflictError(
                    f"this hub has data: its table {table.name} is not empty.",
                    where="database_url",
                    remedy="Restore into a new database and folder, before the hub's first start.",
                )


def _check_key(path: Path, manifest: BackupManifest) -> bool:
    if not path.exists():
        return KEY in manifest.members
    if SigningKey.load_or_create(path).public.text != manifest.hub_key:
        raise ConflictError(
            "this folder holds another hub's key.",
            where=str(path),
            remedy="Use a new folder, or move it away.",
        )
    return True


def _check_regions(stores: Stores, manifest: BackupManifest) -> None:
    named = {blob["region"] for blob in _blobs(manifest)} - {None} | manifest.left_out.keys()
    for region in sorted(named - {*stores.regions}):
        raise SettingsError(
            f"the backup knows a region {region}, for which this hub has no store.",
            where="regions",
            remedy="Name the region in ZUNFT_REGIONS; nothing was written.",
        )


def _put_blobs(
    archive: _Archive, stores: Stores, spool: Spool, manifest: BackupManifest, progress: Progress
) -> None:
    blobs = _blobs(manifest)
    for done, blob in enumerate(blobs):
        progress(done, len(blobs))
        with spool.file() as file:
            member = archive.file(blob[0])
            while piece := member.read(PIECE):
                file.write(piece)
            stores.of(blob["region"] or HOME).put_file(f"sha256:{_digest_of(blob)}", file.path)
    progress(len(blobs), len(blobs))


def _insert_rows(archive: _Archive, database: Database, manifest: BackupManifest) -> None:
    with database.write() as session:
        for table in tables():
            count = 0
            for batch in _batches(archive.file(table_path(table.name))):
                session.execute(insert(table), [row_of(line, table) for line in batch])
                count += len(batch)
            if count != manifest.rows[table.name]:
                raise _damaged(f"it has {count} rows of {table.name}", MANIFEST)
            _go_on_counting(session, table)
        session.execute(update(MetadataRoleRow).values(changed=True))  # robots have seen newer than these


def _absent(database: Database, stores: Stores, manifest: BackupManifest) -> dict[str, int]:
    with database.read() as session:
        blobs = [blob for blob in blobs_of(session) if blob[0] in manifest.left_out]
    return Counter(region for region, digest in blobs if not stores.of(region).exists(digest))


def _batches(file: IO[bytes]) -> Iterator[list[bytes]]:
    batch = []
    for line in file:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _go_on_counting(session: Session, table: Table) -> None:
    """PostgreSQL numbers rows by a sequence, which does not see numbers that were given."""
    column = table.autoincrement_column
    if column is None or session.get_bind().dialect.name != "postgresql":
        return
    last = session.scalar(select(func.max(column)))
    if last is not None:
        names = {"table": table.name, "column": column.name, "last": last}
        session.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"), names)
