"""A cell behind a socket: one driver at a time, and whoever orders faults; one thread, everything bounded.

It listens where it is told, by default on this machine alone: a cell believes whoever can reach it.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import numpy as np

from fleet.cell.cell import Cell
from fleet.cell.faults import FAULTS
from fleet.cell.frames import BROKEN, BUSY, VERSION, Frame, Frames, Kind, pack
from fleet.place import RobotError

__all__ = ["CellServer"]

CONNECTIONS = 8
LOOKS = 0.05
"""Seconds between two looks whether it is over, at most."""


def _die() -> NoReturn:
    os._exit(137)


class CellServer:
    """Serves a cell.

    Args:
        cell: The simulation.
        host: Where to listen.
        port: 0: a free one.
        clock: Seconds that pass for the cell; None: a period passes with each SEND or HOLD instead, so that a
            driver whose own time is virtual finds the same, however fast it goes.
        die: How a cell is killed to order.
    """

    def __init__(
        self,
        cell: Cell,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        clock: Callable[[], float] | None,
        die: Callable[[], None] = _die,
    ) -> None:
        self._cell, self._clock, self._die = cell, clock, die
        self._start = clock() if clock else 0.0
        self._listener = socket.create_server((host, port), backlog=CONNECTIONS)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._come: dict[socket.socket, Frames] = {}
        self._driver: socket.socket | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def serve(self, is_over: Callable[[], bool]) -> None:
        """Until somebody wants it to end."""
        wait = min(LOOKS, 0.5 / self._cell.contract.control_hz) if self._clock else LOOKS
        while not is_over():
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._hear(key.fileobj)  # type: ignore[arg-type]  # sockets alone are registered
            self._pass_time()
        for connection in list(self._come):
            self._close(connection)
        self._selector.close()
        self._listener.close()

    def _pass_time(self) -> None:
        if self._clock:
            self._cell.run_until(self._clock() - self._start)

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._come) >= CONNECTIONS:
                connection.close()
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._come[connection] = Frames()
            self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: socket.socket) -> None:
        frames = self._come[connection]
        try:
            data = connection.recv(frames.room)
            frames.feed(data)
            while data and connection in self._come and (frame := frames.take()):
                self._pass_time()
                self._answer(connection, frame)
        except (OSError, RobotError):
            data = b""
        if not data:
            self._close(connection)

    def _answer(self, connection: socket.socket, frame: Frame) -> None:
        if frame.kind == Kind.ORDER:
            self._say(connection, self._order(frame))
            return
        now, faults = self._cell.time, self._cell.faults
        if faults.value("killed", now) is not None:
            self._die()
        if faults.value("disconnected", now) is not None:
            self._close(connection)
        elif faults.value("silent", now) is None:
            self._say(connection, self._serve_driver(connection, frame))

    def _serve_driver(self, connection: socket.socket, frame: Frame) -> bytes:
        if self._driver not in {None, connection}:
            return pack(Kind.REFUSED, [BUSY])
        self._driver, cell, contract = connection, self._cell, self._cell.contract
        if frame.kind == Kind.HELLO:
            sizes = [contract.observation_size, contract.action_size, contract.control_hz]
            return pack(Kind.ANSWER, [VERSION, *sizes, *([cell.joints] if frame.numbers else [])])
        if frame.kind == Kind.OBSERVE:
            age, over, success, busy, numbers, joints = cell.observe()
            told = -1.0 if success is None else float(success)
            inside = joints.ravel().tolist() if frame.numbers and joints is not None else []
            return pack(Kind.ANSWER, [age, float(over), told, float(busy), *numbers, *inside])
        if frame.kind not in {Kind.SEND, Kind.HOLD}:
            return pack(Kind.REFUSED, [BROKEN])
        try:
            sent = [] if frame.kind == Kind.HOLD else cell.command(np.array(frame.numbers)).tolist()
        except RobotError:
            cell.hold()
            return pack(Kind.REFUSED, [BROKEN])
        if frame.kind == Kind.HOLD:
            cell.hold()
        if self._clock is None:
            cell.pass_period()
        return pack(Kind.ANSWER, sent)

    def _order(self, frame: Frame) -> bytes:
        if len(frame.numbers) != 3 or not np.isfinite(frame.numbers).all():
            return pack(Kind.REFUSED, [BROKEN])
        number, value, after = frame.numbers
        if number not in range(len(FAULTS)) or value < 0 or after < 0:
            return pack(Kind.REFUSED, [BROKEN])
        self._cell.faults.order(list(FAULTS)[int(number)], value, self._cell.time + after)
        return pack(Kind.ANSWER)

    def _say(self, connection: socket.socket, said: bytes) -> None:
        if connection.send(said) < len(said):
            self._close(connection)  # whoever does not read his answers is no driver

    def _close(self, connection: socket.socket) -> None:
        if self._come.pop(connection, None) is None:
            return
        self._selector.unregister(connection)
        connection.close()
        if connection is self._driver:
            self._driver = None
            self._cell.leave()
