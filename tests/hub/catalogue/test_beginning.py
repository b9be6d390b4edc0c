from __future__ import annotations

from skills.messages.base import API
from skills.skill import Skill
from tests.hub.conftest import Hall, ok
from zunft.new_skill import new_skill


def test_a_skill_begins_as_the_command_would_have_made_it(hall: Hall) -> None:
    made = ok(hall.post("/skills/untrained", {"task": "push-part", "seed": 3})).json()
    file = ok(hall.client.get(f"{API}/skills/push-part/versions/1/file", headers=hall.operator)).content
    assert Skill.from_bytes(file).digest == made["digest"] == new_skill("push-part", seed=3).digest


def test_a_skill_begins_once_and_for_a_task_that_there_is(hall: Hall) -> None:
    ok(hall.post("/skills/untrained", {"task": "push-part"}))
    hall.error(hall.post("/skills/untrained", {"task": "push-part", "seed": 1}), 409)
    assert hall.error(hall.post("/skills/untrained", {"task": "juggle"}), 404)["where"] == "task"


def test_a_hidden_skill_s_name_is_refused_as_publishing_refuses_it(hall: Hall) -> None:
    ok(hall.publish(new_skill("push-part", seed=0), visibility="private"))
    hall.organisation("South")
    sue = hall.user("sue", "operator", "South")
    asked = {"task": "push-part", "seed": 1}
    refused = hall.client.post(f"{API}/skills/untrained", json=asked, headers=sue)
    theirs = hall.publish(new_skill("push-part", seed=1), sue)
    assert refused.status_code == theirs.status_code == 409
    assert refused.json()["error"]["message"] == theirs.json()["error"]["message"]
