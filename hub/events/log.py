"""The hub's event log: what happened, in order, in the transaction that made it happen.

A listener that remembers the last number it saw can go on from there after any break; numbers of what it may
not see are left out. Sending the events over HTTP is left to `hub.api.events`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from hub.access.principal import Principal, Viewer
from hub.access.visibility import may_see_robots, seen_events
from hub.storage.database import Database
from hub.storage.paging import Order, page_of
from hub.storage.tables.events import EventRow
from skills.messages.events import Event
from skills.messages.lists import EventQuery, Page

__all__ = ["EventLog", "Heard", "Told", "audience", "event_view", "news"]

PAGE = 500
ORDER = Order("events", (EventRow.id,), descending=True)


ROBOT = "robot_id"
OF_ROBOTS = (
    "robot.enrolled",
    "robot.lost",
    "robot.renewed",
    "robot.returned",
    "robot.withdrawn",
    "robot.worn",
    "version.refused",
)
"""What happens to a robot; there is an index by kind, and none by robot."""


@dataclass(frozen=True)
class Told:
    """What an audience is told, and the number after which to ask again.

    Attributes:
        rows: For whoever hears of some more than the rest of the audience.
        text: All of it as server-sent events, encoded once for the whole audience.
    """

    rows: tuple[EventRow, ...]
    last: int
    text: bytes


@dataclass(frozen=True)
class Heard:
    """What a listener hears: its events, and the number after which to ask again."""

    events: tuple[Event, ...]
    last: int


class EventLog:
    """Reads the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, last: int, viewer: Viewer) -> Heard:
        """What the viewer may see with a number above `last`, oldest first, at most 500."""
        told = self.told((last, audience(viewer)))
        return Heard(tuple(event_view(row, viewer) for row in told.rows), told.last)

    def told(self, question: tuple[int, Viewer]) -> Told:
        """Rows above the question's number for its audience; see `news` for what one of it hears."""
        last, viewer = question
        with self._database.read() as session:
            # Read first: what comes between the two looks is heard the next time.
            newest = session.scalar(select(func.max(EventRow.id))) or last
            told = EventRow.id > last, EventRow.id <= newest, seen_events(viewer)
            rows = session.scalars(select(EventRow).where(*told).order_by(EventRow.id).limit(PAGE)).all()
        reached = rows[-1].id if len(rows) == PAGE else max(last, newest)
        return Told(tuple(rows), reached, _encoded(rows, viewer))

    def past(self, viewer: Viewer, query: EventQuery, *, without: Collection[str] = ()) -> Page[Event]:
        """What the viewer may see of what happened, newest first; nothing of the kinds in `without`."""
        found = select(EventRow).where(seen_events(viewer))
        if without:
            found = found.where(EventRow.kind.not_in(sorted(without)))
        if query.kind:
            found = found.where(EventRow.kind == query.kind)
        if query.skill:
            found = found.where(EventRow.skill == query.skill)
        if query.robot:
            its = EventRow.data[ROBOT].as_string() == query.robot
            found = found.where(EventRow.kind.in_(OF_ROBOTS), its)
        with self._database.read() as session:
            return page_of(
                session, found, ORDER, query, lambda rows: (event_view(row[0], viewer) for row in rows)
            )

    def last(self) -> int:
        """Number of the newest event; 0 when there is none."""
        with self._database.read() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0


def audience(viewer: Viewer) -> Viewer:
    """All to whom the same rows are told, as one: one look at the log does for all of them."""
    if viewer is None:
        return None
    match viewer.role:
        case "researcher":  # sees what it published, too
            return Principal(viewer.name, viewer.role, viewer.organisation)
        case "admin":
            return Principal("", viewer.role, "")
        case role:
            return Principal("", role, viewer.organisation)


def news(told: Told, viewer: Viewer) -> bytes:
    """What one of an audience hears, as server-sent events."""
    if any(_is_of(row, viewer) for row in told.rows):
        return _encoded(told.rows, viewer)
    return told.text


def event_view(row: EventRow, viewer: Viewer) -> Event:
    """The event, without the name of a robot that the viewer may not tell from others."""
    hidden = set() if _is_of(row, viewer) or may_see_robots(viewer, row.organisation or "") else {ROBOT}
    data = {name: value for name, value in row.data.items() if name not in hidden}
    return Event(id=row.id, kind=row.kind, at=row.at, data=data)


def _is_of(row: EventRow, viewer: Viewer) -> bool:
    """Whether the event tells of the very robot that looks."""
    return viewer is not None and viewer.role == "robot" and row.data.get(ROBOT) == viewer.name


def _encoded(rows: Iterable[EventRow], viewer: Viewer) -> bytes:
    events = (event_view(row, viewer) for row in rows)
    lines = (f"event: {event.kind}\ndata: {event.model_dump_json()}\nid: {event.id}\n\n" for event in events)
    return "".join(lines).encode()
