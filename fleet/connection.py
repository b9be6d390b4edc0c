"""HTTP to a hub: size and time limits, counted bytes, errors. With `fleet.client` all that speaks HTTP.

Knows no routes; what is asked and whether the answer is trusted is left to `fleet.client`. Retrying
is left to `fleet.agent`: every failure that a retry may mend is a HubUnreachableError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

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
from skills.messages import ErrorBody

__all__ = ["MESSAGE_LIMIT", "Answer", "Connection", "Traffic"]

MESSAGE_LIMIT = 16 * 1024**2  # bytes of a JSON answer; a campaign of a thousand rounds has about 2 MB
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
    """A successful answer, read whole."""

    status: int
    body: bytes


@dataclass
class Connection:
    """One hub, seen from one client.

    Attributes:
        base_url: Where the hub is, such as `http://hub.example:8750`.
        auth: Adds the caller's proof or token to each request.
        transport: How bytes travel; None is the network.
        seconds: Longest wait for a connection, for each chunk, and for a whole JSON answer.
        timer: Monotonic seconds.
    """

    base_url: str
    auth: httpx.Auth | None = None
    transport: httpx.BaseTransport | None = None
    seconds: float = 30.0
    timer: Callable[[], float] = time.monotonic
    traffic: Traffic = field(default_factory=Traffic)

    def __post_init__(self) -> None:
        _check_url(self.base_url)
        self._http = httpx.Client(
            base_url=self.base_url,
            auth=self.auth,
            transport=self.transport,
            timeout=self.seconds,
            # Our limits count what travels: no compressed answer may unfold into more.
            headers={"Accept-Encoding": "identity", "User-Agent": "zunft"},
        )

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

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
            HubUnreachableError: No answer, a broken or slow one, or status 5xx or 429.
            ArtefactError: The answer is larger than the limit.
            ZunftError: The hub refused, as its error says.
        """
        with self._open(method, path, body, headers) as response:
            content = self._read(response, limit, self.timer() + (seconds or self.seconds))
        self.traffic.received += len(content)
        if not response.is_success:
            raise _error_from(response, content)
        return Answer(response.status_code, content)

    def lines(self, path: str, headers: Mapping[str, str]) -> Iterator[str]:
        """Lines of an endless answer, until the hub ends it."""
        with self._open("GET", path, b"", headers) as response:
            if not response.is_success:
                raise _error_from(response, self._read(response, MESSAGE_LIMIT, float("inf")))
            yield from response.iter_lines()

    @contextmanager
    def _open(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None
    ) -> Iterator[httpx.Response]:
        try:
            request = self._http.build_request(method, path, content=body, headers=headers)
            response = self._http.send(request, stream=True)
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

    def _read(self, response: httpx.Response, limit: int, until: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > limit:
                raise ArtefactError(
                    f"the hub sent more than the {limit} bytes that were agreed.",
                    where=str(response.url),
                    code="too_large",
                )
            if self.timer() > until:
                raise HubUnreachableError(
                    f"the answer trickled: {len(content)} bytes when time was up.", where=str(response.url)
                )
        return bytes(content)


def _check_url(text: str) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise RequestError(
            f"{text!r} is not a hub's address.", where="hub", remedy="Write it like http://hub.example:8750."
        )


def _size(headers: httpx.Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.raw)


def _error_from(response: httpx.Response, content: bytes) -> ZunftError:
    status = response.status_code
    try:
        detail = ErrorBody.model_validate_json(content).error
    except ValidationError:
        kind = HubUnreachableError if _passes(status) else _BY_STATUS.get(status, RequestError)
        message = f"answered with status {status}, and not as a hub does."
        return kind(message, where=str(response.url), retry_after=_retry_after(response))
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
