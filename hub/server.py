"""The hub as a process: uvicorn, and an end that does not wait for endless streams."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Mapping

import structlog
import uvicorn
from fastapi import FastAPI

from hub.app import create_app
from hub.clock import Clock, utc_now
from hub.console.apart import PagesApart
from hub.log import configure_logging
from hub.protocol import Doorway
from hub.queue.background_loop import BackgroundLoop
from hub.services import Services
from hub.settings import Settings
from hub.workers.job import Gate
from skills.files import keep_private

__all__ = ["Beside", "nothing_beside", "serve"]

SOCKET_MESSAGE = 64 * 1024
"""Most bytes that a page of the console may send at once."""
BETWEEN_COLLECTIONS = (10_000, 20, 20)
"""Requests under way are some thousand objects that all come to their end: they are seldom looked through."""


Beside = Callable[[Services], Mapping[str, Callable[[], float]]]
"""Loops by name; each returns after how many seconds to look again."""


def nothing_beside(_: Services) -> Mapping[str, Callable[[], float]]:
    """No further loops."""
    return {}


class HubServer(uvicorn.Server):
    """Ends event streams first: uvicorn waits for open answers before it closes the app."""

    def __init__(self, config: uvicorn.Config, services: Services, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._services = services
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where: the line that scripts and people wait for."""
        await super().startup(sockets)
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
                self._announce(address)
                structlog.get_logger("zunft.hub").info("hub.listening", address=address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wake everybody who waits, then go down."""
        self._services.close_streams()
        await super().shutdown(sockets)
        structlog.get_logger("zunft.hub").info("hub.closed")


def serve(
    settings: Settings,
    *,
    gate: Gate | None = None,
    clock: Clock = utc_now,
    listener: socket.socket | None = None,
    announce: Callable[[str], None] = lambda _address: None,
    beside: Beside = nothing_beside,
) -> None:
    """Run a hub until SIGTERM or SIGINT; see `create_app` for `gate` and `clock`.

    Args:
        settings: The hub's configuration.
        gate: See `create_app`.
        clock: The time.
        listener: Where to listen, if that was opened already; see `hub.supervisor`.
        announce: Told the address once the hub listens there.
        beside: What is done in the background besides its own work, by whoever knows more than a hub.

    Raises:
        SettingsError, StoreError: The database or the store cannot be used.
    """
    keep_private()
    configure_logging(settings.log_level)
    app = create_app(settings, gate=gate, clock=clock, pages=PagesApart)
    services: Services = app.state.services
    services.storage.stores.check()
    services.loops.extend(
        BackgroundLoop(name, work, services.storage.bell, services.metrics)
        for name, work in beside(services).items()
    )
    gc.collect()
    gc.freeze()  # what is loaded by now stays: full collections, while which all wait, pass it over
    gc.set_threshold(*BETWEEN_COLLECTIONS)
    HubServer(_uvicorn_config(app, settings), services, announce).run([listener] if listener else None)


def _uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=SOCKET_MESSAGE,
        http=Doorway.of(
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            body_bytes=settings.body_bytes,
            most=settings.connections_per_address,
            proxies=os.environ.get("FORWARDED_ALLOW_IPS", "").replace("*", "0.0.0.0/0,::/0"),
        ),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
