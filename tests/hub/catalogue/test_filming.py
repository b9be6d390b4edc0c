from __future__ import annotations

from skills.messages.base import API
from skills.messages.replays import Film
from tests.hub.conftest import Hall, ok
from tests.hub.workers.test_gate import weld_skill

FILM = "/skills/weld-seam/versions/1/films/ur5e"


def test_a_version_is_recorded_once_and_then_known(hall: Hall) -> None:
    ok(hall.publish(weld_skill(0), visibility="guild"))
    missing = hall.error(hall.client.get(API + FILM, headers=hall.operator), 409)
    assert missing["code"] == "not_recorded"
    answer = ok(hall.post(FILM))
    assert len(answer.content) < 4_000_000
    found = Film.model_validate_json(answer.content)
    assert (found.version, found.task, found.measured) == (1, "weld-seam", 16)
    kinds = {kind for each in found.episodes for kind in each.kinds}
    assert kinds == {"best", "median", "worst", "failed"}
    assert {"capsule", "box"} <= {shape.kind for shape in found.shapes}
    bodies = 1 + max(shape.body for shape in found.shapes)
    for each in found.episodes:
        assert all(len(pose) % 7 == 0 and len(pose) >= 7 * bodies for pose in each.poses)
        assert each.success or any(line.decided and line.broken_at is not None for line in each.lines)
    assert [each.place for each in found.theirs] == [each.place for each in found.episodes]
    assert hall.get(FILM) == found.model_dump(mode="json")


def test_only_those_whose_skill_it_is_have_it_recorded(hall: Hall) -> None:
    ok(hall.publish(weld_skill(0), visibility="guild"))
    hall.organisation("South")
    hall.error(hall.client.post(API + FILM, headers=hall.user("sue", "operator", "South")), 403)
    hall.error(hall.client.post(API + FILM.replace("ur5e", "no-arm"), headers=hall.operator), 422)
