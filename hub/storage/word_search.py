"""Full-text search: SQLite's FTS5 and PostgreSQL's tsvector behind one rule for words.

A word of a question, without its commonest endings, finds all words that begin with it: the databases only
look beginnings up, so both find the same. In what order, and who sees it, is left to the nouns.
"""

from __future__ import annotations

import re
from typing import Literal

from sqlalchemy import Integer, Select, String, cast, column, literal, literal_column, select, table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from hub.storage.database import dialect_of, insert_of
from hub.storage.tables.search import SearchTextRow

__all__ = ["MOST_WORDS", "Noun", "beginnings", "having", "put_words"]

Noun = Literal["skill", "task"]

MOST_WORDS = 12
"""Of a question; later ones count for nothing."""
WORD = re.compile(r"[^\W_]+")
ENDINGS = ("ings", "ing", "ure", "ed", "es", "s", "e")
SHORTEST = 4
"""Letters that are left of a word without its ending."""
FILLING = frozenset(
    WORD.findall(
        "a an and are as at be by can for from has have i in into is it its of on or robot skill skills "
        "robots that the their them this to want which who with"
    )
)
"""Words that say nothing of a skill, unless a question has no others."""


def beginnings(question: str) -> tuple[str, ...]:
    """What words have to begin with to be found, each once; nothing where a question has no words."""
    words = WORD.findall(question.lower())
    telling = [word for word in words if word not in FILLING]
    return tuple(dict.fromkeys(map(_beginning, telling or words)))[:MOST_WORDS]


def _beginning(word: str) -> str:
    if word.isalpha() and not word.endswith("ss"):
        for ending in ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= SHORTEST:
                return word.removesuffix(ending)
    return word


def put_words(session: Session, noun: Noun, subject: str, *, names: str, rest: str) -> None:
    """What a thing is found by from now on, in the transaction that makes it so."""
    row = {"noun": noun, "subject": subject, "names": names.lower(), "rest": rest.lower()}
    put = insert_of(dialect_of(session), SearchTextRow).values(row)
    given = {"names": put.excluded.names, "rest": put.excluded.rest}
    session.execute(put.on_conflict_do_update(index_elements=["noun", "subject"], set_=given))


def having(dialect: str, noun: Noun, beginning: str, *, in_names: bool = False) -> Select[str]:
    """Subjects of which a word begins so.

    Args:
        dialect: Of the database.
        noun: What they are.
        beginning: Letters and digits alone, as of `beginnings`.
        in_names: Only those of which a name does.
    """
    found = select(SearchTextRow.subject).where(SearchTextRow.noun == noun)
    if dialect == "postgresql":
        asked = literal(f"'{beginning}':*{'A' if in_names else ''}", String)
        words = literal_column("search_texts.words", postgresql.TSVECTOR)
        return found.where(words.op("@@")(cast(asked, postgresql.TSQUERY)))
    index = table("search_words", column("rowid", Integer), column("search_words", String))
    asked = literal(f'{"names : " if in_names else ""}"{beginning}"*', String)
    rows = select(index.c.rowid).where(index.c.search_words.op("MATCH")(asked))
    return found.where(SearchTextRow.id.in_(rows))
