"""Blobs in a bucket of MinIO or any other S3: the store of a hub that outgrew one machine.

Leaves life-cycle rules, replication and encryption to the bucket's owner. The keys need the rights to
list the bucket and to get, put and delete objects.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minio.error import S3Error

from hub.storage.objects.bucket import Bucket, remedy_of
from hub.storage.objects.contract import (
    PIECE,
    Parts,
    check_size,
    file_refusals,
    missing,
    path_of,
    probe,
    verify_file,
    verify_incoming,
    verify_stored,
)
from hub.storage.objects.s3_parts import S3Parts

__all__ = ["S3Store"]


class S3Store:
    """`hub.storage.objects.ObjectStore` in one bucket.

    Args:
        create: Whether `check` may create the bucket when it is missing.
    """

    def __init__(self, bucket: Bucket, *, create: bool = False) -> None:
        self._bucket = bucket
        self._create = create
        self.parts: Parts = S3Parts(bucket)

    def put(self, digest: str, data: bytes) -> None:
        """Keep the blob; one of the right size that is there already is not written again."""
        path = path_of(digest)
        verify_incoming(digest, data)
        with self._bucket.refusals():
            if self._bucket.size(path) != len(data):
                key = self._bucket.key(path)
                self._bucket.client.put_object(self._bucket.name, key, io.BytesIO(data), len(data))

    def put_file(self, digest: str, file: Path) -> None:
        """Keep the file; one of its size that is there already is left alone."""
        path = path_of(digest)
        with self._bucket.refusals():
            if self._bucket.size(path) != file.stat().st_size:
                self._bucket.upload(path, file)

    def get(self, digest: str, limit: int | None = None) -> bytes:
        """The blob, verified; its size is checked before it is read."""
        with self._bucket.download(path_of(digest), missing(digest)) as response:
            # S3 always announces the length; urllib3 holds the body to it.
            check_size(digest, int(response.headers["Content-Length"]), limit)
            return verify_stored(digest, response.read())

    def open(self, digest: str, folder: Path, limit: int | None = None) -> BinaryIO:
        """The blob in a nameless file in `folder`, verified: the system drops it even where we are killed."""
        with self._bucket.download(path_of(digest), missing(digest)) as response:
            check_size(digest, int(response.headers["Content-Length"]), limit)
            return verify_file(digest, _copied(response.stream(PIECE), folder))

    def read(self, digest: str, start: int, stop: int) -> Iterator[bytes]:
        """Some of the blob's bytes, as they come."""
        path, length = path_of(digest), stop - start
        if length:
            with self._bucket.download(path, missing(digest), start, length) as response:
                yield from response.stream(PIECE)

    def url(self, digest: str, seconds: float) -> str:
        """An address at the S3 server, where robots may reach it."""
        with self._bucket.refusals():
            return self._bucket.url("GET", path_of(digest), seconds)

    def exists(self, digest: str) -> bool:
        """Whether the blob is there."""
        path = path_of(digest)
        with self._bucket.refusals():
            return self._bucket.size(path) is not None

    def delete(self, digest: str) -> None:
        """Remove the blob, if it is there."""
        path = path_of(digest)
        with self._bucket.refusals():
            self._bucket.remove(path)

    def check(self) -> None:
        """Write, read and remove a small blob; may create the bucket before."""
        with self._bucket.refusals():
            # Some servers make it with the first put.
            if not self._bucket.client.bucket_exists(self._bucket.name):
                self._make_bucket()
        probe(self)

    def _make_bucket(self) -> None:
        if not self._create:
            raise self._bucket.refusal("no such bucket", remedy_of("NoSuchBucket"))
        try:
            self._bucket.client.make_bucket(self._bucket.name)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another hub was faster
                raise


def _copied(pieces: Iterator[bytes], folder: Path) -> BinaryIO:
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
    try:
        for piece in pieces:
            with file_refusals(folder):
                file.write(piece)
    except BaseException:
        file.close()
        raise
    return file
