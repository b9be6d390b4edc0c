"""What an object store promises: immutable blobs, each named by the SHA-256 of its bytes.

    after put(d, b)  get(d) == b, also after a crash of the process or the machine
    put(d, b) twice  is put once; delete of what is not there is no error
    get and open never return bytes that do not have the digest asked for

Beside them lie parts of uploads, blobs that are not whole yet. Where all that lies is left to
`hub.storage.objects.files` and `hub.storage.objects.s3`; what it means, and when it may go, to the catalogue,
the engine and `hub.deltas.uploads`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from skills.container import digest_of
from skills.errors import ArtefactError, NotFoundError, ZunftError
from skills.skill import SIZE_LIMIT

__all__ = [
    "INCOMING",
    "PIECE",
    "ObjectStore",
    "Parts",
    "StoreError",
    "check_size",
    "damaged",
    "file_refusals",
    "missing",
    "missing_part",
    "part_path",
    "path_of",
    "probe",
    "upload_of",
    "verify_file",
    "verify_incoming",
    "verify_stored",
]

PIECE = 2**20
"""Bytes of a large blob that are held at a time."""

INCOMING = "incoming"
"""Where parts lie, beside the blobs."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class StoreError(ZunftError):
    """The object store cannot be used, did not answer, or holds damaged bytes."""

    code = "store_unavailable"
    status = 503


class Parts(Protocol):
    """Parts of uploads by number. Nobody has looked at them: they may be anything. Safe as `ObjectStore`."""

    def put(self, upload: str, number: int, file: Path) -> None:
        """Keep a local file, which nobody changes any more, as a part; it replaces one that is there.

        Raises:
            StoreError: The store failed; put it again.
        """

    def sizes(self, upload: str) -> dict[int, int]:
        """Bytes of each part that is there, by number."""

    def read(self, upload: str, number: int) -> Iterator[bytes]:
        """A part's bytes, piece by piece.

        Raises:
            NotFoundError: It is not there, or no longer.
        """

    def url(self, upload: str, number: int, seconds: float) -> str:
        """Where a part may be PUT past the hub by whoever has the address; empty: through the hub only."""

    def drop(self, upload: str) -> None:
        """Remove all parts of an upload, if there are any."""

    def sweep(self, before: datetime, alive: Collection[str]) -> None:
        """Remove what is older and belongs to no upload that is alive."""


class ObjectStore(Protocol):
    """Content-addressed blobs. Safe to call from many threads at once."""

    parts: Parts

    def put(self, digest: str, data: bytes) -> None:
        """Keep `data` under its digest, durably; nothing happens when it is there already.

        Raises:
            ArtefactError: `data` does not have this digest; nothing is kept.
            StoreError: The store failed; the blob may or may not be there, put it again.
        """

    def put_file(self, digest: str, file: Path) -> None:
        """Keep a local file, which nobody changes any more, under the digest that it was found to have.

        Raises:
            StoreError: As `put`.
        """

    def get(self, digest: str, limit: int | None = None) -> bytes:
        """The blob, verified. `limit` in bytes is checked before reading.

        Raises:
            NotFoundError: No such blob.
            StoreError: Larger than `limit`, damaged, or the store failed.
        """

    def open(self, digest: str, folder: Path, limit: int | None = None) -> BinaryIO:
        """The blob as a local file at its start, verified, to be mapped into memory; the caller closes it.

        Args:
            digest: Of the blob.
            folder: Where a store that is not local may lay down a file, which is gone once it is closed.
            limit: As for `get`.

        Raises:
            NotFoundError, StoreError: As `get`.
        """

    def read(self, digest: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to `stop` of the blob, piece by piece, not verified.

        Raises:
            NotFoundError, StoreError: With the first piece, or later where the store fails on the way.
        """

    def url(self, digest: str, seconds: float) -> str:
        """Where whoever has the address may GET the blob past the hub; empty: through the hub only."""

    def exists(self, digest: str) -> bool:
        """Whether `get` would find the blob."""

    def delete(self, digest: str) -> None:
        """Remove the blob; one that is not there is no error."""

    def check(self) -> None:
        """Write and remove a small blob.

        Raises:
            StoreError: The store cannot be used; the remedy says what to change.
        """


def path_of(digest: str) -> str:
    """Relative path of a blob, fanned out by two digits: `sha256/ab/cdef...`.

    Raises:
        ArtefactError: Not a digest; so no digest ever reaches outside the store's folder.
    """
    if not _DIGEST.fullmatch(digest):
        raise ArtefactError(
            f"{digest[:80]!r} is not a digest.", remedy="Use sha256: and 64 hex digits.", code="wrong_digest"
        )
    return f"sha256/{digest[7:9]}/{digest[9:]}"


def part_path(upload: str, number: int) -> str:
    """Relative path of a part."""
    return f"{INCOMING}/{upload}/{number}"


def upload_of(path: str) -> str:
    """Which upload a path below `INCOMING` belongs to."""
    return path.split("/")[1]


def verify_incoming(digest: str, data: bytes) -> None:
    """Hold a blob to its name before it is kept."""
    found = digest_of(data)
    if found != digest:
        raise ArtefactError(
            f"the blob's digest is {found}, not {digest}.", remedy="Send it again whole.", code="wrong_digest"
        )


def check_size(digest: str, size: int, limit: int | None) -> None:
    """Refuse a stored blob that is larger than expected; called before it is read."""
    largest = SIZE_LIMIT if limit is None else limit
    if size > largest:
        raise StoreError(
            f"blob {digest} has {size} bytes, more than the {largest} expected.",
            remedy="Ask with a limit that fits what you expect.",
            code="blob_too_large",
        )


def verify_stored(digest: str, data: bytes) -> bytes:
    """Hold what a store returned to its name."""
    if digest_of(data) != digest:
        raise damaged(digest)
    return data


def verify_file(digest: str, file: BinaryIO) -> BinaryIO:
    """Hold a file to its name without reading it whole; afterwards it is at its start, or closed."""
    found = hashlib.sha256()
    file.seek(0)
    while piece := file.read(PIECE):
        found.update(piece)
    file.seek(0)
    if "sha256:" + found.hexdigest() != digest:
        file.close()
        raise damaged(digest)
    return file


def missing(digest: str) -> NotFoundError:
    """The error for a blob that is not there."""
    return NotFoundError(f"there is no blob {digest} in the store.", remedy="Check the digest.")


def missing_part(upload: str, number: int) -> NotFoundError:
    """The error for a part that is not there."""
    return NotFoundError(f"upload {upload} has no part {number}.", remedy="Send it again.")


@contextmanager
def file_refusals(path: Path) -> Iterator[None]:
    """Turn what the file system raises into our errors."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the file store failed: {error.strerror or error}.",
            where=str(path),
            remedy="Check that the folder exists, is writable by the hub's user, and that the disk has room.",
        ) from error


def damaged(digest: str) -> StoreError:
    """The error for a blob that does not have its digest."""
    return StoreError(
        f"blob {digest} is damaged in the store.",
        remedy="Restore it from a backup, or publish it again.",
        code="damaged_blob",
    )


def probe(store: ObjectStore) -> None:
    """Write, read and remove a blob that nobody else uses."""
    data = b"zunft probe " + os.urandom(16)
    digest = digest_of(data)
    store.put(digest, data)
    store.get(digest, limit=len(data))
    store.delete(digest)
