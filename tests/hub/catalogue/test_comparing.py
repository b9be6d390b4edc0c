from __future__ import annotations

from skills.messages.base import API
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.hub.workers.test_gate import weld_skill

PAIR = "/skills/weld-seam/versions/1/comparisons/2"


def test_two_versions_are_held_to_each_other_once_and_then_known(hall: Hall) -> None:
    first = weld_skill(0)
    ok(hall.publish(first, visibility="guild"))
    tensors = {name: 1.5 * tensor for name, tensor in first.tensors.items()}
    manifest = first.manifest.model_copy(
        update={"version": 2, "parents": (first.digest,), "origin": "upload"}
    )
    ok(hall.publish(type(first)(manifest, tensors)))
    missing = hall.error(hall.client.get(API + PAIR, headers=hall.operator), 409)
    assert missing["code"] == "not_compared"
    found = ok(hall.post(PAIR)).json()
    assert (found["left"], found["right"], found["task"]) == (1, 2, "weld-seam")
    assert {arm["jobs"] for arm in found["arms"]} == {16 * 8}
    for arm in found["arms"]:
        assert arm["difference"] * arm["jobs"] == arm["wins"] - arm["losses"] == arm["right"] - arm["left"]
        assert arm["low"] <= arm["difference"] <= arm["high"]
    assert abs(found["weights"]["relative"] - 0.5) < 1e-6
    assert hall.get(PAIR) == found
    assert hall.get("/skills/weld-seam/versions/2/comparisons/1") == found
    assert ok(hall.post("/skills/weld-seam/versions/candidate/comparisons/1")).json() == found


def test_who_may_not_has_nothing_compared_and_one_version_is_no_pair(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(), visibility="guild"))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.organisation("South")
    pair = f"{API}/skills/reach/versions/1/comparisons/2"
    hall.error(hall.client.post(pair, headers=hall.user("sue", "operator", "South")), 403)
    hall.error(hall.client.post(pair, headers=hall.user("rita", "researcher")), 403)
    hall.error(hall.post("/skills/reach/versions/1/comparisons/1"), 409)
    hall.error(hall.post("/skills/reach/versions/1/comparisons/9"), 404)
