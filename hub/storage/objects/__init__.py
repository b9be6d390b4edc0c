"""The object store: blobs by digest, in files or in MinIO / S3, behind one protocol.

`open_store` turns a URL into a store:

    file:///var/lib/zunft/blobs
    s3://bucket/prefix?endpoint=minio:9000&secure=0&region=us-east-1&create=1

Credentials come as arguments, never in the URL, because URLs end up in logs.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from hub.storage.objects.contract import ObjectStore, StoreError
from hub.storage.objects.files import FileStore

__all__ = ["FileStore", "ObjectStore", "StoreError", "open_store"]

_S3_OPTIONS = {"create", "endpoint", "region", "secure"}
_DIRECT = re.compile(r"https?://[^/@?#]+")


def open_store(url: str, *, access_key: str = "", secret_key: str = "", direct_url: str = "") -> ObjectStore:
    """The store that a URL names; `check` it before relying on it.

    Args:
        url: `file:///folder`, or `s3://bucket/prefix?endpoint=host:port` with `secure` (1),
            `region` and `create` (0; 1 lets the hub create the bucket) as options.
        access_key: For S3.
        secret_key: For S3.
        direct_url: Address under which robots reach the S3 server, such as `https://s3.example.com`; empty:
            they do not.

    Raises:
        StoreError: The URL or the credentials cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return FileStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return _open_s3(parts, access_key, secret_key, direct_url)
    raise _unusable(f"scheme {parts.scheme!r}", "Use file:///folder or s3://bucket?endpoint=host:port.")


def _open_s3(parts: SplitResult, access_key: str, secret_key: str, direct_url: str) -> ObjectStore:
    from hub.storage.objects.bucket import Bucket  # noqa: PLC0415 - the S3 client, without which files do
    from hub.storage.objects.s3 import S3Store  # noqa: PLC0415

    if "@" in parts.netloc:
        raise _unusable("credentials in the URL", "Pass them in settings of their own: URLs are logged.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options.keys() - _S3_OPTIONS:
        raise _unusable(f"option {name!r}", f"Known are {', '.join(sorted(_S3_OPTIONS))}.")
    if not parts.netloc or not options.get("endpoint"):
        raise _unusable("no bucket or endpoint", "Use s3://bucket/prefix?endpoint=host:port.")
    if not (access_key and secret_key):
        raise _unusable("no credentials", "Set the access key and the secret key of the S3 store.")
    if direct_url and not _DIRECT.fullmatch(direct_url):
        raise _unusable(f"direct address {direct_url!r}", "Write https://host or https://host:port.")
    try:
        bucket = Bucket(
            options["endpoint"],
            parts.netloc,
            access_key=access_key,
            secret_key=secret_key,
            prefix=unquote(parts.path),
            region=options.get("region") or None,
            secure=_flag(options, "secure", default="1"),
            direct=direct_url,
        )
        return S3Store(bucket, create=_flag(options, "create", default="0"))
    except ValueError as error:
        raise _unusable(str(error), "Use host or host:port as endpoint.") from error


def _flag(options: dict[str, str], name: str, *, default: str) -> bool:
    value = options.get(name, default)
    if value not in {"0", "1"}:
        raise _unusable(f"option {name}={value!r}", f"Use {name}=0 or {name}=1.")
    return value == "1"


def _unusable(what: str, remedy: str) -> StoreError:
    return StoreError(
        f"the store URL cannot be used: {what}.", where="store_url", remedy=remedy, code="bad_store_url"
    )
