"""What a robot senses and does as MCAP files on its own disk, which Foxglove opens; an extra, `zunft[mcap]`.

One file a job, with channels of JSON for what is observed and what was sent or held, in physical units. Files
are written between jobs, so that no period waits for a disk; a full disk costs a recording, and no work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet.runtime.robot import Numbers, Observed, Robot
from skills.errors import ContractError
from skills.manifest import Channel, Contract

__all__ = ["RecordedRobot", "schema_of"]

MESSAGES = 200_000
"""In a file at most; what comes later in a job is not recorded."""
FILES = 100


class _Message(NamedTuple):
    topic: str
    at: float
    numbers: NDArray[Any]
    facts: dict[str, object]


class RecordedRobot:
    """Another robot, whose jobs are written down.

    Args:
        robot: Does what it is told.
        contract: Names and scales the numbers.
        folder: Where the files go.
        wall: The date, in seconds since 1970; a job's file is named by it.
        files: So many are kept, the newest.

    Raises:
        ContractError: The package `mcap` is not installed.
    """

    def __init__(
        self,
        robot: Robot,
        contract: Contract,
        folder: Path,
        wall: Callable[[], float],
        files: int = FILES,
    ) -> None:
        try:
            import mcap.writer  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise ContractError(
                "the package mcap is missing.", where="--record", remedy="pip install 'zunft[mcap]'"
            ) from error
        self._robot, self._contract, self._folder = robot, contract, folder
        self._wall, self._files = wall, files
        self._job: list[_Message] = []
        self._begun = 0.0
        self._written = 0

    def connect(self) -> None:
        """See `Robot`."""
        self._robot.connect()

    def observe(self) -> Observed:
        """See `Robot`; the end of a job is the end of a file."""
        seen = self._robot.observe()
        facts: dict[str, object] = {
            "over": seen.over,
            "success": seen.success,
            "busy": seen.busy,
            "taken_at": seen.taken_at,
        }
        self._note("/observation", seen.numbers, facts)
        if seen.over:
            self._write()
        return seen

    def send(self, action: Numbers) -> NDArray[Any]:
        """See `Robot`; what was really sent is written down."""
        sent = self._robot.send(action)
        self._note("/action", sent, {"hold": False})
        return sent

    def hold(self) -> None:
        """See `Robot`."""
        self._note("/action", np.zeros(self._contract.action_size), {"hold": True})
        self._robot.hold()

    def disconnect(self) -> None:
        """See `Robot`; what was begun is written, too."""
        try:
            self._robot.disconnect()
        finally:
            self._write()

    def _note(self, topic: str, numbers: NDArray[Any], facts: dict[str, object]) -> None:
        if not self._job:
            if facts.get("hold"):
                return  # at rest between two jobs
            self._begun = self._wall()
        if len(self._job) < MESSAGES:
            self._job.append(_Message(topic, self._wall(), np.array(numbers, np.float64), facts))

    def _write(self) -> None:
        job, self._job = self._job, []
        if not job:
            return
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._written += 1
            target = self._folder / f"{int(self._begun):012d}-{self._written:06d}.mcap"
            partial = target.with_suffix(".partial")
            try:
                _write_file(partial, job, self._contract)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
            for old in sorted(self._folder.glob("*.mcap"))[: -self._files]:
                old.unlink(missing_ok=True)


def schema_of(channels: tuple[Channel, ...], facts: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of a topic's messages: a list of numbers for each channel, in its unit."""
    lists = {
        each.name: {"type": "array", "items": {"type": "number"}, "description": each.unit}
        for each in channels
    }
    return {"type": "object", "properties": lists | {name: {} for name in facts}}


def _write_file(path: Path, job: list[_Message], contract: Contract) -> None:
    from mcap.writer import Writer  # noqa: PLC0415 - an extra

    channels = {"/observation": contract.observation, "/action": contract.action}
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="", library="zunft")
        topics = {}
        for topic, listed in channels.items():
            facts = tuple(next((each.facts for each in job if each.topic == topic), {}))
            schema = writer.register_schema(
                topic[1:], "jsonschema", json.dumps(schema_of(listed, facts)).encode()
            )
            topics[topic] = writer.register_channel(topic, "json", schema)
        for each in job:
            at, data = int(each.at * 1e9), json.dumps(_said(each, channels[each.topic])).encode()
            writer.add_message(topics[each.topic], log_time=at, publish_time=at, data=data)
        writer.finish()


def _said(message: _Message, channels: tuple[Channel, ...]) -> dict[str, object]:
    """By channel in its unit; a number that is none is null, for JSON has no word for it."""
    said: dict[str, object] = dict(message.facts)
    begin = 0
    for each in channels:
        numbers = message.numbers[begin : begin + each.size] * each.scale
        said[each.name] = [number if np.isfinite(number) else None for number in numbers.tolist()]
        begin += each.size
    return said
