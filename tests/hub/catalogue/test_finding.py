"""Skills are found by what is said of them, those that are called so first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.access.principal import Principal, Viewer
from hub.settings import Settings
from skills.manifest import Channel, Contract
from skills.messages.lists import Page, SkillQuery
from skills.messages.skills import SkillView
from skills.networks.mlp import Mlp
from tests.hub.conftest import Hall, Hands, StubGate, ok, tiny_skill

ADMIN = Principal("admin", "admin", "guild")
FORCE = Contract(
    observation=(Channel(name="contact_force", size=3, unit="N", scale=1),),
    action=(Channel(name="feed", size=2, unit="m/s", scale=0.15),),
    control_hz=50,
)


@pytest.fixture
def hall(on_both: Settings) -> Iterator[Hall]:
    found = Hall(on_both, StubGate(), Hands())
    yield found
    found.close()


def names(hall: Hall, text: str, viewer: Viewer = ADMIN, **asked: object) -> list[str]:
    query = SkillQuery.model_validate({"text": text, **asked})
    return [skill.name for skill in hall.services.catalogue.skills.skills(viewer, query).items]


def test_skills_are_found_by_words_and_those_that_are_called_so_come_first(hall: Hall) -> None:
    summary = "Follows an edge with constant pressure"
    ok(hall.publish(tiny_skill(name="a-edge-of-sheets")))
    ok(hall.publish(tiny_skill(name="deburr", summary=summary)))
    ok(hall.publish(tiny_skill(name="reach")))
    assert names(hall, "follow an edge with constant pressure") == ["deburr"]
    assert names(hall, "edge") == ["a-edge-of-sheets", "deburr"]
    assert names(hall, "edges", sort="updated") == ["a-edge-of-sheets", "deburr"]
    assert names(hall, "nobody knows this word") == []
    assert names(hall, "%") == []


def test_where_no_skill_has_all_words_those_with_most_come_first(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(name="a", summary="Edges of cloth")))
    ok(hall.publish(tiny_skill(name="b", summary="Press on edges")))
    ok(hall.publish(tiny_skill(name="c", summary="Throw")))
    assert names(hall, "follow an edge with constant pressure") == ["b", "a"]


def test_what_a_robot_senses_and_the_package_s_task_are_words_too(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(name="touch", contract=FORCE, network=Mlp(inputs=3, outputs=2))))
    ok(hall.publish(tiny_skill(name="shiny", task="polish-surface")))
    assert names(hall, "contact force") == ["touch"]
    assert names(hall, "the crown of a pipe") == ["shiny"]


def test_what_a_new_version_says_is_found_and_what_the_old_one_said_is_not(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(summary="Weld")))
    assert names(hall, "welding") == ["reach"]
    ok(hall.publish(tiny_skill(version=2, seed=1, summary="Glue")))
    assert names(hall, "welding") == []
    assert names(hall, "glue") == ["reach"]


def test_a_version_that_is_refused_is_not_found(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(summary="Weld")))
    assert hall.publish(tiny_skill(version=7, summary="Glue")).is_error
    assert names(hall, "glue") == []


def test_nobody_finds_what_they_do_not_see(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(name="hidden", summary="Weld"), visibility="private"))
    ok(hall.publish(tiny_skill(name="shown", summary="Weld"), visibility="guild"))
    assert names(hall, "weld", None) == ["shown"]
    assert names(hall, "weld hidden", None) == ["shown"]  # as if there were none that has all words


def test_pages_hold_each_once_and_a_cursor_goes_with_how_it_was_found(hall: Hall) -> None:
    for number in range(5):
        ok(hall.publish(tiny_skill(name=f"weld-{number}")))
        ok(hall.publish(tiny_skill(name=f"skill-{number}", summary="Weld")))
    found: list[str] = []
    cursor = ""
    while True:
        page: Page[SkillView] = hall.services.catalogue.skills.skills(
            ADMIN, SkillQuery(text="weld", limit=3, cursor=cursor)
        )
        found += [skill.name for skill in page.items]
        if page.next is None:
            break
        cursor = page.next
    assert found == [f"{name}-{number}" for name in ("weld", "skill") for number in range(5)]
    other = {"text": "weld pressure", "cursor": cursor}
    assert hall.client.get("/api/v1/skills", params=other).status_code == 422
