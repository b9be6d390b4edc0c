"""A new hub's tables on SQLite, made once for all tests of a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import make_url

from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.notify import Bell


@cache
def new_tables() -> bytes:
    """A SQLite file with all tables and nothing in them: they are made once for all tests of a process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hub.sqlite"
        database = Database(f"sqlite:///{file}", Bell())
        database.migrate()
        database.close()
        return file.read_bytes()


def with_tables(settings: Settings) -> None:
    """Spare a new hub on SQLite its migrations, which have tests of their own."""
    file = Path(make_url(settings.database).database or "")
    if settings.database.startswith("sqlite") and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_bytes(new_tables())
