"""A task: a bundle that was read and checked, with the contract that follows from it.

Data only: reading a bundle runs none of its content. Its format is `envs.format`, its files are
`envs.bundle`; putting a robot into the scene is `envs.scene`, running it `envs.vector`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from envs.bundle import BUNDLES, digest_files, find_bundle, read_files
from envs.format import Known, Observed, TaskFile, task_file
from envs.lines import line_of
from envs.mjcf import Mjcf, resolve
from envs.references import complaints
from envs.values import Output, Outputs
from envs.wrapped import WRAPPED, WrappedFile
from skills.errors import ContractError
from skills.manifest import Channel, Contract

__all__ = ["BUNDLES", "SCENE", "TOOL", "Task", "load_task"]

TOML_LIMIT = 256 * 1024
SCENE, TOOL = "scene.xml", "tool.xml"
"""The MJCF that a robot is put into, and what is attached to an arm's tool site."""


@dataclass(frozen=True, eq=False)
class Task:
    """One bundle, checked.

    Attributes:
        file: What `task.toml` says.
        folder: Where it was read.
        digest: `sha256:<hex>` over names and contents of all the bundle's files.
        contract: What a robot must sense and obey.
        twin: What only the twin knows, of which a critic in training may be told; no part of the contract.
        outputs: Every quantity in the order in which they are computed.
        mjcf: `scene.xml` and, if there is one, `tool.xml`; empty of a wrapped environment.
    """

    file: TaskFile | WrappedFile
    folder: Path
    digest: str
    contract: Contract
    outputs: Outputs
    mjcf: Mapping[str, Mjcf]
    twin: tuple[Channel, ...] = ()

    @property
    def bundle(self) -> TaskFile:
        """What `task.toml` says of a scene.

        Raises:
            ContractError: It is a wrapped environment and has none.
        """
        if isinstance(self.file, TaskFile):
            return self.file
        raise ContractError(
            f"{self.name} wraps {self.file.environment}: it has no scene.",
            where=str(self.folder),
            remedy="This is for tasks with a scene of their own.",
        )

    @property
    def name(self) -> str:
        """Of the task, and of the skill for it."""
        return self.file.name

    @property
    def title(self) -> str:
        """In words."""
        return self.file.title

    @property
    def horizon(self) -> int:
        """Control steps in an episode."""
        return self.file.horizon

    @property
    def twin_size(self) -> int:
        """Numbers of `infos["twin"]`; 0 where the task declares none."""
        return sum(channel.size for channel in self.twin)

    @property
    def dt(self) -> float:
        """Seconds between two actions."""
        return 1.0 / self.file.control_hz


def load_task(name_or_path: str | Path) -> Task:
    """Read a bundle of this package by name, or any bundle by its folder.

    Raises:
        ContractError: There is no such bundle, or it breaks the format: file, line and remedy are named.
    """
    folder = find_bundle(name_or_path)
    return _load(folder, digest_files(read_files(folder)))


@lru_cache(maxsize=32)
def _load(folder: Path, digest: str) -> Task:
    file = _read(folder / "task.toml")
    if isinstance(file, WrappedFile):
        return Task(file, folder, digest, file.contract, {}, {})
    files = read_files(folder)
    if SCENE not in files:
        raise ContractError(
            f"there is no {SCENE}.", where=str(folder), remedy="Write one; see docs/tasks.md."
        )
    mjcf = {name: resolve(name, files) for name in (SCENE, TOOL) if name in files}
    try:
        outputs = _outputs(file)
        contract = _contract(file, outputs)
        for place, message in complaints(file, outputs, contract, _twin(file, outputs)):
            raise _refusal(folder / "task.toml", place, message)
    except ContractError as error:
        where = error.where if "task.toml" in error.where else f"{folder / 'task.toml'} ({error.where})"
        raise ContractError(error.message, where=where, remedy=error.remedy) from error
    return Task(file, folder, digest, contract, outputs, mjcf, _twin(file, outputs))


def _read(path: Path) -> TaskFile | WrappedFile:
    if path.stat().st_size > TOML_LIMIT:
        raise ContractError("too large.", where=str(path), remedy=f"Keep it to {TOML_LIMIT} bytes.")
    try:
        text = path.read_text(encoding="utf-8")
        figures = tomllib.loads(text)
        if figures.get("format") == WRAPPED:
            return WrappedFile.model_validate(figures)
        return task_file().model_validate(figures)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise _refusal(path, _as_in_file(first["loc"]), message, text) from error
    except (ValueError, RecursionError) as error:
        raise ContractError(
            f"not a TOML file: {error}.", where=str(path), remedy="Repair it at that line."
        ) from error


def _outputs(file: TaskFile) -> dict[str, Output]:
    """All quantities: the robot's own, then the file's in their order."""
    drive = file.control
    size = sum(drive.channels[c.of].size if c.of in drive.channels else 1 for c in file.action)
    found = dict(drive.quantities)
    found |= {name: Output(size, "1") for name in ("action.last", "action.before", "action.change")}
    found["clock.left"] = Output(1, "1")
    for name, term in file.quantities.items():
        found |= {f"{name}.{key}" if key else name: output for key, output in term.outputs().items()}
    return found


def _contract(file: TaskFile, outputs: Outputs) -> Contract:
    drive = file.control
    seen = [_channel(channel, outputs) for channel in file.observation]
    done = []
    for action in file.action:
        size, unit = drive.channels.get(action.of, Output(1, "?"))
        done.append(Channel(name=action.name, size=size, unit=unit, scale=action.scale))
    return Contract(observation=tuple(seen), action=tuple(done), control_hz=file.control_hz)


def _twin(file: TaskFile, outputs: Outputs) -> tuple[Channel, ...]:
    figures = {name: Output(each.size, each.unit) for name, each in {**file.robots, **file.jobs}.items()}
    return tuple(_channel(channel, {**figures, **outputs}) for channel in file.twin)


def _channel(channel: Observed | Known, outputs: Outputs) -> Channel:
    size, unit = outputs.get(channel.of, Output(1, "?"))
    count = len(range(size)[slice(*channel.part)]) if channel.part else size
    return Channel(name=channel.name, size=max(count, 1), unit=unit, scale=channel.scale)


def _refusal(path: Path, place: Sequence[str | int], message: str, text: str | None = None) -> ContractError:
    known = path.read_text(encoding="utf-8") if text is None else text
    return ContractError(
        f"{'.'.join(str(part) for part in place)}: {message}.",
        where=f"{path}:{line_of(known, place)}",
        remedy="docs/tasks.md explains each entry.",
    )


def _as_in_file(place: Sequence[str | int]) -> tuple[str | int, ...]:
    """Without the kind by which a section was read, and which of two forms was tried."""
    tag = {"quantities": 2, "control": 1, "scripted": 2, "oracle": 1}.get(str(place[0]) if place else "", -1)
    tags = {tag, tag + 3} if place[tag + 1 : tag + 2] == ("blocks",) else {tag}
    parts = [part for number, part in enumerate(place) if number not in tags]
    return tuple(part for part in parts if isinstance(part, int) or re.fullmatch(r"[a-z0-9_-]+", part))
