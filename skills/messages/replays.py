"""Episodes as a browser plays them: shapes, the way of each body, and the traces that decided success."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from skills.manifest import Digest
from skills.messages.base import Message

__all__ = ["Episode", "Film", "Shape", "TraceLine"]

Numbers = tuple[float, ...]


class Shape(Message):
    """A geometric body, fixed to body number `body`; sizes as MuJoCo's, meshes as boxes around them."""

    body: int
    kind: Literal["plane", "sphere", "capsule", "ellipsoid", "cylinder", "box"]
    size: Numbers
    position: Numbers
    rotation: Numbers
    colour: Numbers


class TraceLine(Message):
    """A quantity that success or failure is judged by, after each step, with what it is held to.

    Attributes:
        low: It should be above this; None: no such bound.
        high: It should be below this.
        words: The condition for people.
        decided: Whether it kept the episode from succeeding.
        broken_at: When it was last broken for the first time without being kept again, s; None: never.
    """

    name: str
    unit: str
    values: tuple[float | None, ...]
    low: float | None = None
    high: float | None = None
    words: str
    decided: bool = False
    broken_at: float | None = None


class Episode(Message):
    """One job done by one player.

    Attributes:
        place: Its number among the jobs that were measured.
        kinds: What it is among them: `best`, `median`, `worst`, `failed`.
        poses: By frame, for each body: position, m, and quaternion (w, x, y, z).
        lines: What decided it.
    """

    place: int
    kinds: tuple[str, ...]
    success: bool
    gained: float
    poses: tuple[Numbers, ...]
    lines: tuple[TraceLine, ...]


class Film(Message):
    """Episodes of a version on one embodiment, and of a scripted controller on the same jobs.

    Attributes:
        seconds_a_frame: Between two poses.
        dt: Between two values of a trace, s.
        controller: Its name; empty where the task brings none.
        theirs: The controller's episodes, by place as in `episodes`.
    """

    skill: str
    version: int
    digest: Digest
    task: str
    embodiment: str
    measured: int = Field(ge=1)
    succeeded: int = Field(ge=0)
    seconds_a_frame: float
    dt: float
    shapes: tuple[Shape, ...]
    episodes: tuple[Episode, ...]
    controller: str = ""
    theirs: tuple[Episode, ...] = ()
