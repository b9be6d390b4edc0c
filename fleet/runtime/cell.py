"""A cell behind a socket as a robot: `cell://HOST:PORT`; what is said on it is `fleet.cell.frames`'."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from fleet.cell.faults import FAULTS
from fleet.cell.frames import REASONS, VERSION, Frames, Kind, pack
from fleet.place import RobotError
from fleet.runtime.loop import Clock
from fleet.runtime.robot import Joints, Numbers, Observed
from skills.errors import RequestError
from skills.manifest import Contract

__all__ = ["CellRobot", "order_fault", "place_of"]

PATIENCE = 0.5
"""Seconds that a cell may take to answer; it stands still by itself long before."""
SEEN = 4  # numbers before those that were sensed
MOST_JOINTS = 64


class CellRobot:
    """Drives a cell in another process.

    Args:
        place: Host and port.
        contract: What the cell must serve.
        clock: The loop's; a cell says how old its observations are, so clocks need not agree.
        patience: Seconds until a cell that does not answer counts as lost.
    """

    def __init__(
        self, place: tuple[str, int], contract: Contract, clock: Clock, patience: float = PATIENCE
    ) -> None:
        self._line = _Line(place, patience)
        self._contract, self._clock = contract, clock
        self._joints = 0

    def connect(self) -> None:
        """See `Robot`; also that the cell serves the contract."""
        self._line.open()
        wanted = (VERSION, self._contract.observation_size, self._contract.action_size)
        found = self._line.ask(Kind.HELLO, [1.0])
        self._joints = int(found[4]) if len(found) == SEEN + 1 and 0 <= found[4] <= MOST_JOINTS else 0
        if found[:3] != wanted or found[3:4] != (self._contract.control_hz,):
            self._line.close()
            raise RobotError(
                f"the cell serves {found[1:]}, and not {(*wanted[1:], self._contract.control_hz)} "
                "(inputs, outputs, Hz).",
                where="cell",
                remedy="Start it with the same task as the skill's.",
            )

    def observe(self) -> Observed:
        """What it senses; as old as the cell says when it was asked, so that the way counts, too."""
        asked = self._clock.now()
        found = self._line.ask(Kind.OBSERVE, [1.0] if self._joints else [])
        inside = 3 * self._joints
        if len(found) < SEEN + inside:
            raise RobotError("an observation without its age.", where="cell", remedy="Look at the cell.")
        age, over, success, busy = found[:SEEN]
        numbers = np.array(found[SEEN : len(found) - inside], np.float32)
        told = None if success < 0 or math.isnan(success) else bool(success)
        joints = Joints(*np.array(found[-inside:]).reshape(3, -1)) if inside else None
        return Observed(numbers, asked - age, bool(over), told, bool(busy), joints)

    def send(self, action: Numbers) -> NDArray[Any]:
        """See `Robot`."""
        return np.array(self._line.ask(Kind.SEND, [float(each) for each in action]))

    def hold(self) -> None:
        """See `Robot`."""
        self._line.ask(Kind.HOLD)

    def disconnect(self) -> None:
        """A cell whose connection ends stands still."""
        self._line.close()


def place_of(address: str) -> tuple[str, int]:
    """Host and port of `cell://HOST:PORT`.

    Raises:
        RequestError: It is no such address.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme != "cell":
        raise RequestError(f"{address} is no cell's address.", where="cell", remedy="Write cell://HOST:PORT.")
    return host, port


def order_fault(place: tuple[str, int], kind: str, value: float, after: float) -> None:
    """Have a cell fail, so many seconds of its time from now on.

    Raises:
        RequestError: There is no such fault.
        RobotError: It does not answer, or refuses.
    """
    if kind not in FAULTS:
        raise RequestError(
            f"there is no fault {kind!r}.", where="fault", remedy=f"Choose: {', '.join(FAULTS)}."
        )
    line = _Line(place, PATIENCE)
    line.open()
    try:
        line.ask(Kind.ORDER, [list(FAULTS).index(kind), value, after])
    finally:
        line.close()


class _Line:
    """One connection: a question, its answer."""

    def __init__(self, place: tuple[str, int], patience: float) -> None:
        self._place, self._patience = place, patience
        self._socket: socket.socket | None = None
        self._frames = Frames()

    def open(self) -> None:
        try:
            self._socket = socket.create_connection(self._place, self._patience)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise self._lost(str(error)) from error
        self._frames = Frames()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, kind: Kind, numbers: Sequence[float] = ()) -> tuple[float, ...]:
        if self._socket is None:
            raise self._lost("there is no connection")
        try:
            self._socket.sendall(pack(kind, numbers))
            while (frame := self._frames.take()) is None:
                data = self._socket.recv(self._frames.room)
                if not data:
                    raise ConnectionError("it closed the connection")
                self._frames.feed(data)
        except (OSError, RobotError) as error:
            self.close()  # an answer that comes later must not be taken for the next one's
            raise self._lost(str(error)) from error
        if frame.kind != Kind.ANSWER:
            reason = REASONS.get(frame.numbers[0] if frame.numbers else 0.0, "no reason that is known")
            raise RobotError(f"the cell refuses: {reason}.", where="cell", remedy="Look at the cell.")
        return frame.numbers

    def _lost(self, why: str) -> RobotError:
        host, port = self._place
        return RobotError(
            f"the cell at {host}:{port} is lost: {why}.",
            where="cell",
            remedy="Look at it, and start it again.",
        )
