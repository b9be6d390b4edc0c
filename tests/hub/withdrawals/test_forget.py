"""A robot is forgotten: what goes, what comes back without it, and what is said of that."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select, text

from hub.operations.backup import back_up
from hub.operations.rebuild import rebuild
from hub.operations.restore import restore
from hub.settings import Settings
from hub.storage.tables.rounds import DeltaRow, RoundRow
from hub.storage.tables.scores import ScoreRow
from skills.errors import ContractError, NotFoundError
from skills.messages.base import API
from skills.signing import SigningKey
from skills.skill import Skill
from tests.hub.conftest import Hall, Robot, ok, random_tensors, tiny_skill
from tests.hub.leaderboards.samples import enter_score
from tests.hub.withdrawals.conftest import on_both
from tests.hub.withdrawals.guild import BASE, bring, forget, must_be_sound, outcomes, train
from tests.skills.samples import other_spelling


@on_both
def test_a_robot_is_forgotten_and_what_it_was_part_of_is_made_again(hall: Hall, robots: list[Robot]) -> None:
    campaign_id = train(hall, robots)
    before = {number: hall.version(number) for number in range(1, 5)}
    assert hall.version("stable").version == 4
    enter_score(hall, hall.skill(3))
    found = forget(hall, robots[0])
    assert (found.state, found.deltas, found.robot_id) == ("done", 3, robots[0].robot_id)
    (change,) = found.skills
    assert change.withdrawn == (2, 3, 4)
    assert outcomes(found) == [("rebuilt", 2, 5), ("rebuilt", 3, 6), ("rebuilt", 4, 7)]
    assert [(each.deltas_before, each.deltas_after) for each in change.rounds] == [(4, 3)] * 3
    assert (change.stable_before, change.stable_after) == (4, 7)
    assert change.score_before == before[4].score
    assert change.score_after == hall.version(7).score
    assert change.gate == hall.version(7).gate is not None
    stable = hall.version("stable")
    assert (stable.version, stable.contributors, stable.withdrawn) == (7, 3, False)
    assert stable.parents == (hall.version(6).digest,)
    assert hall.version(5).parents == (before[1].digest,)
    assert hall.version("candidate").version == 7
    assert [each["withdrawn"] for each in hall.get("/skills/reach/versions")] == [
        False,
        *[True] * 3,
        *[False] * 3,
    ]
    for number in (5, 6, 7):
        assert rebuild(hall.settings, "reach", str(number), lambda *_: None).same
    with pytest.raises(NotFoundError, match="withdrawn"):
        rebuild(hall.settings, "reach", "4", lambda *_: None)
    rounds = hall.campaign(campaign_id).rounds
    assert [(each.state, each.deltas, each.candidate) for each in rounds] == [
        ("published", 3, hall.version(number).digest) for number in (5, 6, 7)
    ]
    with hall.services.storage.database.read() as session:
        theirs = session.scalars(select(DeltaRow).where(DeltaRow.robot_id == robots[0].robot_id)).all()
        assert theirs == []
        scored = session.scalars(select(ScoreRow.number).order_by(ScoreRow.number)).all()
        assert scored == [1, 7]
    must_be_sound(hall)
    actions = [(entry["action"], entry["subject"]) for entry in hall.get("/audit")]
    assert ("robot.withdrawn", robots[0].robot_id) in actions
    assert ("withdrawal.done", robots[0].robot_id) in actions
    assert hall.services.events.audit.verify().broken_at is None


def test_its_key_is_refused_from_the_first_moment_and_for_ever(hall: Hall, robots: list[Robot]) -> None:
    token = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    request = {
        "token": token,
        "name": "again",
        "embodiment": "ur5e",
        "public_key": robots[0].key.public.text,
    }
    ok(hall.post(f"/robots/{robots[0].robot_id}/withdrawal", {}))
    for _ in range(2):
        refused = robots[0].request("GET", "/robots/me")
        assert hall.error(refused, 401)["code"] == "robot_withdrawn"
        for key in (request["public_key"], other_spelling(request["public_key"])):
            refused = hall.post("/robots", request | {"public_key": key})
            assert hall.error(refused, 409)["where"] == "public_key"
        hall.services.withdrawals.worker.work()
    listed = {each["robot_id"] for each in hall.get("/robots")}
    assert listed == {robot.robot_id for robot in robots[1:]}
    assert robots[1].assignment() is None  # the others are not touched


@on_both
def test_a_delta_that_was_on_its_way_comes_too_late(
    hall: Hall, robots: list[Robot], monkeypatch: pytest.MonkeyPatch
) -> None:
    hall.start(target=4)
    hall.turn()
    work = robots[0].assignment()
    assert work is not None
    admission = hall.services.deltas.admission
    keep = admission._keep

    def keep_and_forget(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(admission, "_keep", keep)
        forget(hall, robots[0])

    monkeypatch.setattr(admission, "_keep", keep_and_forget)
    refused = robots[0].push(work.round_id, robots[0].delta(work, random_tensors(BASE, 1)))
    assert hall.error(refused, 403)["code"] == "robot_withdrawn"
    must_be_sound(hall)


@on_both
def test_withdrawn_files_are_for_admins_alone_and_gone_when_purged(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots, rounds=1)
    operator = hall.user("olga", "operator")
    path = f"{API}/skills/reach/versions/2/file"
    forget(hall, robots[0])
    for headers in ({}, operator):
        assert hall.error(hall.client.get(path, headers=headers), 404)["code"] == "withdrawn"
    assert hall.error(robots[1].request("GET", path.removeprefix(API)), 404)["code"] == "withdrawn"
    assert Skill.from_bytes(ok(hall.client.get(path, headers=hall.operator)).content).manifest.version == 2
    move = {"version": 2}
    refused = hall.client.put(f"{API}/skills/reach/channels/stable", json=move, headers=hall.operator)
    assert hall.error(refused, 409)["code"] == "withdrawn"
    child = tiny_skill(version=4, seed=1, parents=(hall.version(2).digest,))
    assert hall.error(hall.publish(child), 422)["code"] == "unknown_base"
    found = forget(hall, robots[0], purge=True)
    assert (found.state, found.purge, found.deltas) == ("done", True, 1)
    hall.error(hall.client.get(path, headers=hall.operator), 404)
    assert hall.version(2).withdrawn
    must_be_sound(hall)


@on_both
def test_a_dry_run_says_what_would_happen_and_leaves_no_trace(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots)
    pages = ("/audit", "/skills", "/campaigns", "/robots", "/organisations")
    before = (hall.trace(), [hall.get(page) for page in pages])
    planned = forget(hall, robots[0], dry_run=True)
    assert (hall.trace(), [hall.get(page) for page in pages]) == before
    assert robots[0].request("GET", "/robots/me").is_success
    assert hall.get("/withdrawals") == []
    assert (planned.state, planned.withdrawal_id, planned.deltas) == ("planned", "", 3)
    assert outcomes(planned) == [("waiting", 2, None), ("waiting", 3, None), ("waiting", 4, None)]
    done = forget(hall, robots[0])
    assert (done.deltas, done.bytes) == (planned.deltas, planned.bytes)
    assert done.skills[0].withdrawn == planned.skills[0].withdrawn


def test_rounds_with_too_few_deltas_left_are_dropped_and_the_rest_goes_onto_what_is_left(
    hall: Hall, robots: list[Robot]
) -> None:
    train(hall, robots[:2], rounds=1)
    train(hall, robots[:3], rounds=1)
    rule = {"rule": "krum", "options": {"byzantine": 0}}
    train(hall, robots[:3], rounds=1, quorum=3, merge=rule)
    train(hall, robots[1:], rounds=1)
    found = forget(hall, robots[0])
    assert outcomes(found) == [
        ("dropped", 2, None),
        ("rebuilt", 3, 6),
        ("dropped", 4, None),
        ("rebuilt", 5, 7),
    ]
    reasons = [each.reason for each in found.skills[0].rounds]
    assert reasons[0] == "Only 1 of 2 deltas are left."
    assert reasons[2] == "Only 2 of 3 deltas are left."
    assert hall.version(6).parents == (hall.version(1).digest,)
    assert hall.version(7).parents == (hall.version(6).digest,)
    must_be_sound(hall)


def test_where_nothing_is_left_the_last_version_without_it_is_stable(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots[1:3], rounds=1)
    train(hall, robots[:2], rounds=2)
    found = forget(hall, robots[0])
    assert outcomes(found) == [("dropped", 3, None), ("dropped", 4, None)]
    assert (found.skills[0].stable_before, found.skills[0].stable_after) == (4, 2)
    assert hall.version("stable").version == hall.version("candidate").version == 2
    must_be_sound(hall)


def test_what_is_worse_than_the_last_version_without_it_does_not_become_stable(
    hall: Hall, robots: list[Robot]
) -> None:
    train(hall, robots[1:], rounds=1)
    train(hall, robots, rounds=1)
    hall.gate.scores[4] = 0.0
    hall.gate.scores[2] = 0.9
    found = forget(hall, robots[0])
    assert outcomes(found) == [("rebuilt", 3, 4)]
    (change,) = found.skills
    assert change.gate is not None
    assert not change.gate.passed
    assert change.gate.current is not None
    assert (change.stable_after, change.gate.current.score) == (2, 0.9)
    assert hall.version("stable").version == 2
    assert hall.gate.asked[-1] == (4, 2)


def test_what_cannot_be_measured_does_not_become_stable(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots, rounds=1)
    hall.gate.error = ContractError("no such arm.")
    found = forget(hall, robots[0])
    assert found.state == "done"
    assert found.skills[0].reason == "It cannot be measured: no such arm."
    assert hall.version("stable").version == 1


def test_a_round_that_collects_goes_on_without_it(hall: Hall, robots: list[Robot]) -> None:
    campaign_id = hall.start(rounds=1, quorum=2, target=0)
    hall.turn()
    for robot in robots:
        robot.assignment()
    bring(robots[:3], "reach", 0)
    found = forget(hall, robots[0])
    assert (found.deltas, outcomes(found)) == (1, [])
    hall.turn()
    assert hall.campaign(campaign_id).rounds[0].state == "open"  # it waits for the fourth, not for the first
    bring(robots[3:], "reach", 1)
    hall.turn()
    assert hall.campaign(campaign_id).state == "finished"
    assert hall.version("stable").contributors == 3
    must_be_sound(hall)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_round_under_way_with_it_ends_and_the_campaign_goes_on(
    hall: Hall, robots: list[Robot], steps: int
) -> None:
    campaign_id = hall.start(rounds=2, quorum=2, target=4)
    hall.turn()
    bring(robots, "reach", 0)
    hall.turn()
    bring(robots, "reach", 1)
    for _ in range(steps):  # to closing, merging, gating
        hall.services.rounds.engine.run_once()
    found = forget(hall, robots[0])
    round_id = f"{campaign_id}-2"
    ended = [each for each in found.skills[0].rounds if each.outcome == "ended"]
    assert [each.round_id for each in ended] == [round_id]
    assert hall.round(round_id).state == "failed"
    assert "withdrawn" in hall.round(round_id).waiting_for
    hall.turn()
    assert hall.campaign(campaign_id).state == "finished"
    stable = hall.version("stable")
    assert (stable.contributors, stable.parents) == (3, (hall.version(1).digest,))
    must_be_sound(hall)


def test_while_it_is_forgotten_no_round_is_opened_for_its_skills(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots, rounds=1)
    ok(hall.publish(tiny_skill(name="other")))
    ok(hall.post(f"/robots/{robots[0].robot_id}/withdrawal", {}))
    held, free = hall.start(), hall.start(skill="other")
    hall.turn()
    assert hall.campaign(held).rounds == ()
    assert "being withdrawn" in hall.campaign(held).waiting_for
    assert len(hall.campaign(free).rounds) == 1
    hall.services.withdrawals.worker.work()
    hall.turn()
    assert [each.base for each in hall.campaign(held).rounds] == [hall.version("stable").digest]


def test_uploads_that_come_from_it_are_withdrawn_and_not_made_again(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots, rounds=1)
    ok(hall.publish(tiny_skill(version=3, seed=3, parents=(hall.version(2).digest,))))
    ok(hall.publish(tiny_skill(name="child", seed=4, parents=(hall.version(3).digest,))))
    assert hall.release(name="child").state == "released"
    ok(hall.publish(tiny_skill(version=4, seed=5)))
    assert hall.release(3).state == "released"
    train(hall, robots[1:], rounds=1)
    found = forget(hall, robots[0])
    assert outcomes(found) == [("rebuilt", 2, 6), ("dropped", 3, None), ("rebuilt", 5, 7)]
    assert hall.version(7).parents == (hall.version(6).digest,)
    assert not hall.version(4).withdrawn
    assert outcomes(found, "child") == [("dropped", 1, None)]
    child = hall.get("/skills/child")
    assert (child["stable"], child["candidate"]) == (None, None)
    must_be_sound(hall)


def test_versions_that_were_rejected_are_withdrawn_and_left_aside(hall: Hall, robots: list[Robot]) -> None:
    hall.gate.scores[2] = -0.0
    hall.gate.scores[1] = 0.5
    train(hall, robots, rounds=1)
    assert hall.version("stable").version == 1
    found = forget(hall, robots[0])
    assert (found.skills[0].withdrawn, outcomes(found)) == ((2,), [])
    assert hall.version("candidate").version == 1
    must_be_sound(hall)


@on_both
def test_two_robots_after_each_other_leave_what_neither_had_a_part_in(
    hall: Hall, robots: list[Robot]
) -> None:
    train(hall, robots, rounds=2)
    for robot in robots[:2]:
        ok(hall.post(f"/robots/{robot.robot_id}/withdrawal", {"purge": True}))
    hall.services.withdrawals.worker.work()
    found = hall.get("/withdrawals")
    assert {each["state"] for each in found} == {"done"}
    stable = hall.version("stable")
    assert (stable.version, stable.contributors) == (7, 2)
    files = [f"{API}/skills/reach/versions/{number}/file" for number in range(1, 8)]
    there = [hall.client.get(file, headers=hall.operator).is_success for file in files]
    assert there == [True, *[False] * 4, True, True]
    must_be_sound(hall)


def test_an_operators_move_meanwhile_stays(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots[1:], rounds=1)
    train(hall, robots, rounds=1)
    ok(hall.post(f"/robots/{robots[0].robot_id}/withdrawal", {}))
    worker = hall.services.withdrawals.worker
    for _ in range(2):  # taken back, merged
        worker.step()
    stable = f"{API}/skills/reach/channels/stable"
    ok(hall.client.put(stable, json={"version": 1, "reason": "as it was before"}, headers=hall.operator))
    worker.work()
    assert hall.version("stable").version == 1
    assert "operator moved" in hall.get("/withdrawals")[0]["skills"][0]["reason"]


def test_operators_withdraw_their_own_robots_and_see_only_skills_that_they_see(
    hall: Hall, robots: list[Robot]
) -> None:
    hall.organisation("North")
    nora = hall.user("nora", "operator", "North")
    theirs = hall.enrol("of the north", organisation="North")
    train(hall, [*robots, theirs], rounds=1)
    refused = hall.client.post(f"{API}/robots/{robots[0].robot_id}/withdrawal", json={}, headers=nora)
    assert hall.error(refused, 404)["where"] == "robot_id"
    ok(hall.client.post(f"{API}/robots/{theirs.robot_id}/withdrawal", json={}, headers=nora))
    hall.services.withdrawals.worker.work()
    (seen,) = ok(hall.client.get(f"{API}/withdrawals", headers=nora)).json()["items"]
    assert [each["skill"] for each in seen["skills"]] == ["reach"]
    hide = {"visibility": "organisation"}
    ok(hall.client.put(f"{API}/skills/reach/visibility", json=hide, headers=hall.operator))
    (seen,) = ok(hall.client.get(f"{API}/withdrawals", headers=nora)).json()["items"]
    assert (seen["skills"], seen["deltas"]) == ([], 1)
    assert len(hall.get("/withdrawals")[0]["skills"]) == 1
    other = hall.user("olga", "operator")
    assert ok(hall.client.get(f"{API}/withdrawals", headers=other)).json()["items"] == []
    assert hall.client.get(f"{API}/withdrawals/{seen['withdrawal_id']}", headers=other).status_code == 404


def test_a_hub_that_forgot_can_be_backed_up_whole_and_restored(
    hall: Hall, robots: list[Robot], settings: Settings
) -> None:
    train(hall, robots, rounds=2)
    forget(hall, robots[0], purge=True)
    backup, manifest = back_up(settings, settings.data_dir, hall.clock(), progress=lambda *_: None)
    assert manifest.missing == ()
    empty = Settings.model_validate({"data_dir": settings.data_dir / "new", "database_url": ""})
    restore(empty, backup, hub_key=manifest.hub_key, progress=lambda *_: None)
    assert rebuild(empty, "reach", "stable", lambda *_: None).same


def test_a_delta_that_the_store_has_lost_drops_its_round_and_no_more(hall: Hall, robots: list[Robot]) -> None:
    train(hall, robots)
    with hall.services.storage.database.read() as session:
        lost = session.scalars(
            select(DeltaRow.digest)
            .join(RoundRow, RoundRow.round_id == DeltaRow.round_id)
            .where(RoundRow.number == 2, DeltaRow.robot_id == robots[1].robot_id)
        ).one()
    hall.services.storage.store.delete(lost)
    found = forget(hall, robots[0])
    assert outcomes(found) == [("rebuilt", 2, 5), ("dropped", 3, None), ("rebuilt", 4, 6)]
    assert np.isfinite(hall.skill(6).tensors["log_std"]).all()


def test_what_fails_for_good_is_said_and_can_be_asked_for_again(
    hall: Hall, robots: list[Robot], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(hall, robots, rounds=1)
    with monkeypatch.context() as patch:
        patch.setattr("hub.withdrawals.steps.take_back", lambda *_: 1 / 0)
        found = forget(hall, robots[0])
    assert (found.state, found.deltas) == ("failed", 0)
    assert "division" in found.reason
    again = forget(hall, robots[0])
    assert (again.state, again.reason, again.deltas) == ("done", "", 1)
    with hall.services.storage.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM withdrawals")) == 1
    must_be_sound(hall)


def test_where_a_key_releases_the_channel_points_nowhere_until_that_has_signed(
    hall: Hall, robots: list[Robot]
) -> None:
    train(hall, robots)
    key = SigningKey.generate()
    assert hall.release_with(key, 4).state == "released"
    forget(hall, robots[0])
    assert hall.get("/skills/reach")["stable"] is None
    waiting = [each["version"] for each in hall.get("/skills/reach/releases") if each["state"] == "unsigned"]
    assert sorted(waiting) == [1, 7]
    assert hall.release_with(key, 7).state == "released"
    assert hall.version("stable").version == 7
    must_be_sound(hall)
