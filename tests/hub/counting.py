"""Counts the statements and transactions with which a hub answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

from hub.services import Services

__all__ = ["Counted", "counting"]


@dataclass
class Counted:
    """What was executed: the texts of the statements, and how many transactions were committed."""

    statements: list[str] = field(default_factory=list)
    commits: int = 0


@contextmanager
def counting(services: Services) -> Iterator[Counted]:
    """Count what a hub's database is asked inside the block, by all its threads."""
    found, lock = Counted(), threading.Lock()

    def execute(_: Any, __: Any, statement: str, *___: Any) -> None:
        with lock:
            found.statements.append(statement)

    def commit(_: Any) -> None:
        with lock:
            found.commits += 1

    engines: set[Engine] = {services.storage.database._engine, services.storage.database._writer}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", execute)
        event.listen(engine, "commit", commit)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", execute)
            event.remove(engine, "commit", commit)
