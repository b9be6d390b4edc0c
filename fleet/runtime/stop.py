"""A robot's stop, kept in its folder: it outlives every process, and a person alone ends it.

Who stops is `fleet.runtime.drive` at work and `fleet.runtime.training` in practice.
"""

from __future__ import annotations

from pathlib import Path

from fleet.robot_folder import RobotFolder
from skills.errors import ConflictError
from skills.files import write_atomically

__all__ = ["check_released", "keep_stop", "release", "stop_of"]

REASON_LIMIT = 4096


def stop_of(bench: RobotFolder) -> str:
    """Why the robot is stopped; empty where it is not."""
    try:
        with _file(bench).open(encoding="utf-8") as file:
            return file.read(REASON_LIMIT)
    except FileNotFoundError:
        return ""


def check_released(bench: RobotFolder) -> None:
    """Nothing moves a robot that is stopped.

    Raises:
        ConflictError: It is, and nobody has released it.
    """
    if reason := stop_of(bench):
        raise ConflictError(
            f"this robot is stopped: {reason}", where="robot", remedy="Look at it, then: zunft robot release."
        )


def keep_stop(bench: RobotFolder, reason: str) -> None:
    """It is stopped from now on."""
    write_atomically(_file(bench), reason[:REASON_LIMIT].encode(), mode=0o600)


def release(bench: RobotFolder) -> str:
    """A person has looked at the robot: it may move again. Returns why it was stopped."""
    reason = stop_of(bench)
    _file(bench).unlink(missing_ok=True)
    return reason


def _file(bench: RobotFolder) -> Path:
    return bench.home / "stopped.txt"
