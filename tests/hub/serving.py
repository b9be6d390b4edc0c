"""A hub of these tests behind a real port, in a thread: for what needs sockets and several connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.hub.conftest import Hall

START_SECONDS = 30.0


@contextmanager
def served(hall: Hall) -> Iterator[str]:
    """The hub's address; its engine runs meanwhile. Closes the hub."""
    config = uvicorn.Config(hall.app, port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("the hub did not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
