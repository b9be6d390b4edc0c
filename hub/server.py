"""The hub as a process: logging, uvicorn, and an end that does not wait for endless streams."""

from __future__ import annotations

import logging
import socket
import sys

import structlog
import uvicorn
from fastapi import FastAPI

from hub.app import create_app
from hub.services import Services
from hub.settings import Settings

__all__ = ["configure_logging", "serve"]


class HubServer(uvicorn.Server):
    """Ends event streams first: uvicorn waits for open answers before it closes the app."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where: the line that scripts and people wait for."""
        await super().startup(sockets)
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                structlog.get_logger("zunft.hub").info("hub.listening", address=f"http://{host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wake everybody who waits, then go down."""
        self._services.close_streams()
        await super().shutdown(sockets)
        structlog.get_logger("zunft.hub").info("hub.closed")


def serve(settings: Settings) -> None:
    """Run a hub until SIGTERM or SIGINT.

    Raises:
        SettingsError, StoreError: The database or the store cannot be used.
    """
    configure_logging(settings.log_level)
    app = create_app(settings)
    services: Services = app.state.services
    services.stores.check()
    HubServer(_uvicorn_config(app, settings), services).run()


def configure_logging(level: str) -> None:
    """One JSON document a line on standard error, for the hub's own lines and those of libraries."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelName(level)), force=True
    )


def _uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
