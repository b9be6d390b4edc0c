"""Findings that a worker made once, each kept as a JSON file of its own.

What is missing, or of an earlier edition, is found anew. What is looked for, and who may ask, is
`hub.catalogue.explaining`'s and `hub.catalogue.filming`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from skills.files import write_atomically
from skills.messages.base import Message

__all__ = ["KeptFindings"]

Found = TypeVar("Found", bound=Message)


@dataclass(frozen=True)
class KeptFindings(Generic[Found]):
    """Of one kind, in `folder`, which is made when the first is kept."""

    folder: Path
    kind: type[Found]

    def known(self, key: str) -> Found | None:
        """What was found; None: nothing yet."""
        try:
            return self.kind.model_validate_json(self._file(key).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def keep(self, key: str, found: Found) -> None:
        """Whole or not at all, for this process's user alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file(key), found.model_dump_json().encode(), mode=0o600)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key.removeprefix('sha256:')}.json"
