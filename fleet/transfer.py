"""Large files to and from a hub: past it where it says so, and on from where an earlier try ended.

Nothing here is remembered between tries but what is on disk: the part of a file that came, and at the hub
the parts that it has. When to try again is left to `fleet.agent`, what to believe to `fleet.client`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from fleet.connection import Connection
from skills.errors import HubUnreachableError, ZunftError
from skills.files import Blob
from skills.messages.base import API, BLOB
from skills.messages.uploads import MissingPart, UploadRequest, UploadView

__all__ = ["ONE_REQUEST", "pull", "push", "slowest"]

ONE_REQUEST = 8 * 1024**2
"""Bytes of a file that still goes to the hub in one request."""

BYTES_PER_SECOND = 10_000  # the slowest link on which a large file may still take its time
TRIES = 3
AGAIN = {"incomplete_upload", "unknown_upload", "wrong_digest"}
"""What a hub says when parts were lost or damaged on their way: they are sent once more."""

T = TypeVar("T")


def slowest(connection: Connection, size: int) -> float:
    """Seconds that so many bytes may take."""
    return connection.seconds + size / BYTES_PER_SECOND


def pull(connection: Connection, path: str, target: Path, size: int) -> None:
    """Fetch a file of this size; what is in `target` already is taken as its beginning.

    Raises:
        HubUnreachableError: It broke off; `target` has what came, pull again.
        ArtefactError: There is more of it than was announced.
        ZunftError: The hub refused, as its error says.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a+b") as file:
        connection.download(path, file, size, slowest(connection, size))


def push(connection: Connection, request: UploadRequest, blob: Blob, answer: type[T]) -> T:
    """Bring an announced file in parts, those that the hub does not have.

    Raises:
        HubUnreachableError: It broke off; push again, and what has arrived is not sent twice.
        ZunftError: The hub refused, as its error says.
    """
    for _ in range(TRIES):
        view = connection.ask(UploadView, "POST", f"{API}/uploads", request)
        path = f"{API}/uploads/{view.upload_id}"
        try:
            for part in view.missing:
                _bring(connection, path, part, blob)
            # The hub reads all of the file before it answers, and perhaps those of others before.
            reply = connection.send("POST", f"{path}/complete", seconds=slowest(connection, request.size))
        except ZunftError as error:
            if error.code not in AGAIN:
                raise
            continue
        return connection.parse(answer, reply)
    raise HubUnreachableError(
        f"parts of a file of {request.size} bytes were lost or damaged {TRIES} times.",
        where=connection.base_url,
        remedy="Look at what lies between here and the hub.",
    )


def _bring(connection: Connection, path: str, part: MissingPart, blob: Blob) -> None:
    data = bytes(blob[part.offset : part.offset + part.size])
    seconds = slowest(connection, part.size)
    if part.url:
        connection.put_elsewhere(part.url, data, seconds)
    else:
        headers = {"Content-Type": BLOB}
        connection.send("PUT", f"{path}/parts/{part.number}", body=data, headers=headers, seconds=seconds)
