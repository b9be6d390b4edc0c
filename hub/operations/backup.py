"""Make a backup of a hub, running or not, from its settings alone: database, store, perhaps its key.

The rows are of one moment. Blobs never change, and are in the store before the row that names them, so they
are copied afterwards. What was lost in the store is listed and does not stop the rest. Blobs of a region go
into the file only where the region is named: a file is another place. It is described in
`hub.operations.archive`.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from sqlalchemy import select

from hub.operations.archive import (
    GATE_KEY,
    KEY,
    MANIFEST,
    SIGNATURE,
    BackupError,
    BackupManifest,
    Member,
    backup_statement,
    blob_path,
    line_of,
    table_path,
    tables,
)
from hub.settings import Settings
from hub.storage.blobs import blobs_of
from hub.storage.database import Database, existing_database
from hub.storage.objects import StoreError
from hub.storage.regions import HOME, Stores, connect_stores
from skills.errors import NotFoundError
from skills.signing import SigningKey

__all__ = ["Progress", "back_up"]

Progress = Callable[[int, int], None]
"""Blobs done, blobs in all."""

PAGE = 500
LARGEST_BLOB = 2**40
LOST = "damaged_blob"


def back_up(
    settings: Settings,
    target: Path,
    now: datetime,
    *,
    with_key: bool = False,
    regions: Collection[str] = (),
    progress: Progress,
) -> tuple[Path, BackupManifest]:
    """Write a backup; the file is there whole, or not at all, and only its owner may read it.

    Args:
        settings: Of the hub.
        target: A `.tar` that is not there yet, or a folder, in which it gets a name with the time.
        now: The time.
        with_key: Whether the hub's signing key goes in. Whoever has it can publish skills in the hub's name.
        regions: Whose blobs go in beside those that are pinned nowhere; those of others are left out.
        progress: Told of each blob.

    Raises:
        NotFoundError: There is no hub, no key, or no such region to back up.
        BackupError: The target cannot be written, or the database is of another version of Zunft.
        SettingsError, StoreError: Database or store do not answer.
    """
    path = _free_path(target, now)
    with ExitStack() as stack:
        database = stack.enter_context(existing_database(settings.database, migrate=False))
        revision = _revision(database)
        key = settings.key_path
        if with_key and not key.exists():
            raise NotFoundError(
                "the hub's folder holds no key.", where=str(key), remedy="Name its --data-dir."
            )
        stores = connect_stores(settings)
        _check_regions(stores, regions)
        archive = stack.enter_context(_new_archive(path))
        rows, blobs = _add_rows(archive, database)
        wanted = [(region, digest) for region, digest in blobs if region in {HOME, *regions}]
        missing = _add_blobs(archive, stores, wanted, path.parent, progress)
        if with_key:
            archive.add_bytes(KEY, key.read_bytes())
            if settings.gate_key_path.exists():
                archive.add_bytes(GATE_KEY, settings.gate_key_path.read_bytes())
        signer = SigningKey.load_or_create(key) if key.exists() else None
        manifest = BackupManifest(
            made_at=now,
            zunft=version("zunft"),
            schema_revision=revision,
            hub_key=signer.public.text if signer else "",
            rows=rows,
            members=archive.members,
            missing=tuple(missing),
            left_out=Counter(region for region, _ in blobs if region not in {HOME, *regions}),
        )
        said = manifest.model_dump_json(indent=1).encode()
        archive.add_bytes(MANIFEST, said)
        if signer:
            archive.add_bytes(SIGNATURE, signer.sign(backup_statement(said)).encode())
    return path, manifest


def _free_path(target: Path, now: datetime) -> Path:
    path = target / f"zunft-{now:%Y%m%dT%H%M%SZ}.tar" if target.is_dir() else target
    if path.suffix != ".tar" or path.exists() or not path.parent.is_dir():
        raise BackupError(
            "this is neither a folder nor a new .tar file in one.",
            where=str(path),
            remedy="Name a folder that exists, or FILE.tar that does not.",
        )
    return path


def _check_regions(stores: Stores, regions: Collection[str]) -> None:
    for region in regions:
        if region not in stores.regions:
            raise NotFoundError(
                f"this hub has no region {region!r}.", where="regions", remedy="Name one of ZUNFT_REGIONS."
            )


def _revision(database: Database) -> str:
    found, ours = database.schema()
    if not found:
        raise NotFoundError("the database holds no hub.", where="database_url", remedy="Check the settings.")
    if found != ours:
        raise BackupError(
            f"the database has schema {found}, this program {ours}.",
            where="database_url",
            remedy="Back up with the version of Zunft that runs this hub.",
        )
    return found


@dataclass
class _Archive:
    """A tar being written, and what is in it so far."""

    tar: tarfile.TarFile
    members: dict[str, Member] = field(default_factory=dict)

    def add(self, path: str, file: IO[bytes]) -> None:
        """A file from its start to its end."""
        info = tarfile.TarInfo(path)
        info.size, info.mode = file.seek(0, os.SEEK_END), 0o600
        file.seek(0)
        source = _Hashed(file)
        self.tar.addfile(info, source)  # type: ignore[arg-type]  # all it needs is `read`
        self.members[path] = Member(size=info.size, sha256=source.sha256.hexdigest())

    def add_bytes(self, path: str, data: bytes) -> None:
        """A small member."""
        self.add(path, io.BytesIO(data))


class _Hashed:
    """Hashes what is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


@contextmanager
def _new_archive(path: Path) -> Iterator[_Archive]:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield _Archive(tar)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except OSError as error:
        raise BackupError(
            f"the backup cannot be written: {error.strerror or error}.",
            where=str(path),
            remedy="Check rights and free space; nothing was left behind.",
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _add_rows(archive: _Archive, database: Database) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """All tables, of one moment; the number of rows of each, and region and digest of the blobs they name."""
    rows: dict[str, int] = {}
    with database.read() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for table in tables():
            with tempfile.TemporaryFile() as file:
                ordered = select(table).order_by(*table.primary_key.columns)
                found = session.execute(ordered.execution_options(yield_per=PAGE)).mappings()
                rows[table.name] = sum(1 for row in found if file.write(line_of(dict(row))))
                archive.add(table_path(table.name), file)
        return rows, blobs_of(session)


def _add_blobs(
    archive: _Archive, stores: Stores, blobs: list[tuple[str, str]], folder: Path, progress: Progress
) -> list[str]:
    missing = []
    for done, (region, digest) in enumerate(blobs):
        progress(done, len(blobs))
        try:
            with stores.of(region).open(digest, folder, LARGEST_BLOB) as file:
                archive.add(blob_path(digest, region), file)
        except NotFoundError:
            missing.append(digest)
        except StoreError as error:
            if error.code != LOST:
                raise
            missing.append(digest)
    progress(len(blobs), len(blobs))
    return missing
