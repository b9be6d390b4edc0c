"""What an object store promises: immutable blobs, each named by the SHA-256 of its bytes.

    after put(d, b)  get(d) == b, also after a crash of the process or the machine
    put(d, b) twice  is put once; delete of what is not there is no error
    get never returns bytes that do not have the digest asked for

Where blobs lie is left to `hub.store.files` and `hub.store.s3`; what they mean, and when one may
go, to the catalogue and the engine.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Protocol

from skills.container import digest_of
from skills.errors import ArtefactError, NotFoundError, ZunftError
from skills.skill import SIZE_LIMIT

__all__ = [
    "PIECE",
    "ObjectStore",
    "StoreError",
    "check_size",
    "missing",
    "path_of",
    "probe",
    "verify_file",
    "verify_incoming",
    "verify_stored",
]

PIECE = 2**20
"""Bytes of a large blob that are held at a time."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class StoreError(ZunftError):
    """The object store cannot be used, did not answer, or holds damaged bytes."""

    code = "store_unavailable"
    status = 503


class ObjectStore(Protocol):
    """Content-addressed blobs. Safe to call from many threads at once."""

    def put(self, digest: str, data: bytes) -> None:
        """Keep `data` under its digest, durably; nothing happens when it is there already.

        Raises:
            ArtefactError: `data` does not have this digest; nothing is kept.
            StoreError: The store failed; the blob may or may not be there, put it again.
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
        raise _damaged(digest)
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
        raise _damaged(digest)
    return file


def missing(digest: str) -> NotFoundError:
    """The error for a blob that is not there."""
    return NotFoundError(f"there is no blob {digest} in the store.", remedy="Check the digest.")


def _damaged(digest: str) -> StoreError:
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
