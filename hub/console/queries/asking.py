"""What an address asks of a list: its filters and the part of it, held to the list's own query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from hub.console.language import _
from skills.errors import RequestError
from skills.messages.lists import ListQuery

__all__ = ["ROWS", "Asked", "query_of"]

ROWS = 25
"""Of a list on a page."""

Asked = Mapping[str, str]
"""The part of an address behind the question mark."""

Q = TypeVar("Q", bound=ListQuery)


def query_of(kind: type[Q], asked: Asked, *, rows: int = ROWS) -> Q:
    """The query that an address means; what is no filter of the list or empty is left out.

    Raises:
        RequestError: A filter has a value that it cannot have.
    """
    given = {name: value for name, value in asked.items() if value and name in kind.model_fields}
    try:
        return kind.model_validate({**given, "limit": rows})
    except ValidationError as error:
        where = str(error.errors()[0]["loc"][0])
        raise RequestError(
            _("this list has no such {where}.", where=where),
            where=where,
            remedy=_("Begin again without filters."),
        ) from error
