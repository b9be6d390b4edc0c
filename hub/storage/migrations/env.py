"""Alembic's entry: runs the steps on the connection that `Database.migrate` passes in."""

from __future__ import annotations

from alembic import context

import hub.storage.tables.tasks
import hub.storage.tables.tuf  # noqa: F401 - as above
from hub.storage.tables.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
