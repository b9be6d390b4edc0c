"""A stored file as an answer: whole or a range, past the hub where that is possible.

Bytes go out as they come from the store. A whole file that does not have its digest is never sent to its
end; of ranges the receiver finds out itself, as it has to do with every file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import chain

from fastapi import Response
from fastapi.responses import RedirectResponse, StreamingResponse

from hub.storage.objects.contract import damaged
from hub.storage.stored_file import StoredFile
from skills.errors import RequestError
from skills.messages.base import BLOB

__all__ = ["file_answer"]

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class UnsatisfiableRangeError(RequestError):
    """A range that begins behind the end of the file."""

    code = "unsatisfiable_range"
    status = 416


def file_answer(file: StoredFile, *, if_none_match: str, asked: str, if_range: str) -> Response:
    """The answer to a request with these headers.

    Args:
        file: What was asked for; its ETag is its digest in quotes.
        if_none_match: ETags that the caller has.
        asked: The header `Range`; one that we do not understand counts as none, as HTTP wants it.
        if_range: The ETag of which the caller wants a range; of another one it gets the whole file.

    Raises:
        UnsatisfiableRangeError: Nothing of the range is in the file.
        NotFoundError, StoreError: The store does not have the file, or has it damaged, or failed.
    """
    etag = f'"{file.digest}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Accept-Ranges": "bytes"}
    if etag in {each.strip().removeprefix("W/") for each in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    url = file.url()
    if url:
        # The store heeds `Range`. The address opens the file to whoever has it: nobody is to keep it.
        return RedirectResponse(url, 307, {**headers, "Cache-Control": "no-store"})
    span = _span(asked, file.size) if if_range in {"", etag} else None
    start, stop = span or (0, file.size)
    pieces = file.read(start, stop)
    if span is None:
        pieces = _verified(pieces, file.digest)
    else:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    first = next(pieces, b"")  # what is wrong from the start is still an error of its own
    headers["Content-Length"] = str(stop - start)
    status = 200 if span is None else 206
    return StreamingResponse(chain([first], pieces), status, headers, media_type=BLOB)


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None: all."""
    match = RANGE.fullmatch(asked.replace(" ", ""))
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":  # the last so many
        start, stop = max(0, size - int(match[2])), size
    else:
        start, stop = int(match[1]), min(size, int(match[2] or size - 1) + 1)
        if match[2] and int(match[2]) < start:
            return None
    if start >= stop:
        raise UnsatisfiableRangeError(
            f"the file has {size} bytes.", where="Range", remedy=f"Ask for bytes 0 to {size - 1}."
        )
    return start, stop


def _verified(pieces: Iterator[bytes], digest: str) -> Iterator[bytes]:
    """The same pieces; the last one only if all of them together have the digest."""
    found, held = hashlib.sha256(), b""
    for piece in pieces:
        if held:
            yield held
        found.update(piece)
        held = piece
    if "sha256:" + found.hexdigest() != digest:
        raise damaged(digest)
    yield held
