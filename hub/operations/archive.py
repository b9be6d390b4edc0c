"""The file of a backup: a tar of rows as JSON lines, blobs, perhaps the hub's key, and a manifest.

    tables/<table>.jsonl                one row a line, times in ISO 8601 with their zone
    blobs/sha256/ab/cdef...             as in the hub's own store
    regions/<region>/sha256/ab/cdef...  as in a region's, only where that region was asked for
    hub-key.pem                         only where it was asked for
    manifest.json                       schema, counts, size and SHA-256 of every member before it
    manifest.sig                        last: the hub's signature over it; none where it had no key

Making one is `hub.operations.backup`, reading one `hub.operations.restore`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Column, Table

import hub.storage.tables.tasks
import hub.storage.tables.tuf  # noqa: F401 - as above
from hub.storage.objects.contract import path_of
from hub.storage.regions import HOME
from hub.storage.tables.base import Base, Moment
from skills.container import digest_of
from skills.errors import ZunftError

__all__ = [
    "GATE_KEY",
    "KEY",
    "MANIFEST",
    "SIGNATURE",
    "BackupError",
    "BackupManifest",
    "Member",
    "backup_statement",
    "blob_path",
    "line_of",
    "row_of",
    "table_path",
    "tables",
]

KEY = "hub-key.pem"
GATE_KEY = "gate-key.pem"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"


class BackupError(ZunftError):
    """A backup cannot be made, or is not what it claims to be."""

    code = "bad_backup"
    status = 422


class Member(BaseModel):
    """A file in the tar."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class BackupManifest(BaseModel):
    """What is in a backup.

    Attributes:
        zunft: The version that made it.
        schema_revision: Of the database, as the migrations number it.
        hub_key: The public key of the hub; empty where its folder had none.
        rows: Number of rows by table.
        members: By path in the tar.
        missing: Digests of blobs that rows name and the store did not have, or had damaged.
        left_out: By region, the number of blobs that are not in it, because nobody asked for the region.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal["zunft.backup/1"] = "zunft.backup/1"
    made_at: datetime
    zunft: str
    schema_revision: str
    hub_key: str
    rows: dict[str, int]
    members: dict[str, Member]
    missing: tuple[str, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)


def backup_statement(manifest: bytes) -> bytes:
    """What a hub signs of a backup: its manifest, which has the digest of all else."""
    return b"zunft.backup/1\n" + digest_of(manifest).encode()


def tables() -> list[Table]:
    """All tables, those that others point at first."""
    return list(Base.metadata.sorted_tables)


def table_path(table: str) -> str:
    """Where a table's rows lie in the tar."""
    return f"tables/{table}.jsonl"


def blob_path(digest: str, region: str) -> str:
    """Where a blob of a region lies in the tar.

    Raises:
        ArtefactError: Not a digest.
    """
    return f"blobs/{path_of(digest)}" if region == HOME else f"regions/{region}/{path_of(digest)}"


def line_of(row: dict[str, Any]) -> bytes:
    """A row as one line of JSON."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return json.dumps(plain, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def row_of(line: bytes, table: Table) -> dict[str, Any]:
    """A line as the row that it was.

    Raises:
        BackupError: Not a row of this table.
    """
    try:
        plain = dict(json.loads(line))
        return {column.name: _value(column, plain.pop(column.name)) for column in table.columns}
    except (ValueError, TypeError, KeyError) as error:
        raise BackupError(
            f"a line is no row of {table.name}: {error}.",
            where=table_path(table.name),
            remedy="Take another.",
        ) from error


def _value(column: Column[Any], value: Any) -> Any:
    is_moment = isinstance(column.type, Moment) and value is not None
    return datetime.fromisoformat(value) if is_moment else value
