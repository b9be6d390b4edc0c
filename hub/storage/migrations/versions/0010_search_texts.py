"""What skills are found by: words and the contract that a robot must serve; and who made tokens to join."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0010_search_texts"
down_revision = "0009_health"
branch_labels = None
depends_on = None

ON_POSTGRESQL = (
    """
    ALTER TABLE search_texts ADD COLUMN words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', translate(names, '-_./:', '     ')), 'A')
        || to_tsvector('simple', translate(rest, '-_./:', '     '))
    ) STORED
    """,
    "CREATE INDEX ix_search_texts_words ON search_texts USING gin (words)",
)
"""Compound words are taken apart before PostgreSQL reads `skill-7` as a word and a negative number."""
ON_SQLITE = (
    """
    CREATE VIRTUAL TABLE search_words USING fts5(
        names, rest, content='search_texts', content_rowid='id', prefix='2 3 4',
        tokenize='unicode61 remove_diacritics 0'
    )
    """,
    """
    CREATE TRIGGER search_texts_added AFTER INSERT ON search_texts BEGIN
        INSERT INTO search_words (rowid, names, rest) VALUES (new.id, new.names, new.rest);
    END
    """,
    """
    CREATE TRIGGER search_texts_gone AFTER DELETE ON search_texts BEGIN
        INSERT INTO search_words (search_words, rowid, names, rest)
        VALUES ('delete', old.id, old.names, old.rest);
    END
    """,
    """
    CREATE TRIGGER search_texts_changed AFTER UPDATE ON search_texts BEGIN
        INSERT INTO search_words (search_words, rowid, names, rest)
        VALUES ('delete', old.id, old.names, old.rest);
        INSERT INTO search_words (rowid, names, rest) VALUES (new.id, new.names, new.rest);
    END
    """,
)
"""The index has no text of its own, and is changed by whatever changes the table."""
FROM_BEFORE = (
    """
    INSERT INTO search_texts (noun, subject, names, rest)
    SELECT 'skill', name, lower(name || ' ' || task), lower(summary || ' ' || organisation) FROM skills
    """,
    """
    INSERT INTO search_texts (noun, subject, names, rest)
    SELECT 'task', task, lower(task), lower(title || ' ' || summary) FROM task_versions AS one
    WHERE state = 'listed' AND number = (
        SELECT max(number) FROM task_versions WHERE task = one.task AND state = 'listed'
    )
    """,
)


def upgrade() -> None:
    """Skills of before are found by name, task and summary, and by the rest from their next version on."""
    op.create_table(
        "search_texts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("noun", sa.String(128), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("rest", sa.Text(), nullable=False),
        sa.UniqueConstraint("noun", "subject"),
    )
    derived = ON_SQLITE if op.get_bind().dialect.name == "sqlite" else ON_POSTGRESQL
    for statement in derived:
        op.execute(statement)
    for statement in FROM_BEFORE:
        op.execute(statement)
    op.add_column("skills", sa.Column("contract", sa.String(128), nullable=False, server_default=""))
    _fill_contracts(op.get_bind())
    op.add_column(
        "enrolment_tokens", sa.Column("issued_by", sa.String(128), nullable=False, server_default="")
    )


def _fill_contracts(connection: sa.Connection) -> None:
    """As `hub.catalogue.fitting` does; all versions of a skill have one contract."""
    versions = sa.table("versions", sa.column("skill"), sa.column("number"), sa.column("manifest", sa.JSON))
    skills = sa.table("skills", sa.column("name"), sa.column("contract"))
    first = sa.select(versions.c.skill, versions.c.manifest).where(versions.c.number == 1)
    for name, manifest in connection.execute(first).all():
        canonical = json.dumps(manifest["contract"], sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(canonical.encode()).hexdigest()
        connection.execute(sa.update(skills).where(skills.c.name == name).values(contract=key))


def downgrade() -> None:
    """Nothing would be lost, but nobody has tried it.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
