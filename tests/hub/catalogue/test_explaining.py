from __future__ import annotations

import time

from skills.messages.base import API
from tests.hub.conftest import Hall, ok
from tests.hub.workers.test_gate import weld_skill

CAUSES = "/skills/weld-seam/versions/1/causes"


def test_a_version_is_explained_once_and_then_known(hall: Hall) -> None:
    ok(hall.publish(weld_skill(0), visibility="guild"))
    missing = hall.error(hall.client.get(API + CAUSES, headers=hall.operator), 409)
    assert missing["code"] == "not_explained"
    spent = time.process_time()
    found = ok(hall.post(CAUSES)).json()
    assert time.process_time() - spent < 60
    assert (found["version"], found["task"], found["episodes"]) == (1, "weld-seam", 6 * 16 * 8)
    assert hall.get(CAUSES) == found
    assert ok(hall.post(CAUSES)).json() == found


def test_only_those_whose_skill_it_is_have_it_measured(hall: Hall) -> None:
    ok(hall.publish(weld_skill(0), visibility="guild"))
    hall.organisation("South")
    sue = hall.user("sue", "operator", "South")
    hall.error(hall.client.post(API + CAUSES, headers=sue), 403)
    hall.error(hall.client.post(API + CAUSES, headers=hall.user("rita", "researcher")), 403)
