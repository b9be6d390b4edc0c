"""Lists a page at a time: the one way from a statement and a cursor to a page.

A page begins behind the keys of the last row that was shown, never behind a count of rows: so what is added
or removed meanwhile shifts nothing, and the last page costs what the first does. A cursor only says where to
go on. What a viewer may see is a condition of each list's statement, whatever the cursor says.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, func, literal, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from hub.storage.tables.base import Moment
from skills.errors import RequestError
from skills.messages.lists import ListQuery, Page

__all__ = ["CursorError", "Line", "Order", "Statement", "containing", "page_of"]

T = TypeVar("T")
Statement = Select[*tuple[Any, ...]]
Line = Row[*tuple[Any, ...]]
Key = InstrumentedAttribute[Any] | ColumnElement[Any]
WHOLE = 2**63


class CursorError(RequestError):
    """A cursor is not one that this list gave."""

    code = "bad_cursor"
    status = 422


@dataclass(frozen=True)
class Order:
    """How a list is sorted.

    Attributes:
        name: Of list and sort; a cursor goes with one of them.
        keys: Never NULL, and no two rows have the same. An index should begin with them.
        descending: All of them are.
    """

    name: str
    keys: tuple[Key, ...]
    descending: bool = False


def page_of(
    session: Session,
    statement: Statement,
    order: Order,
    query: ListQuery,
    view: Callable[[Sequence[Line]], Iterable[T]],
) -> Page[T]:
    """One page of a list.

    Args:
        session: Where to read.
        statement: All rows that one sees and asked for, unsorted.
        order: Their order.
        query: Cursor and size of the page.
        view: Makes entries of the statement's rows, one of each, in their order; keys stand behind them.

    Raises:
        CursorError: The cursor is not one of this list.
    """
    if query.cursor:
        statement = statement.where(_behind(order, query.cursor))
    by = (key.desc() if order.descending else key.asc() for key in order.keys)
    keys = (key.label(f"key_{place}") for place, key in enumerate(order.keys))  # apart from the list's own
    found = statement.add_columns(*keys).order_by(*by).limit(query.limit + 1)
    rows = session.execute(found).all()
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return Page(
        items=tuple(view(shown)),
        next=_cursor(order, shown[-1][-len(order.keys) :]) if more else None,
    )


def containing(text: str, *columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """A condition: one of the columns has this text in it, in any case; wildcards stand for themselves."""
    found = text.lower()
    return or_(*(func.lower(column).contains(found, autoescape=True) for column in columns))


def _behind(order: Order, cursor: str) -> ColumnElement[bool]:
    values = _values(order, cursor)
    keys = tuple_(*order.keys)
    last = tuple_(*(literal(value, key.type) for key, value in zip(order.keys, values, strict=True)))
    return keys < last if order.descending else keys > last


def _cursor(order: Order, values: Iterable[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([order.name, *plain]).encode()).decode().rstrip("=")


def _values(order: Order, cursor: str) -> list[Any]:
    """A cursor's keys; anybody may have written it, so each is held to what the database takes."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name, *values = json.loads(base64.urlsafe_b64decode(padded))
        if name != order.name:
            raise ValueError(name)  # noqa: TRY301 - all that is wrong with a cursor has one answer
        return [_value(key, value) for key, value in zip(order.keys, values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CursorError(
            "this cursor is not one of this list.",
            where="cursor",
            remedy="Send `next` of the page before, with the same filters and sort; or begin without one.",
        ) from error


def _value(key: Key, value: object) -> Any:
    if isinstance(key.type, Moment):
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    kind = key.type.python_type
    if kind is float and isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    is_whole = isinstance(value, int) and -WHOLE <= value < WHOLE
    is_text = isinstance(value, str) and "\x00" not in value and value.encode() is not None
    if type(value) is kind and (is_whole or is_text):
        return value
    raise ValueError(value)
