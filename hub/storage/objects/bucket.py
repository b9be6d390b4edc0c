"""One bucket of an S3 server through the `minio` client: keys below a prefix, time-outs, errors as ours.

Time-outs and retries are those of urllib3. What the objects are is left to `hub.storage.objects.s3` and
`hub.storage.objects.s3_parts`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from hub.storage.objects.contract import StoreError

__all__ = ["Bucket"]

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
RETRIES = 2
DEFAULT_REGION = "us-east-1"
_ABSENT = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}


class Bucket:
    """A bucket and a prefix in it.

    Args:
        endpoint: `host` or `host:port`.
        prefix: Goes before every key.
        secure: TLS, verified against the system's or `SSL_CERT_FILE`'s authorities.
        direct: Address under which robots reach the server; empty: they do not.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        *,
        access_key: str,
        secret_key: str,
        prefix: str = "",
        region: str | None = None,
        secure: bool = True,
        direct: str = "",
    ) -> None:
        self.name = name
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

        def connect(host: str, *, tls: bool, place: str | None) -> Any:
            return Minio(
                host,
                access_key=access_key,
                secret_key=secret_key,
                region=place,
                secure=tls,
                http_client=_connection_pool(),
            )

        self.client = connect(endpoint, tls=secure, place=region)
        self._direct = None
        if direct:
            # An address is signed with its host in it. With a region it is made without asking anybody.
            address = urlsplit(direct)
            tls = address.scheme == "https"
            self._direct = connect(address.netloc, tls=tls, place=region or DEFAULT_REGION)

    def key(self, path: str) -> str:
        """The object's name in the bucket."""
        return self._prefix + path

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""
        try:
            return int(self.client.stat_object(self.name, self.key(path)).size)
        except S3Error as error:
            if error.code in _ABSENT:
                return None
            raise

    def upload(self, path: str, file: Path) -> None:
        """Put a local file, in parts that fit into memory."""
        with file.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            self.client.put_object(self.name, self.key(path), source, size)

    @contextmanager
    def download(
        self, path: str, absent: Exception, start: int = 0, length: int = 0
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """An object's bytes from `start` on, `length` of them (0: all); raises `absent` if there is none."""
        with self.refusals():
            try:
                response = self.client.get_object(self.name, self.key(path), offset=start, length=length)
            except S3Error as error:
                if error.code in _ABSENT:
                    raise absent from error
                raise
            try:
                yield response
            finally:
                response.close()
                response.release_conn()

    def remove(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""
        self.client.remove_object(self.name, self.key(path))

    def list(self, path: str) -> Iterator[tuple[str, Any]]:
        """Objects whose path begins so, with their paths."""
        for entry in self.client.list_objects(self.name, prefix=self.key(path), recursive=True):
            yield str(entry.object_name).removeprefix(self._prefix), entry

    def url(self, method: str, path: str, seconds: float) -> str:
        """An address under which whoever has it may GET or PUT one object for some time; empty: none."""
        if self._direct is None:
            return ""
        lifetime = timedelta(seconds=seconds)
        return str(self._direct.get_presigned_url(method, self.name, self.key(path), expires=lifetime))

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn what the client raises into our errors."""
        try:
            yield
        except S3Error as error:
            raise self.refusal(f"{error.code}: {error.message}", remedy_of(error.code)) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError, KeyError) as error:
            raise self.refusal(
                type(error).__name__, "Check the endpoint, `secure`, and that the server is up."
            ) from error

    def refusal(self, what: str, remedy: str) -> StoreError:
        """What went wrong with this bucket."""
        return StoreError(f"the S3 store failed ({what}).", where=f"bucket {self.name}", remedy=remedy)


def remedy_of(code: str) -> str:
    """What to do about an error of S3."""
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
