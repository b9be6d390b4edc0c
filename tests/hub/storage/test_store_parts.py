"""Files, ranges, addresses and parts: the large side of the contract of stores, on files and a real S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest

from hub.storage.objects import ObjectStore, StoreError, open_store
from skills.container import digest_of
from skills.errors import ArtefactError, NotFoundError
from tests.hub.servers import BUCKET, S3Server

BLOB = bytes(range(256)) * 40_000  # ten pieces
DIGEST = digest_of(BLOB)
UPLOAD = "u-" + "0" * 32
OTHER = "u-" + "1" * 32
_PREFIXES, _NUMBERS = count(), count()


def open_bucket(server: S3Server, *, direct_url: str = "") -> ObjectStore:
    url = f"s3://{BUCKET}/large-{next(_PREFIXES)}?endpoint={server.endpoint}&secure=0&region=us-east-1"
    return open_store(url, access_key=server.access_key, secret_key=server.secret_key, direct_url=direct_url)


@pytest.fixture(params=["files", "files on another disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return open_bucket(request.getfixturevalue("s3"))
    return open_store((tmp_path / "blobs").as_uri())


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Where files come from; in memory where they have to be copied to the store's disk."""
    if "another disk" not in request.node.name:
        yield tmp_path
        return
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk here")
    path = memory / f"zunft-{os.getpid()}"
    path.mkdir()
    yield path
    for left in path.iterdir():
        left.unlink()
    path.rmdir()


def written(folder: Path, data: bytes) -> Path:
    path = folder / f"file-{next(_NUMBERS)}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("data", [b"", b"x", BLOB], ids=["empty", "one byte", "10 MB"])
def test_a_file_that_was_put_comes_back(store: ObjectStore, folder: Path, data: bytes) -> None:
    digest = digest_of(data)
    store.put_file(digest, written(folder, data))
    assert store.get(digest) == data
    store.put_file(digest, written(folder, data))
    assert store.get(digest) == data


def test_a_file_replaces_a_blob_that_was_cut(tmp_path: Path) -> None:
    store = open_store((tmp_path / "blobs").as_uri())
    store.put_file(DIGEST, written(tmp_path, BLOB))
    os.truncate(tmp_path / f"blobs/sha256/{DIGEST[7:9]}/{DIGEST[9:]}", 100)
    store.put_file(DIGEST, written(tmp_path, BLOB))
    assert store.get(DIGEST) == BLOB


def test_a_file_on_the_stores_disk_gets_a_second_name_and_no_copy(tmp_path: Path) -> None:
    store, file = open_store((tmp_path / "blobs").as_uri()), written(tmp_path, BLOB)
    store.put_file(DIGEST, file)
    assert (tmp_path / f"blobs/sha256/{DIGEST[7:9]}/{DIGEST[9:]}").samefile(file)
    assert not (tmp_path / "blobs/incoming").exists()


def test_only_digests_are_names_of_files_and_ranges(store: ObjectStore, folder: Path) -> None:
    with pytest.raises(ArtefactError):
        store.put_file("sha256:../../../etc/passwd", written(folder, BLOB))
    with pytest.raises(ArtefactError):
        list(store.read("sha256:../../../etc/passwd", 0, 1))


@pytest.mark.parametrize(("start", "stop"), [(0, len(BLOB)), (1, 2), (5, 5), (3_000_000, 5_000_001), (0, 1)])
def test_any_range_can_be_read_and_no_piece_is_large(
    store: ObjectStore, folder: Path, start: int, stop: int
) -> None:
    store.put_file(DIGEST, written(folder, BLOB))
    pieces = list(store.read(DIGEST, start, stop))
    assert b"".join(pieces) == BLOB[start:stop]
    assert max(map(len, pieces), default=0) <= 2**20


def test_a_range_of_nothing_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError, match=DIGEST):
        list(store.read(DIGEST, 0, 1))


def test_parts_come_in_any_order_and_the_last_of_a_number_counts(store: ObjectStore, folder: Path) -> None:
    parts = store.parts
    assert parts.sizes(UPLOAD) == {}
    parts.put(UPLOAD, 12, written(folder, b"last"))
    parts.put(UPLOAD, 1, written(folder, b"wrong"))
    parts.put(OTHER, 1, written(folder, b"another upload's"))
    parts.put(UPLOAD, 1, written(folder, BLOB))
    assert parts.sizes(UPLOAD) == {1: len(BLOB), 12: 4}
    assert b"".join(parts.read(UPLOAD, 1)) == BLOB
    assert b"".join(parts.read(UPLOAD, 12)) == b"last"
    with pytest.raises(NotFoundError, match="no part 2"):
        list(parts.read(UPLOAD, 2))


def test_dropped_parts_are_gone_and_may_be_dropped_again(store: ObjectStore, folder: Path) -> None:
    for upload in (UPLOAD, OTHER):
        store.parts.put(upload, 1, written(folder, b"part"))
    store.parts.drop(UPLOAD)
    store.parts.drop(UPLOAD)
    assert store.parts.sizes(UPLOAD) == {}
    assert store.parts.sizes(OTHER) == {1: 4}
    with pytest.raises(NotFoundError):
        list(store.parts.read(UPLOAD, 1))


def test_old_parts_are_swept_unless_their_upload_is_alive(store: ObjectStore, folder: Path) -> None:
    for upload in (UPLOAD, OTHER):
        store.parts.put(upload, 1, written(folder, b"part"))
    store.put(digest_of(b"blob"), b"blob")
    now = datetime.now(UTC)
    store.parts.sweep(now - timedelta(hours=1), ())
    assert store.parts.sizes(UPLOAD) == store.parts.sizes(OTHER) == {1: 4}
    store.parts.sweep(now + timedelta(hours=1), {OTHER})
    assert store.parts.sizes(UPLOAD) == {}
    assert store.parts.sizes(OTHER) == {1: 4}
    assert store.get(digest_of(b"blob")) == b"blob"


def test_nothing_can_be_reached_past_the_hub_unless_a_setting_says_so(store: ObjectStore) -> None:
    assert store.url(DIGEST, 60) == store.parts.url(UPLOAD, 1, 60) == ""


def test_what_a_killed_hub_was_copying_is_swept(tmp_path: Path) -> None:
    store = open_store((tmp_path / "blobs").as_uri())
    left = tmp_path / "blobs" / "incoming" / "copy-of-something"
    left.parent.mkdir(parents=True)
    left.write_bytes(BLOB)
    store.parts.sweep(datetime.now(UTC) + timedelta(hours=1), ())
    assert not left.exists()


def test_a_blob_can_be_fetched_and_a_part_brought_by_address_alone(s3: S3Server, tmp_path: Path) -> None:
    store = open_bucket(s3, direct_url=f"http://{s3.endpoint}")
    store.put_file(DIGEST, written(tmp_path, BLOB))
    address = store.url(DIGEST, 60)
    assert address.startswith(f"http://{s3.endpoint}/")
    assert httpx.get(address).content == BLOB
    some = httpx.get(address, headers={"Range": "bytes=5-7"})
    assert (some.status_code, some.content) == (206, BLOB[5:8])
    assert httpx.put(address, content=b"something else").status_code == 403
    assert httpx.put(store.parts.url(UPLOAD, 3, 60), content=b"a part").is_success
    assert b"".join(store.parts.read(UPLOAD, 3)) == b"a part"
    assert s3.secret_key not in address


@pytest.mark.parametrize(
    "address", ["s3.example.com", "ftp://host", "https://host/path", "https://me:hush@host"]
)
def test_a_direct_address_that_cannot_be_used_says_why(address: str) -> None:
    with pytest.raises(StoreError, match="direct address") as refusal:
        open_store("s3://bucket?endpoint=h", access_key="a", secret_key="b", direct_url=address)
    assert "https://host" in refusal.value.remedy
