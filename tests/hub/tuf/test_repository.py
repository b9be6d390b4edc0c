"""What the guild signs is what it shows, at any moment, to whoever may see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import event
from tuf.api.metadata import Metadata, Targets

from hub.settings import Settings
from hub.tuf.contents import KEPT
from skills.messages.base import API
from skills.targets import channel_target, skill_pattern, skill_target
from tests.hub.conftest import Hall, Hands, Headers, StubGate, ok, tiny_skill

TIMESTAMP = f"{API}/tuf/metadata/timestamp.json"


def signed(hall: Hall, name: str, by: Headers | None = None) -> Any:
    answer = hall.client.get(f"{API}/tuf/metadata/{name}", headers=by or hall.operator)
    return Metadata.from_bytes(ok(answer).content).signed


def roles(hall: Hall, by: Headers | None = None) -> Iterator[Targets]:
    """All that a caller may read of what is signed now."""
    snapshot = signed(hall, f"{signed(hall, 'timestamp.json').snapshot_meta.version}.snapshot.json")
    for name, meta in snapshot.meta.items():
        answer = hall.client.get(f"{API}/tuf/metadata/{meta.version}.{name}", headers=by or hall.operator)
        if answer.is_success:
            yield Metadata[Targets].from_bytes(answer.content).signed


def targets(hall: Hall, by: Headers | None = None) -> dict[str, Any]:
    return {path: target for role in roles(hall, by) for path, target in role.targets.items()}


def test_every_move_of_a_channel_is_signed_when_it_is_seen(hall: Hall) -> None:
    for number in (1, 2, 3):
        ok(hall.publish(tiny_skill(version=number, seed=number)))
        hall.release(number)
        found = targets(hall)
        assert found[channel_target("reach", "stable")].custom["version"] == number
        version = hall.version(number)
        signed_one = found[skill_target("reach", number)]
        assert (f"sha256:{signed_one.hashes['sha256']}", signed_one.length) == (version.digest, version.size)
    before = targets(hall)[channel_target("reach", "stable")].custom["counter"]
    hall.release(1)
    after = targets(hall)[channel_target("reach", "stable")].custom
    assert (after["version"], after["counter"] > before) == (1, True)


def test_a_version_is_signed_together_with_the_gate_s_word_on_it(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    listed = ok(hall.client.get(f"{API}/skills/reach/versions/1/attestations")).json()
    said = [each["digest"] for each in listed if each["kind"] == "gate"]
    assert said
    assert list(targets(hall)[skill_target("reach", 1)].custom["attestations"]) == said


def test_who_has_the_newest_hears_so_and_nothing_is_signed_for_it(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    tag = hall.client.get(TIMESTAMP).headers["etag"]
    written: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        written.extend([statement] if statement.startswith(("INSERT", "UPDATE", "DELETE")) else [])

    engine = hall.services.storage.database._writer
    event.listen(engine, "before_cursor_execute", note)
    assert hall.client.get(TIMESTAMP, headers={"If-None-Match": tag}).status_code == 304
    assert written == []
    ok(hall.publish(tiny_skill(version=2, seed=2)))
    assert hall.client.get(TIMESTAMP, headers={"If-None-Match": tag}).status_code == 200


def test_metadata_are_renewed_before_they_end(hall: Hall, clock: Hands) -> None:
    first = signed(hall, "timestamp.json")
    clock.advance(13 * 3600)
    again = signed(hall, "timestamp.json")
    assert again.version > first.version
    assert again.expires > first.expires


def test_old_files_go_and_roots_stay(hall: Hall) -> None:
    for number in range(1, 2 * KEPT):
        ok(hall.publish(tiny_skill(version=number, seed=number)))
        oldest = signed(hall, "timestamp.json")
    assert hall.client.get(f"{API}/tuf/metadata/1.root.json").status_code == 200
    name = f"{oldest.snapshot_meta.version}.snapshot.json"
    assert hall.client.get(f"{API}/tuf/metadata/{name}").status_code == 200


def test_what_others_may_not_see_no_metadata_show(hall: Hall) -> None:
    hall.organisation("North")
    north, other = hall.user("nora", "operator", "North"), hall.user("otto", "operator")
    ok(hall.publish(tiny_skill(name="secret-weld"), north, "private"))
    path = skill_target("secret-weld", 1)
    assert path in targets(hall, north)
    assert path not in targets(hall, other)
    everything = str([role.to_dict() for role in roles(hall, other)])
    assert "secret-weld" not in everything
    assert "North" not in everything
    assert skill_pattern("secret-weld") in everything  # that a name is taken, a hub cannot hide
    change = {"visibility": "guild"}
    ok(hall.client.put(f"{API}/skills/secret-weld/visibility", json=change, headers=north))
    assert path in targets(hall, other)


def test_any_process_signs_and_all_say_the_same(on_both: Settings, clock: Hands) -> None:
    one = Hall(on_both, StubGate(), clock)
    two = Hall(on_both, StubGate(), clock)
    try:
        ok(one.publish(tiny_skill()))
        assert skill_target("reach", 1) in targets(two)
        answers: list[httpx.Response] = [each.client.get(TIMESTAMP) for each in (one, two)]
        assert answers[0].content == answers[1].content
    finally:
        one.close()
        two.close()


@pytest.mark.parametrize(
    "name", ["nothing", "1.nobody.json", "99.root.json", "..%2Froot.json", "1.root.json.json"]
)
def test_what_is_no_file_is_not_found(hall: Hall, name: str) -> None:
    hall.error(hall.client.get(f"{API}/tuf/metadata/{name}"), 404)


def test_what_a_robot_refused_is_kept_and_told_once(hall: Hall) -> None:
    robot = hall.enrol("anna")
    said = '{"skill":"reach","version":2,"code":"worse","reason":"0.2 in the twin"}'
    for _ in range(2):
        ok(robot.request("GET", f"/robots/me/assignment?skill=reach&refused={quote(said, safe='')}"))
    shown = hall.get("/robots")[0]
    assert (shown["refusal"]["version"], shown["refusal"]["code"]) == (2, "worse")
    hall.error(robot.request("GET", "/robots/me/assignment?skill=reach&refused=nonsense"), 422)


def test_the_lowest_safe_version_is_signed_and_the_hub_holds_itself_to_it(hall: Hall) -> None:
    for number in (1, 2):
        ok(hall.publish(tiny_skill(version=number, seed=number)))
        hall.release(number)
    path = f"{API}/skills/reach/channels/stable"
    hall.error(hall.client.put(path, json={"version": 1, "lowest": 2}, headers=hall.operator), 409)
    ok(hall.client.put(path, json={"version": 2, "lowest": 2}, headers=hall.operator))
    assert targets(hall)[channel_target("reach", "stable")].custom["lowest"] == 2
    hall.error(hall.client.put(path, json={"version": 1}, headers=hall.operator), 409)
