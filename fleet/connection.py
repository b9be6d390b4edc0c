"""HTTP to a hub: size and time limits, counted bytes, errors. With `fleet.client` all that speaks HTTP.

Knows no routes; what is asked and whether the answer is trusted is left to `fleet.client`. Retrying
is left to `fleet.agent`: every failure that a retry may mend is a HubUnreachableError.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import SEEK_END
from typing import BinaryIO, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from fleet.place import StoppedError
from skills.errors import (
    ArtefactError,
    CodecError,
    ConflictError,
    ContractError,
    ForbiddenError,
    HubUnreachableError,
    NotFoundError,
    RequestError,
    SignatureError,
    TooLargeError,
    UnauthorizedError,
    ZunftError,
)
from skills.lines import is_protected
from skills.messages.base import ErrorBody

__all__ = ["INSECURE", "NOT_MODIFIED", "Answer", "Connection", "Traffic"]

INSECURE = "ZUNFT_INSECURE"
"""Environment variable: not empty where plain HTTP to another machine will do; `zunft --insecure` sets it."""

MESSAGE_LIMIT = 16 * 1024**2  # bytes of a JSON answer; a campaign of a thousand rounds has about 2 MB
PARTIAL_CONTENT, NOT_MODIFIED, TEMPORARY_REDIRECT = 206, 304, 307
JSON = {"Content-Type": "application/json"}
T = TypeVar("T")

_BY_CODE: dict[str, type[ZunftError]] = {
    kind.code: kind
    for kind in (
        ArtefactError,
        CodecError,
        ConflictError,
        ContractError,
        ForbiddenError,
        NotFoundError,
        RequestError,
        SignatureError,
        TooLargeError,
        UnauthorizedError,
    )
}
_BY_STATUS: dict[int, type[ZunftError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: ArtefactError,
}


@dataclass
class Traffic:
    """Bytes of headers and bodies in both directions, of requests that were answered."""

    sent: int = 0
    received: int = 0


@dataclass(frozen=True)
class Answer:
    """A successful answer, read whole; or none, where what the caller has is the newest.

    Attributes:
        tag: What the hub calls what it answered, its ETag; empty: nothing.
    """

    status: int
    body: bytes
    tag: str = ""


@dataclass
class Connection:
    """One hub, seen from one client.

    Attributes:
        base_url: Where the hub is, such as `http://hub.example:8750`.
        auth: Adds the caller's proof or token to each request.
        transport: How bytes travel; None is the network.
        seconds: Longest wait for a connection, for each chunk, and for a whole JSON answer.
        timer: Monotonic seconds.
        stopped: Whether whoever asks is to end, and no longer wants an answer.
        waiting: Whether an answer is being waited for; then a signal may raise StoppedError.
    """

    base_url: str
    auth: httpx.Auth | None = None
    transport: httpx.BaseTransport | None = None
    seconds: float = 30.0
    timer: Callable[[], float] = time.monotonic
    stopped: Callable[[], bool] = lambda: False
    traffic: Traffic = field(default_factory=Traffic)
    waiting: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        _check_url(self.base_url)
        if self.transport is None and not os.environ.get(INSECURE):
            _check_line(self.base_url)
        self._http = httpx.Client(
            base_url=self.base_url,
            auth=self.auth,
            transport=self.transport,
            timeout=self.seconds,
            # Our limits count what travels: no compressed answer may unfold into more.
            headers={"Accept-Encoding": "identity", "User-Agent": "zunft"},
        )
        # For a store that the hub points at: no proof or token of ours goes there.
        self._elsewhere = httpx.Client(transport=self.transport, headers={"Accept-Encoding": "identity"})

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()
        self._elsewhere.close()

    def ask(self, answer: type[T], method: str, path: str, message: BaseModel | None = None) -> T:
        """Send a message, or nothing, and read the answer as a model or a list of models.

        Raises:
            HubUnreachableError: No answer, or one that is not a hub's.
            ZunftError: The hub refused, as its error says.
        """
        if message is None:
            return self.parse(answer, self.send(method, path))
        body = message.model_dump_json().encode()
        return self.parse(answer, self.send(method, path, body=body, headers=JSON))

    def parse(self, answer: type[T], reply: Answer) -> T:
        """Read an answer's body as a model or a list of models.

        Raises:
            HubUnreachableError: Something else than a hub of this version answered.
        """
        try:
            return TypeAdapter(answer).validate_json(reply.body)
        except ValidationError as error:
            raise HubUnreachableError(
                f"something answered, but not with {answer} ({error.error_count()} deviations).",
                where=self.base_url,
                remedy="Check the address, and that hub and robot have the same version of Zunft.",
            ) from error

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        limit: int = MESSAGE_LIMIT,
        seconds: float | None = None,
    ) -> Answer:
        """Send bytes and read the answer, at most `limit` bytes of it within `seconds`.

        Raises:
            HubUnreachableError: No answer, a broken or slow one, not a hub's, or status 5xx or 429.
            ArtefactError: The answer is larger than the limit.
            ZunftError: The hub refused, as its error says.
        """
        wait = seconds or self.seconds
        with self._open(self._http, method, path, body, headers, wait) as response:
            content = self._read(response, limit, self.timer() + wait)
        self.traffic.received += len(content)
        if not (response.is_success or response.status_code == NOT_MODIFIED):
            raise _error_from(response, content)
        return Answer(response.status_code, content, response.headers.get("ETag", ""))

    def download(self, path: str, file: BinaryIO, size: int, seconds: float) -> None:
        """Fetch what is missing of a file of this size into an open one that has its beginning.

        A hub may point at a store, which is asked without credentials.

        Raises:
            HubUnreachableError, ArtefactError, ZunftError: As `send`; what came is in the file.
        """
        have = file.seek(0, SEEK_END)
        if have == size:
            return
        if have > size:
            have = file.truncate(0)
        headers = {"Range": f"bytes={have}-"} if have else {}
        until = self.timer() + seconds
        with self._open(self._http, "GET", path, b"", headers, self.seconds) as response:
            if response.status_code != TEMPORARY_REDIRECT:
                self._save(response, file, size, until)
                return
            address = self._allowed(response.headers.get("Location", ""))
        with self._open(self._elsewhere, "GET", address, b"", headers, self.seconds) as response:
            self._save(response, file, size, until)

    def put_elsewhere(self, address: str, body: bytes, seconds: float) -> None:
        """PUT bytes where the hub said, which is no hub: without credentials.

        Raises:
            HubUnreachableError: They were not taken; ask the hub again.
        """
        with self._open(self._elsewhere, "PUT", self._allowed(address), body, {}, seconds) as response:
            content = self._read(response, MESSAGE_LIMIT, self.timer() + seconds)
        if not response.is_success:
            raise _broken(response, f"answered with status {response.status_code}: {content[:200]!r}.")

    def lines(self, path: str, headers: Mapping[str, str]) -> Iterator[str]:
        """Lines of an endless answer, until the hub ends it."""
        with self._open(self._http, "GET", path, b"", headers, self.seconds) as response:
            if not response.is_success:
                raise _error_from(response, self._read(response, MESSAGE_LIMIT, float("inf")))
            yield from response.iter_lines()

    @contextmanager
    def _open(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> Iterator[httpx.Response]:
        self.waiting = True  # first: a signal that comes after the question finds it
        try:
            if self.stopped():
                raise StoppedError
            patience = httpx.Timeout(self.seconds, read=seconds)
            request = client.build_request(method, path, content=body, headers=headers, timeout=patience)
            response = client.send(request, stream=True)
            self.traffic.sent += len(body) + _size(response.request.headers)
            self.traffic.received += _size(response.headers)
            try:
                yield response
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise HubUnreachableError(
                f"the hub did not answer ({type(error).__name__}: {error}).",
                where=self.base_url,
                remedy="Check that it runs and can be reached from here.",
            ) from error
        finally:
            self.waiting = False

    def _save(self, response: httpx.Response, file: BinaryIO, size: int, until: float) -> None:
        """Add an answer to a file, or begin anew where all of it comes; it is whole afterwards."""
        if not response.is_success:
            raise _error_from(response, self._read(response, MESSAGE_LIMIT, until))
        have = file.seek(0, SEEK_END) if response.status_code == PARTIAL_CONTENT else file.seek(0)
        file.truncate()
        for chunk in response.iter_raw():
            file.write(chunk)
            have += len(chunk)
            self.traffic.received += len(chunk)
            self._check_progress(response, have, size, until)
        file.flush()
        os.fsync(file.fileno())
        if have != size:
            raise _broken(response, f"the file ended after {have} of {size} bytes.")

    def _check_progress(self, response: httpx.Response, have: int, limit: int, until: float) -> None:
        if have > limit:
            raise ArtefactError(
                f"the hub sent more than the {limit} bytes that were agreed.",
                where=_place(response),
                code="too_large",
            )
        if self.timer() > until:
            raise _broken(response, f"the answer trickled: {have} bytes when time was up.")

    def _allowed(self, address: str) -> str:
        """An address elsewhere, no less protected than the hub's own."""
        url = _parsed(address)
        if url is None or (self.base_url.startswith("https:") and url.scheme != "https"):
            raise HubUnreachableError(
                "the hub points at an address that cannot be used.",
                where=self.base_url,
                remedy="Tell its operator: ZUNFT_S3_DIRECT_URL is to begin with https where the hub's does.",
            )
        return address

    def _read(self, response: httpx.Response, limit: int, until: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            self._check_progress(response, len(content), limit, until)
        return bytes(content)


def _parsed(text: str) -> httpx.URL | None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return None
    return url if url.scheme in {"http", "https"} and url.host else None


def _check_url(text: str) -> None:
    if _parsed(text) is None:
        raise RequestError(
            f"{text!r} is not a hub's address.", where="hub", remedy="Write it like http://hub.example:8750."
        )


def _check_line(address: str) -> None:
    if not is_protected(address):
        raise RequestError(
            f"{address} is plain HTTP to another machine: everybody on the way could read tokens and change "
            "what comes.",
            where="hub",
            remedy="Use the hub's https address; where the network itself is protected, "
            f"`zunft --insecure ...` or {INSECURE}=1.",
            code="insecure_line",
        )


def _size(headers: httpx.Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.raw)


def _place(response: httpx.Response) -> str:
    """Where an answer came from, without the signature that an address of a store has in its query."""
    return str(response.url.copy_with(query=None))


def _broken(response: httpx.Response, what: str) -> HubUnreachableError:
    return HubUnreachableError(what, where=_place(response), remedy="It is tried again from there.")


def _error_from(response: httpx.Response, content: bytes) -> ZunftError:
    status = response.status_code
    try:
        detail = ErrorBody.model_validate_json(content).error
    except ValidationError:
        # Not the hub: a proxy, a captive portal. What it says of the request is not the hub's word.
        return HubUnreachableError(
            f"something answered with status {status}, and not as a hub does.",
            where=_place(response),
            remedy="Check the address, and what lies between here and the hub.",
            retry_after=_retry_after(response),
        )
    kind = _BY_CODE.get(detail.code) or _BY_STATUS.get(status, RequestError)
    if _passes(status):
        kind = HubUnreachableError
    return kind(
        detail.message,
        where=detail.where,
        remedy=detail.remedy,
        code=detail.code,
        retry_after=_retry_after(response),
    )


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the answer asks to wait; 0 where it says none, or a date, which we never send."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _passes(status: int) -> bool:
    return status >= 500 or status == 429
