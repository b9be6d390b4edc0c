"""What a hub writes is its own user's alone: database, blobs, spool, keys and backups."""

from __future__ import annotations

import os

__all__ = ["keep_private"]


def keep_private() -> None:
    """From here on this process, and whichever it starts, makes files that nobody else can read.

    For the entry of a process: it is a property of all its threads.
    """
    os.umask(0o077)
