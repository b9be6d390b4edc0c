"""Signed metadata: their tables, what a channel's target says, and the digest of each version's manifest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skills.manifest import Manifest
from skills.targets import manifest_digest

revision = "0004_metadata"
down_revision = "0003_attestations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Old versions get the digests of their manifests; all is signed when the hub starts."""
    op.create_table(
        "metadata_roles",
        sa.Column("role", sa.String(128), primary_key=True),
        sa.Column("organisation", sa.String(128), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_table(
        "metadata",
        sa.Column("role", sa.String(128), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
    )
    op.create_index("ix_metadata_digest", "metadata", ["digest"])
    for table, column in (
        ("channels", sa.Column("counter", sa.BigInteger(), nullable=False, server_default="0")),
        ("channels", sa.Column("lowest", sa.BigInteger(), nullable=False, server_default="1")),
        ("versions", sa.Column("manifest_digest", sa.String(128), nullable=False, server_default="")),
        ("hub", sa.Column("root_signature", sa.String(128), nullable=False, server_default="")),
        ("robots", sa.Column("refusal", sa.JSON(none_as_null=True), nullable=True)),
    ):
        op.add_column(table, column)
    _fill()


def downgrade() -> None:
    """Robots that have a root would be left without.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")


def _fill() -> None:
    connection = op.get_bind()
    versions = sa.table(
        "versions",
        sa.column("digest", sa.String),
        sa.column("manifest", sa.JSON),
        sa.column("manifest_digest", sa.String),
    )
    for digest, manifest in connection.execute(sa.select(versions.c.digest, versions.c.manifest)).all():
        found = manifest_digest(Manifest.model_validate(manifest))
        connection.execute(versions.update().where(versions.c.digest == digest).values(manifest_digest=found))
