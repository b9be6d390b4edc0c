"""Parts of uploads as files beside the blobs: `incoming/<upload>/<number>`."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from hub.storage.objects.contract import INCOMING, PIECE, file_refusals, missing_part, part_path, upload_of
from skills.files import sync_folder

__all__ = ["FileParts", "link_in"]


class FileParts:
    """`hub.storage.objects.contract.Parts` in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, upload: str, number: int, file: Path) -> None:
        """Keep the file as a part."""
        path = self._root / part_path(upload, number)
        with file_refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            link_in(file, path, self._root)

    def sizes(self, upload: str) -> dict[int, int]:
        """Bytes of each part that is there."""
        folder = self._root / INCOMING / upload
        with file_refusals(folder):
            found = sorted(folder.iterdir()) if folder.is_dir() else []
            return {int(path.name): path.stat().st_size for path in found}

    def read(self, upload: str, number: int) -> Iterator[bytes]:
        """The part's bytes."""
        path = self._root / part_path(upload, number)
        with file_refusals(path):
            try:
                file = path.open("rb")
            except FileNotFoundError as error:
                raise missing_part(upload, number) from error
            with file:
                while piece := file.read(PIECE):
                    yield piece

    def url(self, upload: str, number: int, seconds: float) -> str:  # noqa: ARG002
        """None: robots do not reach the hub's disk."""
        return ""

    def drop(self, upload: str) -> None:
        """Remove all parts."""
        shutil.rmtree(self._root / INCOMING / upload, ignore_errors=True)

    def sweep(self, before: datetime, alive: Collection[str]) -> None:
        """Remove what is older and belongs to no upload that is alive, also what a killed hub was copying."""
        folder = self._root / INCOMING
        with file_refusals(folder):
            # Deepest first: a folder is empty once its files are gone.
            for path in sorted(folder.rglob("*"), reverse=True):
                if upload_of(str(path.relative_to(self._root))) not in alive:
                    _remove_old(path, before.timestamp())


def link_in(file: Path, target: Path, root: Path) -> None:
    """Make a file also `target` of the store in `root`, durably and whole; one on another disk is copied.

    The file must not be written to any more.
    """
    with file.open("rb") as written:
        os.fsync(written.fileno())
    try:
        target.hardlink_to(file)
    except OSError:  # something lies there, or it is another disk, or one that knows no links
        _copy_in(file, target, root)
    sync_folder(target.parent)


def _copy_in(file: Path, target: Path, root: Path) -> None:
    """Replace `target` by a copy of the file."""
    name = root / INCOMING / f"copy-{uuid.uuid4().hex}"
    name.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(file, name)
        name.chmod(0o600)
        with name.open("rb") as written:
            os.fsync(written.fileno())
        name.replace(target)
    finally:
        name.unlink(missing_ok=True)


def _remove_old(path: Path, before: float) -> None:
    try:
        if path.stat().st_mtime >= before:
            return
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    except FileNotFoundError:
        return  # another hub was faster
