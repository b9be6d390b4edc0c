"""A task's board as a page: what it shows to whom, and a command that works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from hub.app import create_app
from hub.console.words import percent
from hub.settings import Settings
from skills.messages.leaderboards import ControllerScore
from skills.messages.skills import ScoreView
from tests.hub.conftest import ADMIN, Hall, Hands, Headers, StubGate, ok, tiny_skill
from tests.hub.leaderboards.samples import enter_controllers, enter_score
from zunft.cli import app

PAGE = "/tasks/weld-seam/leaderboard"


@pytest.fixture
def hall(settings: Settings, clock: Hands) -> Iterator[Hall]:
    """With pages, a skill of the guild with a score, a hidden one, and one that waits for its score."""
    found = Hall(settings.model_copy(update={"console": True}), StubGate(), clock)
    with TestClient(found.app, raise_server_exceptions=False) as found.client:
        for name, visibility, score in (("seen", "guild", 0.75), ("secret", "private", 0.875)):
            skill = tiny_skill(name=name, task="weld-seam")
            ok(found.publish(skill, visibility=visibility))
            enter_score(found, skill, score)
        ok(found.publish(tiny_skill(name="slow", task="weld-seam"), visibility="guild"))
        found.release(name="slow")
        yield found
    found.services.close()


def session_of(hall: Hall) -> Headers:
    secret, _ = hall.services.access.sign_in.with_token(ADMIN)
    return {"Cookie": f"zunft-session={secret}"}


def test_the_page_shows_what_one_may_see(hall: Hall) -> None:
    page = ok(hall.client.get(PAGE)).text
    assert percent(0.75) in page
    assert "slow v1 waits to be measured." in page
    assert f"/api/v1{PAGE}/seen/replay" in page
    assert "40000" in page
    assert "secret" not in page
    assert percent(0.875) not in page
    admins = ok(hall.client.get(PAGE, headers=session_of(hall))).text
    assert admins.index(percent(0.875)) < admins.index(percent(0.75))


def test_controllers_stand_beside_the_skills_once_they_are_measured(hall: Hall) -> None:
    assert "Scores of controllers" in ok(hall.client.get(PAGE)).text
    assert "look-ahead" not in ok(hall.client.get(PAGE)).text
    score = ScoreView(score=0.625, low=0.5, high=0.75, episodes=64)
    kinds = {"look-ahead": "adaptive", "oracle": "told"}
    scores = (
        ControllerScore(name=name, kind=kind, score=score, by_embodiment={"ur5e": score})
        for name, kind in kinds.items()
    )
    enter_controllers(hall, "weld-seam", *scores)
    page = ok(hall.client.get(PAGE)).text
    for shown in ("look-ahead", "remembers", "is told what no robot knows", percent(0.625)):
        assert shown in page


def test_its_commands_are_commands_of_the_program(hall: Hall) -> None:
    lines = set(re.findall(r'"(zunft [^"]+)"', ok(hall.client.get(PAGE)).text))
    assert len(lines) == 2
    for line in lines:
        answer = CliRunner().invoke(app, [*line.split()[1:], "--help"])
        assert answer.exit_code == 0, line


def test_a_skill_s_page_leads_there_and_nothing_leads_nowhere(hall: Hall) -> None:
    assert PAGE in ok(hall.client.get("/skills/seen")).text
    nowhere = hall.client.get("/tasks/nothing/leaderboard")
    assert nowhere.status_code == 404
    assert "there is no task" in nowhere.text.lower()
    empty = ok(hall.client.get("/tasks/iron-cloth/leaderboard")).text
    assert "has been scored yet" in empty


def test_strangers_sign_in_where_the_catalogue_is_not_public(settings: Settings, clock: Hands) -> None:
    private: Any = settings.model_copy(update={"console": True, "public_catalogue": False})
    with TestClient(create_app(private, gate=StubGate(), clock=clock)) as client:
        answer = client.get(PAGE, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")
