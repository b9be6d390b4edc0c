"""A skill: manifest and tensors in one immutable file, named by its digest.

Running one is `skills.policy`; where it is kept is the hub's store.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import ValidationError

from skills.bounds import check_bounded
from skills.container import Tensors, check_shapes, digest_of, pack, unpack
from skills.errors import ArtefactError
from skills.files import Blob, map_file, write_atomically
from skills.manifest import Manifest

__all__ = ["SIZE_LIMIT", "Skill"]

SIZE_LIMIT = 2 * 1024**3  # bytes; a file larger than this is refused before it is read


@dataclass(frozen=True)
class Skill:
    """A policy for a task. `Skill.from_bytes(skill.to_bytes()) == skill`, digest included."""

    manifest: Manifest
    tensors: Tensors

    def __post_init__(self) -> None:
        check_shapes(self.tensors, self.manifest.shapes(), "skill")
        for name, tensor in self.tensors.items():
            if tensor.dtype != np.float32:
                raise ArtefactError(f"a skill's tensors are float32, not {tensor.dtype}.", where=name)
        check_bounded(self.tensors, "skill")

    @cached_property
    def blob(self) -> Blob:
        """The file as it is stored, signed and sent; of a skill that was read, what it was read from."""
        return pack(self.manifest.model_dump_json(), self.tensors)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return digest_of(self.blob)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.blob)

    def __reduce__(self) -> tuple[object, ...]:
        """As its file, so that it travels to other processes wherever it was read from."""
        return Skill.from_bytes, (self.to_bytes(),)

    def to_bytes(self) -> bytes:
        """The file in memory."""
        return bytes(self.blob)

    @classmethod
    def from_bytes(cls, data: Blob, *, digest: str | None = None) -> Skill:
        """Read a skill, and hold it to the digest by which it was asked for; its tensors are views of `data`.

        Raises:
            ArtefactError: Another digest, a damaged file, a bad manifest, wrong tensors, or numbers
                that are not finite or out of bounds.
        """
        found = digest_of(data)
        if digest is not None and found != digest:
            raise ArtefactError(
                f"the skill's digest is {found}, expected {digest}.",
                remedy="It was damaged or exchanged on the way: fetch it again.",
                code="wrong_digest",
            )
        document, tensors = unpack(data, "skill")
        try:
            manifest = Manifest.model_validate_json(document)
        except ValidationError as error:
            first = error.errors()[0]
            where = "manifest." + ".".join(str(part)[:64] for part in first["loc"])
            raise ArtefactError(f"{first['msg']}.", where=where) from error
        skill = cls(manifest, tensors)
        # The digest names the bytes that were received, also when another writer ordered them differently.
        skill.__dict__["blob"] = data
        skill.__dict__["digest"] = found
        return skill

    @classmethod
    def open(cls, file: BinaryIO, *, digest: str | None = None) -> Skill:
        """A skill as views of a file, which may be closed and deleted meanwhile; see `from_bytes`."""
        return cls.from_bytes(map_file(file), digest=digest)

    def save(self, path: Path) -> None:
        """Write the file; readers see all of it or nothing."""
        write_atomically(path, self.blob)

    @classmethod
    def load(cls, path: Path, *, digest: str | None = None) -> Skill:
        """Open a file written by `save`.

        Raises:
            ArtefactError: Too large, or see `from_bytes`.
        """
        if path.stat().st_size > SIZE_LIMIT:
            raise ArtefactError(f"{path} has more than {SIZE_LIMIT} bytes.", where=str(path))
        with path.open("rb") as file:
            return cls.open(file, digest=digest)
