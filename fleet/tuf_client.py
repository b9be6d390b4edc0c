"""A robot's updater as the client that the TUF project's conformance suite drives: init, refresh, download.

`python -m fleet.tuf_client`; what it must do is in https://github.com/theupdateframework/tuf-conformance,
CLIENT-CLI.md. All that is believed is `fleet.updater`'s decision: here a plain repository of files is given
the shape of a hub, and a target is fetched as a robot fetches a file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, Root, TargetFile

from fleet.connection import NOT_MODIFIED, Connection
from fleet.updater import METADATA, TIMESTAMP_FILE, DistrustError, Guild
from skills.container import digest_of
from skills.errors import NotFoundError, ZunftError
from skills.files import atomic_file
from skills.messages.base import ErrorBody, ErrorDetail

__all__ = ["main"]

FIRST_ROOT = "first-root"
"""Not `.json`: the suite takes every such file for a role's."""
ROOTS = 64
"""New roots that are looked for at once."""
SECONDS = 30.0
OK = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as the suite says; 0 where it was done and 1 where it was refused."""
    asked = _parser().parse_args(arguments)
    try:
        match asked.command:
            case "init":
                shutil.copyfile(asked.trusted_root, asked.metadata_dir / FIRST_ROOT)
            case "refresh":
                _guild(asked.metadata_dir, asked.metadata_url).refresh()
            case _:
                _download(asked)
    except (ZunftError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _guild(folder: Path, url: str) -> Guild:
    connection = Connection(url, transport=_AsHub(url), seconds=SECONDS)
    return Guild(folder, folder / FIRST_ROOT, connection, None)


def _download(asked: argparse.Namespace) -> None:
    trusted = _guild(asked.metadata_dir, asked.metadata_url).refresh()
    connection = Connection(asked.target_base_url, seconds=SECONDS)
    root: Metadata[Root] = Metadata.from_file(str(asked.metadata_dir / f"{Root.type}.json"))
    for name in asked.target_name:
        target = trusted.target(name)
        if target is None:
            raise NotFoundError(f"nobody vouches for {name!r}.")
        _fetch(connection, asked.target_dir / quote(name, safe=""), target, _address(target, root.signed))


def _address(target: TargetFile, root: Root) -> str:
    folder, slash, name = target.path.rpartition("/")
    prefix = f"{next(iter(target.hashes.values()))}." if root.consistent_snapshot else ""
    return quote(f"{folder}{slash}{prefix}{name}")


def _fetch(connection: Connection, path: Path, target: TargetFile, address: str) -> None:
    """Fetch a file, unless the one here is it; what is not as vouched for is not kept.

    Raises:
        DistrustError: Something else came.
    """
    try:
        target.verify_length_and_hashes(path.read_bytes())
    except (FileNotFoundError, LengthOrHashMismatchError):
        with atomic_file(path) as file:
            connection.download(address, file, target.length, SECONDS)
            file.seek(0)
            try:
                target.verify_length_and_hashes(file)
            except LengthOrHashMismatchError as error:
                raise DistrustError(f"{target.path}: {error}") from error


class _AsHub(httpx.BaseTransport):
    """A plain repository of metadata, seen as a hub: it answers conditionally, and refuses as hubs do.

    A hub's tag of the timestamp names the newest root, too. So whoever asks for the timestamp has both looked
    up, newer roots first, as the client's workflow wants it.
    """

    def __init__(self, url: str) -> None:
        self._base = f"{url.rstrip('/')}/"
        self._network = httpx.Client(timeout=SECONDS, headers={"Accept-Encoding": "identity"})
        self._roots: dict[str, tuple[int, bytes]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a robot's question for metadata."""
        name = request.url.raw_path.decode("ascii").rpartition(METADATA)[2]
        tag = request.headers.get("If-None-Match", "").strip('"')
        if name != TIMESTAMP_FILE or not tag:
            return _answer(*(self._roots.pop(name, None) or self._file(name)))
        version, _, digest = tag.partition("-")
        newer = self._newer_roots(int(version))
        found = self._file(name)
        if newer or found[0] != OK or digest_of(found[1]) != digest:
            return _answer(*found)
        return _answer(NOT_MODIFIED, b"")

    def _newer_roots(self, version: int) -> bool:
        for number in range(version + 1, version + 1 + ROOTS):
            name = f"{number}.{Root.type}.json"
            found = self._roots[name] = self._file(name)
            if found[0] != OK:
                return number > version + 1
        return True

    def _file(self, name: str) -> tuple[int, bytes]:
        found = self._network.get(f"{self._base}{name}")
        if found.status_code == OK:
            return OK, found.content
        said = ErrorBody(error=ErrorDetail(code="not_found", message=f"no {name}."))
        return found.status_code, said.model_dump_json().encode()


def _answer(status: int, body: bytes) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(body))  # as from a network: not yet read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet.tuf_client", description=__doc__)
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-dir", type=Path)
    parser.add_argument("--target-base-url")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser


if __name__ == "__main__":
    sys.exit(main())
