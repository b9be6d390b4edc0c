"""Counts and times every request by the template of its route, never by its address.

Outermost of all, so that it also sees what no route answered. The error code is left by `hub.api.errors`,
and `hub.api.uploads` says where a delta came in parts.
"""

from __future__ import annotations

import time
from http import HTTPMethod
from typing import Any, TypeVar

from prometheus_client.metrics import MetricWrapperBase
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.metrics import Metrics
from skills.messages.base import API

__all__ = ["Traffic"]

METHODS = frozenset(HTTPMethod)
ELSEWHERE = "other"
"""Route of the console's pages and of addresses that lead nowhere; method that is none of HTTP's."""

DELTAS = API + "/rounds/{round_id}/deltas"
CODES = {413: "too_large", 500: "internal_error"}
"""Error codes of answers that no error handler gave."""

ADMITTED = 201
REFUSED = 400

Metric = TypeVar("Metric", bound=MetricWrapperBase)


class Traffic:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._series = _Series()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        visit = _Visit(self._metrics, self._series, scope, receive, send)
        with self._metrics.open_requests.track_inprogress():
            try:
                await self._app(scope, visit.receive, visit.send)
            finally:
                visit.leave()


class _Series:
    """What a metric counts under some labels: found once, for with each request it is looked for anew."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Any] = {}

    def of(self, metric: Metric, *labels: str) -> Metric:
        """The metric under these labels, which are words of the code and therefore few."""
        key = metric, labels
        if key not in self._found:
            self._found[key] = metric.labels(*labels)
        found: Metric = self._found[key]
        return found


class _Visit:
    """One request on its way in and out."""

    def __init__(self, metrics: Metrics, series: _Series, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics = metrics
        self._of = series.of
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = time.monotonic()
        self._status = 0

    async def receive(self) -> Message:
        """Count a piece of the body."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._of(self._metrics.received, self._route()).inc(len(message.get("body", b"")))
        return message

    async def send(self, message: Message) -> None:
        """Count a piece of the answer, and stop the clock at its start."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            seconds = time.monotonic() - self._started
            self._of(self._metrics.answer_seconds, self._route(), self._method()).observe(seconds)
        elif message["type"] == "http.response.body":
            self._of(self._metrics.sent, self._route()).inc(len(message.get("body", b"")))
        await self._send(message)

    def leave(self) -> None:
        """Enter what became of it."""
        route, status = self._route(), self._status
        self._of(self._metrics.requests, route, self._method(), str(status)).inc()
        is_delta = (route == DELTAS and self._method() == HTTPMethod.POST) or self._scope["state"].get(
            "is_delta", False
        )
        if status >= REFUSED:
            code = self._scope["state"].get("error_code") or CODES.get(status, f"http_{status}")
            self._metrics.refusals.labels(route, code).inc()
            if is_delta:
                self._metrics.deltas_refused.labels(code).inc()
        elif is_delta and status:
            admitted = status == ADMITTED
            (self._metrics.deltas_admitted if admitted else self._metrics.deltas_repeated).inc()

    def _method(self) -> str:
        method: str = self._scope["method"]
        return method if method in METHODS else ELSEWHERE

    def _route(self) -> str:
        path: str = getattr(self._scope.get("route"), "path", ELSEWHERE)
        return path
