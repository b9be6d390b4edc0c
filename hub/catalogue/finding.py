"""Finding skills by words: what is said of each, and which of a question's words are said of it.

Skills that have all words are found; where none has, those that have some. A word of a skill's own name or of
its task's counts double, so that what is called so comes first. Looking words up is left to
`hub.storage.word_search`, further filters and what is shown to `hub.catalogue.skill_views`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache

from sqlalchemy import Integer, Select, Subquery, false, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from envs.bundle import BUNDLES
from hub.access.principal import Viewer
from hub.access.visibility import seen_tasks
from hub.storage.database import dialect_of
from hub.storage.paging import Order, Statement
from hub.storage.tables.skills import SkillRow
from hub.storage.tables.tasks import TaskRow
from hub.storage.word_search import beginnings, having, put_words
from skills.manifest import Manifest

__all__ = ["note_words", "search"]


def note_words(session: Session, skill: SkillRow, manifest: Manifest) -> None:
    """What a skill is found by from now on: as its newest version says."""
    channels = (*manifest.contract.observation, *manifest.contract.action)
    said = (
        skill.summary,
        skill.organisation,
        *dict.fromkeys(f"{each.name} {each.unit}" for each in channels),
    )
    put_words(session, "skill", skill.name, names=f"{skill.name} {skill.task}", rest=" ".join(said))


def search(
    session: Session, listed: Statement, order: Order, viewer: Viewer, question: str
) -> tuple[Statement, Order]:
    """Those of a list of skills that have a question's words, the most fitting first.

    Args:
        session: Where.
        listed: Skills among which to look.
        order: Of those that fit alike.
        viewer: Who looks: titles of tasks that are hidden from somebody find nothing for them.
        question: As somebody typed it.

    Returns:
        The rest of the list, and its order; a cursor goes with how it was found.
    """
    words = beginnings(question)
    if not words:
        return listed.where(false()), order
    found = _found(dialect_of(session), words, viewer)
    hits = listed.join_from(SkillRow, found, found.c.skill == SkillRow.name)
    with_all = hits.where(found.c.words == len(words))
    has_all = (
        len(words) == 1 or session.scalar(with_all.with_only_columns(SkillRow.name).limit(1)) is not None
    )
    weight = found.c.weight if order.descending else -found.c.weight
    name = f"{order.name}, {'all' if has_all else 'some'} words"
    return (with_all if has_all else hits), Order(name, (weight, *order.keys), order.descending)


def _found(dialect: str, words: tuple[str, ...], viewer: Viewer) -> Subquery:
    """Skills with a word: how many of the words each has, and what weight these have together."""
    hits = union_all(
        *(hit for place, word in enumerate(words) for hit in _hits(dialect, place, word, viewer))
    )
    each = hits.subquery("hits")
    number, weight = func.count(each.c.word.distinct()), func.sum(each.c.weight, type_=Integer)
    found = select(each.c.skill, number.label("words"), weight.label("weight"))
    return found.group_by(each.c.skill).subquery("found")


def _hits(dialect: str, place: int, word: str, viewer: Viewer) -> Iterator[Select[str, int, int]]:
    """Skills of which the word is said, and again those that are called so; and those of such a task."""
    numbers = literal(place, Integer).label("word"), literal(1, Integer).label("weight")
    for in_names in (False, True):
        own = having(dialect, "skill", word, in_names=in_names).subquery()
        yield select(own.c.subject.label("skill"), *numbers)
    tasks = select(TaskRow.name).where(TaskRow.name.in_(having(dialect, "task", word)), seen_tasks(viewer))
    ours = [name for name, said in _own_tasks().items() if re.search(rf"\b{word}", said)]
    of_task = or_(SkillRow.task.in_(tasks), SkillRow.task.in_(ours))
    yield select(SkillRow.name.label("skill"), *numbers).where(of_task)


@cache
def _own_tasks() -> dict[str, str]:
    """Title and summary of the package's tasks, in lower case."""
    found = {}
    for file in sorted(BUNDLES.glob("*/task.toml")):
        task = tomllib.loads(file.read_text(encoding="utf-8"))
        found[file.parent.name] = f"{task['title']} {task.get('summary', '')}".lower()
    return found
