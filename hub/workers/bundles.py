"""Bundles of published tasks on a bench: fetched from the store, unpacked once, kept by digest.

The hub lists only what was examined; here nothing is executed, and what is unpacked is held to its digest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from envs.archive import unpack
from envs.bundle import TOTAL_LIMIT
from hub.storage.objects import ObjectStore
from hub.workers.job import TaskSource
from skills.errors import ArtefactError

__all__ = ["Bundles"]

FOLDER = "bundles"


class Bundles:
    """A cache of folders; whoever comes first unpacks, and others find it whole or not at all.

    Args:
        store: Of a region.
        spool: The bench's folder; the cache lies in it.
    """

    def __init__(self, store: Callable[[str], ObjectStore], spool: Path) -> None:
        self._store = store
        self._home = spool / FOLDER

    def archive(self, task: TaskSource) -> bytes:
        """A task's archive.

        Raises:
            NotFoundError, StoreError: See `ObjectStore.get`.
        """
        return self._store(task.region).get(task.digest, limit=TOTAL_LIMIT)

    def folder(self, task: TaskSource) -> Path:
        """Where the task is unpacked.

        Raises:
            NotFoundError, StoreError: See `archive`.
            ArtefactError: It cannot be unpacked.
        """
        # A name that no task of the package or of ZUNFT_TASKS can have.
        target = self._home / f"sha256_{task.digest.removeprefix('sha256:')}"
        if not target.is_dir():
            self._home.mkdir(parents=True, exist_ok=True)
            try:
                unpack(self.archive(task), target)
            except ArtefactError:
                if not target.is_dir():  # else another process was faster
                    raise
        return target
