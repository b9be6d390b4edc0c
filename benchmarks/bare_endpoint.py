"""The least that FastAPI can do of what a hub does, for ratios: answer, take a body, hold and wake listeners.

No database, no signatures, no checks; uvicorn with one worker, as the hub's. `running_endpoint` starts it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from zunft.hub_process import free_port

__all__ = ["running_endpoint"]

START_SECONDS = 30


class Broadcast:
    """Wakes everybody who waits, with a number."""

    def __init__(self) -> None:
        self.number = 0
        self._condition = asyncio.Condition()

    async def tell(self) -> None:
        """Wake them."""
        async with self._condition:
            self.number += 1
            self._condition.notify_all()

    async def after(self, number: int) -> int:
        """Wait for a greater number."""
        async with self._condition:
            await self._condition.wait_for(lambda: self.number > number)
        return self.number


def create_app() -> FastAPI:
    """The endpoints."""
    app, news = FastAPI(), Broadcast()

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/deltas")
    async def take(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @app.post("/news")
    async def tell() -> dict[str, str]:
        await news.tell()
        return {"status": "ok"}

    @app.get("/wait")
    async def wait() -> dict[str, int]:
        return {"number": await news.after(news.number)}

    @app.get("/events")
    async def listen() -> StreamingResponse:
        return StreamingResponse(_lines(news), media_type="text/event-stream")

    return app


async def _lines(news: Broadcast) -> AsyncIterator[bytes]:
    last = news.number
    yield b": hello\n\n"
    while True:
        last = await news.after(last)
        event = {"id": last, "kind": "version.added", "data": {"version": last}}
        yield b"data: " + json.dumps(event).encode() + b"\n\n"


@contextmanager
def running_endpoint() -> Iterator[str]:
    """Start it in a process of its own; yields its address."""
    port = free_port()
    environment = {**os.environ, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", __name__], env=environment)  # noqa: S603 - our own words
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/ping")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    uvicorn.run(create_app(), port=int(os.environ["PORT"]), access_log=False, log_level="warning")
