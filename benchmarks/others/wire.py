"""A relay on this machine that counts what passes, whatever is spoken: one measure for every protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

__all__ = ["Wire", "relay"]

PIECE = 2**16


@dataclass
class Wire:
    """A relay's own port, and the bytes that passed it both ways so far."""

    port: int = 0
    passed: int = 0


@contextmanager
def relay(to: int) -> Iterator[Wire]:
    """Listen on a free port of this machine for the block, and pass everything on to port `to`."""
    wire, loop, ready = Wire(), asyncio.new_event_loop(), threading.Event()

    async def listen() -> None:
        server = await asyncio.start_server(lambda *ends: _join(wire, to, *ends), "127.0.0.1", 0)
        wire.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    task = loop.create_task(listen())
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


async def _join(wire: Wire, to: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, until either end has closed."""
    try:
        on, back = await asyncio.open_connection("127.0.0.1", to)
    except OSError:  # not up yet: whoever asks asks again
        writer.close()
        return
    async with asyncio.TaskGroup() as both:
        both.create_task(_pump(wire, reader, back))
        both.create_task(_pump(wire, on, writer))


async def _pump(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            wire.passed += len(piece)
            writer.write(piece)
            await writer.drain()
    writer.close()
