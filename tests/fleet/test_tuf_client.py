"""The updater in the conformance suite's interface, against a small repository of plain files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fleet.tuf_client import main
from hub.tuf.metadata import (
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    make_snapshot,
    make_targets,
    make_timestamp,
    meta_of,
    sign,
    target,
)
from skills.container import digest_of
from tests.signed_guild import SignedGuild, online_of

NAME, CONTENT = "folder/one file.txt", b"what the guild vouches for"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep tests quiet."""


class Files:
    """A repository in a folder; `publish` signs its next state."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.guild, self.number = folder, SignedGuild(), 0
        self.write(f"metadata/{1}.root.json", self.guild.root)
        self.publish(CONTENT)

    def write(self, name: str, body: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def publish(self, content: bytes) -> None:
        self.number += 1
        number, now, signers = self.number, self.guild._now, self.guild.online
        digest = digest_of(content)
        self.write(f"targets/folder/{digest.removeprefix('sha256:')}.one file.txt", content)
        top = sign(make_targets(number, now, [target(NAME, digest, len(content), {})]), signers[TARGETS])
        snapshot = sign(make_snapshot(number, now, {TARGETS: meta_of(number, top)}), signers[SNAPSHOT])
        stamp = sign(make_timestamp(number, now, meta_of(number, snapshot)), signers[TIMESTAMP])
        self.write(f"metadata/{number}.targets.json", top)
        self.write(f"metadata/{number}.snapshot.json", snapshot)
        self.write("metadata/timestamp.json", stamp)


class Client:
    def __init__(self, home: Path, url: str, root: bytes) -> None:
        self.home, self.url = home, url
        home.mkdir()
        (home / "trusted.json").write_bytes(root)
        (home / "metadata").mkdir()
        assert self.run("init", str(home / "trusted.json")) == 0

    def run(self, *command: str) -> int:
        where = ["--metadata-dir", str(self.home / "metadata"), "--metadata-url", f"{self.url}/metadata"]
        files = ["--target-dir", str(self.home / "targets"), "--target-base-url", f"{self.url}/targets"]
        return main([*where, *files, "--target-name", NAME, *command])

    @property
    def content(self) -> list[bytes]:
        return [each.read_bytes() for each in (self.home / "targets").glob("*")]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "served")


@pytest.fixture
def client(tmp_path: Path, files: Files) -> Iterator[Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files.folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Client(tmp_path / "client", f"http://127.0.0.1:{server.server_port}", files.guild.root)
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_fetched_and_again_when_another_was_signed(files: Files, client: Client) -> None:
    assert client.run("refresh") == 0
    assert client.run("download") == 0
    assert client.content == [CONTENT]
    assert client.run("download") == 0
    files.publish(b"another")
    files.guild.rotate(online_of(2))
    files.write("metadata/2.root.json", files.guild.root)
    files.publish(b"by the next root's keys")
    assert client.run("download") == 0
    assert client.content == [b"by the next root's keys"]


def test_what_was_not_signed_is_refused(files: Files, client: Client) -> None:
    assert client.run("download") == 0
    old = (files.folder / "metadata/timestamp.json").read_bytes()
    files.publish(b"another")
    for path in (files.folder / "targets/folder").glob("*"):
        path.write_bytes(b"an0ther")
    assert client.run("download") == 1
    assert client.content == [CONTENT]
    files.write("metadata/timestamp.json", old)
    assert client.run("refresh") == 1


def test_a_root_by_strangers_is_not_followed(files: Files, client: Client) -> None:
    assert client.run("refresh") == 0
    files.write("metadata/2.root.json", files.guild.root)  # root 1 as root 2
    assert client.run("refresh") == 1
