"""Brings the console's catalogues up to its sentences: `python -m tools.make_catalogues`.

New sentences are added without a translation, which `tests/hub/console/test_languages.py` then asks for; what
nobody says any more is dropped. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

__all__ = ["CONSOLE", "catalogues", "said"]

CONSOLE = Path(__file__).parents[1] / "hub" / "console"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "later": None,
    "say": None,
    "several": (1, 2),
}
"""What marks a sentence; `say` is console.js's."""
WIDTH = 108


def said() -> Catalog:
    """All sentences of the console, and the files that they stand in."""
    found = Catalog()
    for path in sorted([*CONSOLE.rglob("*.py"), CONSOLE / "console.js"]):
        method = "python" if path.suffix == ".py" else "javascript"
        for _line, message, comments, context in extract_from_file(method, path, KEYWORDS):
            where = path.relative_to(CONSOLE).as_posix()
            found.add(message, locations=[(where, None)], auto_comments=comments, context=context)
    return found


def catalogues() -> Iterator[Path]:
    """One file a language."""
    yield from sorted((CONSOLE / "languages").glob("*.po"))


def main() -> None:
    """Write what is missing."""
    for path in catalogues():
        catalogue = read_po(path.open("rb"), locale=path.stem)
        catalogue.update(said(), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        written = BytesIO()
        write_po(written, catalogue, width=WIDTH, sort_output=True, omit_header=True, include_lineno=False)
        path.write_bytes(written.getvalue())


if __name__ == "__main__":
    main()
