"""Find the line of a `task.toml` that a complaint is about; the TOML reader itself forgets lines.

It knows tables and keys at the beginning of a line. What stands inside an inline table or list is
looked for from the line of its outer key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["line_of"]

Place = tuple[str | int, ...]
HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
KEY = re.compile(r'^\s*([A-Za-z0-9_.-]+|"[^"]*")\s*=')


def line_of(text: str, place: Sequence[str | int]) -> int:
    """Line (from 1) of the thing at `place`, such as ("observation", 2, "scale"), or of what holds it."""
    wanted, best, length = tuple(place), 1, 0
    for number, found in _places(text):
        shared = _common(found, wanted)
        if shared > length and shared == len(found):
            best, length = number, shared
    return _inside(text, best, wanted[length:])


def _places(text: str) -> Iterator[tuple[int, Place]]:
    table: Place = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            names = _split(header[2])
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*names, counts[header[2]])
            else:
                table = tuple(names)
            yield number, table
        elif key := KEY.match(line):
            yield number, (*table, *_split(key[1]))


def _inside(text: str, first: int, rest: Place) -> int:
    """From the line of an inline value to the line of its entry `rest`, as far as it can be seen."""
    lines = text.splitlines()
    for part in rest:
        if isinstance(part, int):
            # Entries of a list of tables stand one a line here; of other lists, together.
            entries = [i for i in range(first - 1, min(len(lines), first + 200)) if "{" in lines[i]]
            first = entries[part] + 1 if part < len(entries) else first
        else:
            break
    return first


def _split(name: str) -> list[str]:
    return [part.strip().strip('"') for part in name.split(".")]


def _common(one: Place, other: Place) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
