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
