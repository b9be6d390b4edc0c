"""A campaign for a skill that its organisation's key releases: versions go on, robots wait for the key."""

from __future__ import annotations

from skills.signing import SigningKey
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.hub.rounds.test_canary import push


def test_versions_build_on_each_other_and_each_waits_for_the_key(hall: Hall) -> None:
    key = SigningKey.generate()
    ok(hall.publish(tiny_skill()))
    assert hall.release_with(key, 1).state == "released"
    robots = [hall.enrol(f"robot {n}") for n in range(2)]
    campaign = hall.start(rounds=2)
    hall.turn()
    push(hall, robots, 1)
    assert hall.version("stable").version == 1
    assert push(hall, robots, 2) == hall.version(2).digest, "the next round begins from what passed"
    found = hall.campaign(campaign)
    assert (found.state, [each.state for each in found.rounds]) == ("finished", ["published"] * 2)
    waiting = [each["version"] for each in hall.get("/skills/reach/releases") if each["state"] == "unsigned"]
    assert waiting == [3, 2]
    assert hall.release_with(key, 3).state == "released"
    assert hall.version("stable").version == 3
    assert "unsigned" not in [each["state"] for each in hall.get("/skills/reach/releases")]
