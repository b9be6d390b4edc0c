"""Words look up the same skills on SQLite and on PostgreSQL, whoever changed the table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from hub.storage.database import Database, dialect_of
from hub.storage.notify import Bell
from hub.storage.tables.search import SearchTextRow
from hub.storage.word_search import MOST_WORDS, beginnings, having, put_words
from tests.hub.servers import postgres

SAID = {
    "weld-left-7": ("weld-left-7 weld-seam", "follow a seam of sheet metal"),
    "press-edge": ("press-edge polish-surface", "follow an edge with constant pressure; schwei\u00dfnaht"),
    "carry": ("carry place-part", "weld nothing, carry parts at 0.5 m/s"),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        yield from _filled(f"sqlite:///{folder / 'hub.sqlite'}")
        return
    with postgres(folder) as url:
        yield from _filled(url)


def _filled(url: str) -> Iterator[Database]:
    database = Database(url, Bell())
    database.migrate()
    with database.write() as session:
        for name, (names, rest) in SAID.items():
            put_words(session, "skill", name, names=names, rest=rest)
        put_words(session, "task", "other", names="weld", rest="edge")
    yield database
    database.close()


def found(session: Session, question: str, *, in_names: bool = False) -> set[str]:
    (word,) = beginnings(question)
    return set(session.scalars(having(dialect_of(session), "skill", word, in_names=in_names)))


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("weld", {"weld-left-7", "carry"}),
        ("WELDING", {"weld-left-7", "carry"}),
        ("we", {"weld-left-7", "carry"}),
        ("eld", set()),
        ("7", {"weld-left-7"}),
        ("pressure", {"press-edge"}),
        ("pressing", {"press-edge"}),
        ("edges", {"press-edge"}),
        ("polish", {"press-edge"}),
        ("Schwei\u00dfnaht", {"press-edge"}),
        ("0", {"carry"}),
    ],
)
def test_a_word_finds_what_begins_so(database: Database, question: str, names: set[str]) -> None:
    with database.read() as session:
        assert found(session, question) == names


def test_names_can_be_asked_for_alone(database: Database) -> None:
    with database.read() as session:
        assert found(session, "weld", in_names=True) == {"weld-left-7"}
        assert found(session, "follow", in_names=True) == set()


@pytest.mark.parametrize("text", ['"', "names : x OR", "' | 'weld", "*", "\u0000 ( ^", "NEAR(", "-weld"])
def test_no_question_is_a_statement(database: Database, text: str) -> None:
    with database.read() as session:
        for word in beginnings(text):
            assert word.isalnum()
            session.scalars(having(dialect_of(session), "skill", word)).all()


def test_the_index_follows_what_is_changed_deleted_or_undone(database: Database) -> None:
    def is_found(session: Session, word: str) -> bool:
        return found(session, word) == {"carry"}

    with database.trial() as session:
        put_words(session, "skill", "carry", names="carry place-part", rest="Lift")
        assert is_found(session, "lift")
        assert found(session, "nothing") == set()
        assert found(session, "parts") == {"carry"}  # by the name of its task
        session.execute(delete(SearchTextRow).where(SearchTextRow.subject == "carry"))
        assert not is_found(session, "lift")
        assert not is_found(session, "carry")
    with database.read() as session:
        assert is_found(session, "carry")
        assert not is_found(session, "lift")


def test_filling_words_count_only_where_there_are_no_others() -> None:
    assert beginnings("Follow an edge with constant pressure!") == ("follow", "edge", "constant", "press")
    assert beginnings("a robot") == ("a", "robot")
    assert beginnings("weld welding WELDS") == ("weld",)
    assert beginnings("%_ -") == ()
    assert len(beginnings(" ".join(f"w{n}" for n in range(100)))) == MOST_WORDS
