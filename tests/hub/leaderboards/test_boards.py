"""Boards as people look at them: nothing tells of what one may not see."""

from __future__ import annotations

import pytest

from skills.container import digest_of
from skills.messages.base import API
from skills.messages.leaderboards import Leaderboard
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.hub.leaderboards.samples import enter_score

BOARD = f"{API}/tasks/weld-seam/leaderboard"


def publish(hall: Hall, name: str, score: float | None, by: str = "", **changes: str) -> None:
    skill = tiny_skill(name=name, task=changes.pop("task", "weld-seam"))
    headers = hall.user(by, "researcher", "North") if by else None
    ok(hall.publish(skill, headers, **changes))
    hall.release(name=name)
    if score is not None:
        enter_score(hall, skill, score)


def test_a_board_is_as_if_what_one_does_not_see_were_nowhere(hall: Hall) -> None:
    hall.organisation("North")
    publish(hall, "good", 0.5)
    publish(hall, "better", 0.75)
    before = ok(hall.client.get(BOARD)).json()
    publish(hall, "secret", 0.625, "ada", visibility="private")
    publish(hall, "waiting", None, "bo", visibility="organisation")
    assert ok(hall.client.get(BOARD)).json() == before
    everything = Leaderboard.model_validate(hall.get(BOARD.removeprefix(API)))
    assert [entry.skill for entry in everything.entries] == ["better", "secret", "good"]
    assert [each.skill for each in everything.unscored] == ["waiting"]
    assert {entry.organisation for entry in everything.entries} == {"guild", "North"}


@pytest.mark.parametrize("path", ["leaderboard", "leaderboard/secret/replay", "leaderboard?skill=secret"])
def test_what_one_does_not_see_answers_as_what_is_nowhere(hall: Hall, path: str) -> None:
    hall.organisation("North")
    publish(hall, "secret", None, "ada", visibility="private", task="of-north")
    answers = []
    for task, skill in (("of-north", "secret"), ("of-nobody", "nothing")):
        asked = f"{API}/tasks/{task}/{path}".replace("secret", skill)
        error = hall.error(hall.client.get(asked), 404)
        answers.append((error["code"], error["message"].replace(task, "T").replace(skill, "S")))
    assert answers[0] == answers[1]


def test_a_replay_is_served_with_its_digest_as_etag(hall: Hall) -> None:
    publish(hall, "good", 0.5)
    answer = ok(hall.client.get(f"{BOARD}/good/replay", params={"version": 1}))
    assert answer.content == b"replay of good"
    assert answer.headers["etag"] == f'"{digest_of(answer.content)}"'
    for other in (f"{BOARD}/good/replay?version=2", f"{API}/tasks/iron-cloth/leaderboard/good/replay"):
        assert hall.error(hall.client.get(other), 404)["code"] == "no_replay"


@pytest.mark.parametrize("name", ["%2e", "%2e%2e", "WELD-SEAM", "x" * 500, "a%00b", "~"])
def test_a_name_that_is_no_name_is_no_task(hall: Hall, name: str) -> None:
    assert hall.client.get(f"{API}/tasks/{name}/leaderboard").status_code == 404


def test_a_known_task_without_skills_has_an_empty_board(hall: Hall) -> None:
    board = Leaderboard.model_validate(ok(hall.client.get(BOARD)).json())
    assert (board.entries, board.unscored) == ((), ())
    assert board.task_digest is not None
