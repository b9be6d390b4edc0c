"""One contract for every object store, run against files and a real S3 server; then what only one has."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.storage.objects import FileStore, ObjectStore, StoreError, open_store
from skills.container import digest_of
from skills.errors import ArtefactError, NotFoundError
from tests.hub.servers import BUCKET, S3Server, free_ports

BLOB = b"what a robot learned"
DIGEST = digest_of(BLOB)
PATH = f"sha256/{DIGEST[7:9]}/{DIGEST[9:]}"


@dataclass
class Backend:
    """A store, and what only somebody with access to the disk or bucket can do."""

    store: ObjectStore
    overwrite: Callable[[bytes], object]
    everything: Callable[[], list[str]]


@pytest.fixture(params=["files", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "files":
        return _files(tmp_path / "blobs")
    return _bucket(request.getfixturevalue("s3"))


def _files(root: Path) -> Backend:
    def everything() -> list[str]:
        return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]

    return Backend(open_store(root.as_uri()), (root / PATH).write_bytes, everything)


_PREFIXES = count()


def _bucket(server: S3Server) -> Backend:
    prefix = f"blobs-{next(_PREFIXES)}"
    client = server.client()

    def overwrite(data: bytes) -> None:
        client.put_object(BUCKET, f"{prefix}/{PATH}", BytesIO(data), len(data))

    def everything() -> list[str]:
        found = client.list_objects(BUCKET, prefix=f"{prefix}/", recursive=True)
        return [str(entry.object_name).removeprefix(f"{prefix}/") for entry in found]

    return Backend(_open_bucket(server, prefix), overwrite, everything)


def _open_bucket(server: S3Server, prefix: str = "", bucket: str = BUCKET, more: str = "") -> ObjectStore:
    url = f"s3://{bucket}/{prefix}?endpoint={server.endpoint}&secure=0&region=us-east-1{more}"
    return open_store(url, access_key=server.access_key, secret_key=server.secret_key)


@pytest.mark.parametrize("data", [b"", b"x", bytes(12_000_000)], ids=["empty", "one byte", "12 MB"])
def test_what_was_put_comes_back(backend: Backend, data: bytes) -> None:
    digest = digest_of(data)
    assert not backend.store.exists(digest)
    backend.store.put(digest, data)
    assert backend.store.exists(digest)
    assert backend.store.get(digest) == data


def test_putting_twice_keeps_one_blob(backend: Backend) -> None:
    backend.store.put(DIGEST, BLOB)
    backend.store.put(DIGEST, BLOB)
    assert backend.everything() == [PATH]


def test_a_deleted_blob_is_gone_and_may_be_deleted_again(backend: Backend) -> None:
    backend.store.put(DIGEST, BLOB)
    backend.store.delete(DIGEST)
    backend.store.delete(DIGEST)
    assert not backend.store.exists(DIGEST)
    with pytest.raises(NotFoundError, match=DIGEST):
        backend.store.get(DIGEST)


def test_a_blob_under_a_wrong_name_is_refused_without_trace(backend: Backend) -> None:
    with pytest.raises(ArtefactError) as refusal:
        backend.store.put(DIGEST, BLOB + b"!")
    assert refusal.value.code == "wrong_digest"
    assert backend.everything() == []


@pytest.mark.parametrize("data", [b"", bytes(12_000_000)], ids=["empty", "12 MB"])
def test_an_opened_blob_is_a_file_at_its_start_that_leaves_nothing_behind(
    backend: Backend, data: bytes, tmp_path: Path
) -> None:
    digest = digest_of(data)
    backend.store.put(digest, data)
    folder = tmp_path / "spool"
    folder.mkdir()
    with backend.store.open(digest, folder, limit=len(data)) as file:
        assert os.fstat(file.fileno()).st_size == len(data)
        assert file.read() == data
    assert list(folder.iterdir()) == []


def test_what_cannot_be_got_cannot_be_opened(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=DIGEST):
        backend.store.open(DIGEST, tmp_path)
    backend.store.put(DIGEST, BLOB)
    with pytest.raises(StoreError, match="more than"):
        backend.store.open(DIGEST, tmp_path, limit=len(BLOB) - 1)
    backend.overwrite(BLOB[:-1] + b"X")
    with pytest.raises(StoreError) as refusal:
        backend.store.open(DIGEST, tmp_path)
    assert refusal.value.code == "damaged_blob"


@pytest.mark.parametrize("data", [BLOB[:-1], BLOB[:-1] + b"X", b""], ids=["cut", "changed", "emptied"])
def test_damaged_bytes_are_never_returned(backend: Backend, data: bytes) -> None:
    backend.store.put(DIGEST, BLOB)
    backend.overwrite(data)
    with pytest.raises(StoreError) as refusal:
        backend.store.get(DIGEST)
    assert refusal.value.code == "damaged_blob"


def test_putting_a_cut_blob_again_makes_it_whole(backend: Backend) -> None:
    backend.store.put(DIGEST, BLOB)
    backend.overwrite(BLOB[:-1])
    backend.store.put(DIGEST, BLOB)
    assert backend.store.get(DIGEST) == BLOB


def test_the_limit_is_the_largest_size_returned(backend: Backend) -> None:
    backend.store.put(DIGEST, BLOB)
    assert backend.store.get(DIGEST, limit=len(BLOB)) == BLOB
    with pytest.raises(StoreError) as refusal:
        backend.store.get(DIGEST, limit=len(BLOB) - 1)
    assert refusal.value.code == "blob_too_large"


@pytest.mark.parametrize(
    "name", ["", "sha256:" + "A" * 64, DIGEST + "\n", "sha256:../../../etc/passwd", "md5:0"]
)
def test_only_digests_are_names(backend: Backend, name: str) -> None:
    store = backend.store
    for ask in (store.get, store.exists, store.delete, lambda digest: store.put(digest, BLOB)):
        with pytest.raises(ArtefactError):
            ask(name)


def test_many_threads_may_put_and_get_at_once(backend: Backend) -> None:
    blobs = {digest_of(data): data for data in (bytes([i]) * 1000 for i in range(8))}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: backend.store.put(*item), list(blobs.items()) * 3))
        assert dict(zip(blobs, pool.map(backend.store.get, blobs), strict=True)) == blobs
    assert len(backend.everything()) == len(blobs)


def test_a_check_of_a_good_store_passes_and_leaves_nothing(backend: Backend) -> None:
    backend.store.check()
    assert backend.everything() == []


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=5000))
def test_any_bytes_survive_the_file_store(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = FileStore(tmp_path_factory.getbasetemp() / "any-bytes")
    store.put(digest_of(data), data)
    assert store.get(digest_of(data)) == data


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put(DIGEST, BLOB)
    before = (tmp_path / PATH).stat()
    store.put(DIGEST, BLOB)
    after = (tmp_path / PATH).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_first_blob_makes_the_folders_of_all(tmp_path: Path) -> None:
    """Each would cost a write to the disk of its own, while robots wait for their answers."""
    store = FileStore(tmp_path)
    store.put(DIGEST, BLOB)
    made = {each.name for each in (tmp_path / PATH).parent.parent.iterdir()}
    assert made == {f"{start:02x}" for start in range(256)}


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put(DIGEST, BLOB)
    os.truncate(tmp_path / PATH, 2**43)  # 8 TiB of nothing: reading it would exhaust memory
    with pytest.raises(StoreError) as refusal:
        store.get(DIGEST)
    assert refusal.value.code == "blob_too_large"


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file") as refusal:
        FileStore(tmp_path / "file").check()
    assert refusal.value.remedy


WRITE_UNTIL_KILLED = """
import sys
from itertools import count
from pathlib import Path
from hub.storage.objects import FileStore
from skills.container import digest_of
store = FileStore(Path(sys.argv[1]))
for number in count():
    data = number.to_bytes(8, "big") * 100_000
    store.put(digest_of(data), data)
    print(digest_of(data), flush=True)
"""


def test_killed_while_writing_all_that_was_acknowledged_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            pytest.fail("no pipe")
        acknowledged = [process.stdout.readline().strip() for _ in range(3)]
        process.kill()
        acknowledged += process.stdout.read().split()
    store = FileStore(tmp_path)
    assert all(store.get(digest) for digest in acknowledged)
    found = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert all(store.get(f"sha256:{path.parent.name}{path.name}") for path in found)


def test_a_hub_on_files_starts_without_the_client_of_s3() -> None:
    program = "import sys, hub.app; sys.exit('minio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_missing_bucket_is_made_only_when_allowed(s3: S3Server) -> None:
    with pytest.raises(StoreError, match="no such bucket") as refusal:
        _open_bucket(s3, bucket="not-there").check()
    assert "create=1" in refusal.value.remedy
    _open_bucket(s3, bucket="made-by-us", more="&create=1").check()
    assert s3.client().bucket_exists("made-by-us")


def test_bad_keys_are_refused_and_shown_nowhere(s3: S3Server) -> None:
    url = f"s3://{BUCKET}?endpoint={s3.endpoint}&secure=0"
    store = open_store(url, access_key=s3.access_key, secret_key="a-secret-of-ours")
    with pytest.raises(StoreError, match="SignatureDoesNotMatch") as refusal:
        store.check()
    assert "secret key" in refusal.value.remedy
    assert "a-secret-of-ours" not in "".join(traceback.format_exception(refusal.value)) + repr(store)


def test_a_server_that_is_gone_is_a_store_error() -> None:
    (port,) = free_ports(1)
    store = open_store(f"s3://{BUCKET}?endpoint=127.0.0.1:{port}&secure=0", access_key="a", secret_key="b")
    with pytest.raises(StoreError) as refusal:
        store.get(DIGEST)
    assert refusal.value.status == 503
    assert "endpoint" in refusal.value.remedy


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("/var/blobs", "scheme"),
        ("file://host/blobs", "scheme"),
        ("http://host/bucket", "scheme"),
        ("s3://bucket", "endpoint"),
        ("s3://?endpoint=h", "bucket"),
        ("s3://bucket?endpoint=http://h/x/y", "path"),
        ("s3://bucket?endpoint=h&sekure=0", "sekure"),
        ("s3://bucket?endpoint=h&secure=no", "secure"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url: str, fault: str) -> None:
    with pytest.raises(StoreError, match=fault) as refusal:
        open_store(url, access_key="a", secret_key="b")
    assert refusal.value.remedy


def test_credentials_are_needed_but_not_in_the_url() -> None:
    with pytest.raises(StoreError, match="no credentials"):
        open_store("s3://bucket?endpoint=h")
    with pytest.raises(StoreError, match="credentials in the URL") as refusal:
        open_store("s3://me:hush@bucket?endpoint=h", access_key="a", secret_key="b")
    assert "hush" not in str(refusal.value)
