"""A skill: manifest and tensors in one immutable file, named by its digest.

Running one is `skills.policy`; where it is kept is the hub's store.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from skills.container import Tensors, check_finite, check_shapes, digest_of, pack, unpack
from skills.errors import ArtefactError
from skills.manifest import Manifest

__all__ = ["SIZE_LIMIT", "Skill", "write_atomically"]

SIZE_LIMIT = 2 * 1024**3  # bytes; a file larger than this is refused before it is read


@dataclass(frozen=True)
class Skill:
    """A policy for a task. `Skill.from_bytes(skill.to_bytes()) == skill`, digest included."""

    manifest: Manifest
    tensors: Tensors

    def __post_init__(self) -> None:
        check_shapes(self.tensors, self.manifest.network.shapes(), "skill")
        for name, tensor in self.tensors.items():
            if tensor.dtype != np.float32:
                raise ArtefactError(f"a skill's tensors are float32, not {tensor.dtype}.", where=name)
        check_finite(self.tensors, "skill")

    @cached_property
    def _data(self) -> bytes:
        return pack(self.manifest.model_dump_json(), self.tensors)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return digest_of(self._data)

    def to_bytes(self) -> bytes:
        """The file as it is stored, signed and sent."""
        return self._data

    @classmethod
    def from_bytes(cls, data: bytes, *, digest: str | None = None) -> Skill:
        """Read a skill, and hold it to the digest by which it was asked for.

        Raises:
            ArtefactError: Another digest, a damaged file, a bad manifest, wrong or non-finite tensors.
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
        skill = cls(manifest, {name: tensor.copy() for name, tensor in tensors.items()})
        # The digest names the bytes that were received, also when another writer ordered them differently.
        skill.__dict__["_data"] = data
        return skill

    def save(self, path: Path) -> None:
        """Write the file; readers see all of it or nothing."""
        write_atomically(path, self._data)

    @classmethod
    def load(cls, path: Path) -> Skill:
        """Read a file written by `save`.

        Raises:
            ArtefactError: Too large, or see `from_bytes`.
        """
        if path.stat().st_size > SIZE_LIMIT:
            raise ArtefactError(f"{path} has more than {SIZE_LIMIT} bytes.", where=str(path))
        return cls.from_bytes(path.read_bytes())


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `data`, durably: a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
