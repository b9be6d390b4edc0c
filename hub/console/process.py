"""The process that builds the console's pages: a hub's services on the same database, and nothing at work.

It gives way to the process that answers robots, and is reached by that alone: see `hub.console.apart`.
"""

from __future__ import annotations

import os
import signal
import socket

import uvicorn
from starlette.types import Receive, Scope, Send

from hub.children import end_with_parent
from hub.console.reading import SCOPE_KEY, SNAPSHOTS_KEY
from hub.log import configure_logging
from hub.services import Services, open_services
from hub.settings import Settings
from skills.files import keep_private

__all__ = ["serve_pages"]

NICENESS = 10
GRACE_SECONDS = 1
LOOK_SECONDS = 0.2
"""Pages show what happened soon; on SQLite nobody tells this process of it."""


def serve_pages(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM, or until the process is gone that started this one.

    Args:
        settings: Of the hub.
        listener: Where that process asks.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the hub's, which then ends this one
    os.nice(NICENESS)
    keep_private()
    configure_logging(settings.log_level)
    services = open_services(settings)
    services.events.listener.look_seconds = LOOK_SECONDS
    services.listen()
    try:
        _serve(services, listener)
    finally:
        services.close()


def _serve(services: Services, listener: socket.socket) -> None:
    from hub.console import live, pages  # noqa: PLC0415 - whoever starts this process need not load them

    built = pages.build()
    given = {SCOPE_KEY: services, SNAPSHOTS_KEY: live.snapshots(services)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await built({**scope, **given}, receive, send)

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        forwarded_allow_ips="*",  # what the other process says of a browser
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run([listener])
