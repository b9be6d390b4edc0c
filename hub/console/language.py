"""The console's languages: every sentence of the console in the one that who looks reads.

A sentence is known by its English text; what it is in another language stands in `languages/*.po`, which
`python -m tools.make_catalogues` keeps complete. Figures and times are `hub.console.words`' business, and
what the hub itself says, over its API too, stays English.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Literal

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

__all__ = ["LANGUAGES", "TAGS", "Language", "_", "later", "locale", "several", "speaking", "spoken"]

Language = Literal["en", "de"]
LANGUAGES: dict[Language, str] = {"en": "English", "de": "Deutsch"}
"""Each by its own name."""
TAGS: dict[Language, Literal["en-GB", "de"]] = {"en": "en-GB", "de": "de"}
"""As a browser is told: which of its kinds each is."""

_SPOKEN: ContextVar[Language] = ContextVar("spoken", default="en")


def _(message: str, **named: object) -> str:
    """A sentence in the language of who looks.

    Args:
        message: In English; a literal, or what `later` was given.
        named: What stands for the names in braces.
    """
    said = _catalogue(spoken()).gettext(message) if message else ""
    return said.format(**named) if named else said


def several(one: str, many: str, number: int, **named: object) -> str:
    """A sentence about so many things; `one` and `many` are literals."""
    return _catalogue(spoken()).ngettext(one, many, number).format(**named)


def later(message: str) -> str:
    """Marks a sentence that is translated only where it is shown, because nobody looks yet."""
    return message


def spoken() -> Language:
    """The language of who looks."""
    return _SPOKEN.get()


def locale() -> Locale:
    """How figures and times are written for who looks."""
    return _locale(spoken())


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """What is said within, is said in this language."""
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(TAGS[language], sep="-")


@cache
def _catalogue(language: Language) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    compiled = BytesIO()
    with (files("hub.console") / "languages" / f"{language}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language, abort_invalid=True))
    compiled.seek(0)
    return GNUTranslations(compiled)
