"""Blobs in a bucket of MinIO or any other S3: the store of a hub that outgrew one machine.

Time-outs and retries are those of urllib3 inside the `minio` client. Leaves life-cycle rules,
replication and encryption to the bucket's owner. The keys need the rights to list the bucket and
to get, put and delete objects.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import certifi
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from hub.store.contract import (
    PIECE,
    StoreError,
    check_size,
    missing,
    path_of,
    probe,
    verify_file,
    verify_incoming,
    verify_stored,
)

__all__ = ["S3Store"]

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
RETRIES = 3
_ABSENT = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}


class S3Store:
    """`hub.store.ObjectStore` in one bucket, below `prefix`.

    Args:
        endpoint: `host` or `host:port`.
        secure: TLS, verified against the system's or `SSL_CERT_FILE`'s authorities.
        create: Whether `check` may create the bucket when it is missing.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        *,
        access_key: str,
        secret_key: str,
        prefix: str = "",
        region: str | None = None,
        secure: bool = True,
        create: bool = False,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._create = create
        self._client = Minio(
            endpoint,
            access_key=access_key,
            secret_key=secret_key,
            region=region,
            secure=secure,
            http_client=_connection_pool(),
        )

    def put(self, digest: str, data: bytes) -> None:
        """Keep the blob; one of the right size that is there already is not written again."""
        key = self._key(digest)
        verify_incoming(digest, data)
        with self._refusals():
            if self._size(key) != len(data):
                self._client.put_object(self._bucket, key, io.BytesIO(data), len(data))

    def get(self, digest: str, limit: int | None = None) -> bytes:
        """The blob, verified; its size is checked before it is read."""
        with self._body(digest, limit) as response:
            return verify_stored(digest, response.read())

    def open(self, digest: str, folder: Path, limit: int | None = None) -> BinaryIO:
        """The blob in a nameless file in `folder`, verified: the system drops it even where we are killed."""
        with self._body(digest, limit) as response:
            file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
            try:
                for piece in response.stream(PIECE):
                    file.write(piece)
            except BaseException:
                file.close()
                raise
            return verify_file(digest, file)

    @contextmanager
    def _body(self, digest: str, limit: int | None) -> Iterator[urllib3.BaseHTTPResponse]:
        key = self._key(digest)
        with self._refusals():
            try:
                response = self._client.get_object(self._bucket, key)
            except S3Error as error:
                if error.code in _ABSENT:
                    raise missing(digest) from error
                raise
            try:
                # S3 always announces the length; urllib3 holds the body to it.
                check_size(digest, int(response.headers["Content-Length"]), limit)
                yield response
            finally:
                response.close()
                response.release_conn()

    def exists(self, digest: str) -> bool:
        """Whether the blob is there."""
        with self._refusals():
            return self._size(self._key(digest)) is not None

    def delete(self, digest: str) -> None:
        """Remove the blob, if it is there."""
        with self._refusals():
            self._client.remove_object(self._bucket, self._key(digest))

    def check(self) -> None:
        """Write, read and remove a small blob; may create the bucket before."""
        with self._refusals():
            if not self._client.bucket_exists(self._bucket):  # some servers make it with the first put
                self._make_bucket()
        probe(self)

    def _make_bucket(self) -> None:
        if not self._create:
            raise self._refusal("no such bucket", _remedy("NoSuchBucket"))
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another hub was faster
                raise

    def _key(self, digest: str) -> str:
        return self._prefix + path_of(digest)

    def _size(self, key: str) -> int | None:
        try:
            return int(self._client.stat_object(self._bucket, key).size)
        except S3Error as error:
            if error.code in _ABSENT:
                return None
            raise

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise self._refusal(f"{error.code}: {error.message}", _remedy(error.code)) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError, KeyError) as error:
            raise self._refusal(
                type(error).__name__, "Check the endpoint, `secure`, and that the server is up."
            ) from error

    def _refusal(self, what: str, remedy: str) -> StoreError:
        return StoreError(f"the S3 store failed ({what}).", where=f"bucket {self._bucket}", remedy=remedy)


def _remedy(code: str) -> str:
    if code == "NoSuchBucket":
        return "Create the bucket, or allow the hub to do so with `create=1` in the store URL."
    if code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"}:
        return "Check the access key, the secret key, and their rights to get, put and delete objects."
    return "See the S3 server's log; the hub tries again with the next request."


def _connection_pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=urllib3.Retry(total=RETRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        maxsize=16,
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )
