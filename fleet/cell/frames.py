"""What goes over a cell's socket: frames of a kind and some numbers, and nothing else.

    kind    1 byte
    count   2 bytes, at most 4096
    numbers count times 8 bytes, IEEE 754 doubles

All little-endian. A driver says HELLO, then OBSERVE, SEND and HOLD; anybody may ORDER faults. Each frame is
answered by one ANSWER, or by REFUSED with a reason's number. What a cell makes of them: `fleet.cell.server`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from fleet.place import RobotError

__all__ = ["BROKEN", "BUSY", "LIMIT", "REASONS", "VERSION", "Frame", "Frames", "Kind", "pack"]

VERSION = 1.0
LIMIT = 4096
"""Numbers in a frame, at most."""
HEADER = struct.Struct("<BH")
LONGEST = HEADER.size + 8 * LIMIT
BROKEN, BUSY = 1.0, 2.0
REASONS = {
    BROKEN: "the cell does not understand what was sent",
    BUSY: "somebody else drives the cell",
}


class Kind(IntEnum):
    """What a frame says, and which numbers it brings.

    HELLO nothing; answered by version, inputs, outputs, control rate in Hz. With a 1: then by the number of
    joints that are sensed, too; a cell of before leaves that out.
    OBSERVE nothing; answered by age in seconds, over, success (-1: unknown), busy, then what is sensed. With
    a 1: then by positions, velocities and efforts of the joints, too.
    SEND an action; answered by what was really sent. HOLD nothing; answered by nothing.
    ORDER number of the fault, its value, seconds of the cell's time until it begins; answered by nothing.
    """

    HELLO = 1
    OBSERVE = 2
    SEND = 3
    HOLD = 4
    ORDER = 5
    ANSWER = 6
    REFUSED = 7


class Frame(NamedTuple):
    """One message."""

    kind: Kind
    numbers: tuple[float, ...]


def pack(kind: Kind, numbers: Sequence[float] = ()) -> bytes:
    """A frame as bytes."""
    return HEADER.pack(kind, len(numbers)) + struct.pack(f"<{len(numbers)}d", *numbers)


class Frames:
    """What has come of a stream, until it makes a frame; never more than one frame is kept unread."""

    def __init__(self) -> None:
        self._come = bytearray()

    @property
    def room(self) -> int:
        """How many bytes may be fed now."""
        return LONGEST - len(self._come)

    def feed(self, data: bytes) -> None:
        """So much more has come, at most `room`."""
        self._come += data

    def take(self) -> Frame | None:
        """The next frame, once it is whole.

        Raises:
            RobotError: What came is no frame.
        """
        if len(self._come) < HEADER.size:
            return None
        kind, count = HEADER.unpack_from(self._come)
        if kind not in set(Kind) or count > LIMIT:
            raise RobotError("what came is no frame.", where="cell", remedy="Look who is at the other end.")
        end = HEADER.size + 8 * count
        if len(self._come) < end:
            return None
        numbers = struct.unpack_from(f"<{count}d", self._come, HEADER.size)
        del self._come[:end]
        return Frame(Kind(kind), numbers)
