from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hub.access.principal import THE_HUB
from hub.storage.objects import StoreError
from skills.container import digest_of, pack
from skills.messages.base import API, DELTA_SIGNATURE_HEADER
from skills.signing import SigningKey, delta_statement
from tests.hub.conftest import Collecting, Hall, Robot, ok, random_tensors, tensors_like, tiny_skill

ZERO_DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def no_trace(collecting: Collecting) -> Iterator[Collecting]:
    before = collecting.hall.trace()
    yield collecting
    assert collecting.hall.trace() == before


def good(at: Collecting, robot: int = 0, **changes: object) -> bytes:
    return at.robots[robot].delta(at.work, random_tensors(at.base, 1), **changes)


def test_wrong_shapes(no_trace: Collecting) -> None:
    tensors = random_tensors(no_trace.base, 1)
    tensors["actor.0.weight"] = tensors["actor.0.weight"][:, :2]
    response = no_trace.robots[0].push(
        no_trace.work.round_id, no_trace.robots[0].delta(no_trace.work, tensors)
    )
    error = no_trace.hall.error(response, 422)
    assert error["code"] == "wrong_shape"
    assert error["remedy"]


def test_a_tensor_too_few(no_trace: Collecting) -> None:
    tensors = random_tensors(no_trace.base, 1)
    del tensors["log_std"]
    response = no_trace.robots[0].push(
        no_trace.work.round_id, no_trace.robots[0].delta(no_trace.work, tensors)
    )
    error = no_trace.hall.error(response, 422)
    assert error["code"] == "wrong_shape"


def test_an_unknown_tensor(no_trace: Collecting) -> None:
    tensors = {**random_tensors(no_trace.base, 1), "actor.9.weight": np.zeros((1, 1))}
    response = no_trace.robots[0].push(
        no_trace.work.round_id, no_trace.robots[0].delta(no_trace.work, tensors)
    )
    assert no_trace.hall.error(response, 422)["where"].startswith("actor.9")


def test_an_unknown_base(no_trace: Collecting) -> None:
    response = no_trace.robots[0].push(no_trace.work.round_id, good(no_trace, base=ZERO_DIGEST))
    error = no_trace.hall.error(response, 409)
    assert (error["code"], error["where"]) == ("unknown_base", "delta.base")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(no_trace: Collecting, bad: float) -> None:
    robot, work = no_trace.robots[0], no_trace.work
    sound = robot.delta(work, tensors_like(no_trace.base, 1.0))
    (length,) = struct.unpack("<Q", sound[:8])
    document = json.loads(sound[8 : 8 + length])["__metadata__"]["zunft"]
    tensors = tensors_like(no_trace.base, 1.0)
    tensors["log_std"][0] = bad
    error = no_trace.hall.error(robot.push(work.round_id, pack(document, tensors)), 422)
    assert (error["code"], error["where"]) == ("not_finite", "log_std")


def test_a_delta_longer_than_the_plan_allows(no_trace: Collecting) -> None:
    data = no_trace.robots[0].delta(no_trace.work, tensors_like(no_trace.base, 1e3))
    error = no_trace.hall.error(no_trace.robots[0].push(no_trace.work.round_id, data), 422)
    assert error["code"] == "norm_too_large"


def test_a_signature_by_another_key(no_trace: Collecting) -> None:
    data = good(no_trace)
    forged = SigningKey.generate().sign(delta_statement(digest_of(data)))
    error = no_trace.hall.error(no_trace.robots[0].push(no_trace.work.round_id, data, signature=forged), 401)
    assert error["code"] == "bad_signature"


def test_a_signature_over_other_bytes(no_trace: Collecting) -> None:
    robot = no_trace.robots[0]
    other = robot.key.sign(delta_statement(digest_of(good(no_trace, samples=7))))
    response = robot.push(no_trace.work.round_id, good(no_trace), signature=other)
    assert no_trace.hall.error(response, 401)["code"] == "bad_signature"


def test_no_signature_at_all(no_trace: Collecting) -> None:
    response = no_trace.robots[0].request("POST", f"/rounds/{no_trace.work.round_id}/deltas", good(no_trace))
    error = no_trace.hall.error(response, 422)
    assert error["where"] == f"header.{DELTA_SIGNATURE_HEADER}"


def test_an_unknown_robot(no_trace: Collecting) -> None:
    stranger = Robot(no_trace.hall.client, no_trace.hall.clock, "r-stranger", SigningKey.generate())
    response = stranger.push(no_trace.work.round_id, good(no_trace))
    error = no_trace.hall.error(response, 401)
    assert (error["code"], error["where"]) == ("unknown_robot", "Signature-Input")


def test_a_robot_that_brings_anothers_delta(no_trace: Collecting) -> None:
    response = no_trace.robots[1].push(no_trace.work.round_id, good(no_trace, robot=0))
    assert no_trace.hall.error(response, 403)["where"] == "delta.robot_id"


def test_a_user_cannot_bring_a_delta(no_trace: Collecting) -> None:
    response = no_trace.hall.client.post(
        f"{API}/rounds/{no_trace.work.round_id}/deltas",
        content=good(no_trace),
        headers={**no_trace.hall.operator, DELTA_SIGNATURE_HEADER: "x"},
    )
    no_trace.hall.error(response, 403)


def test_an_oversized_body_that_says_so(no_trace: Collecting) -> None:
    body = b"x" * (no_trace.hall.settings.message_limit + 1)
    response = no_trace.hall.client.post(API + "/campaigns", content=body, headers=no_trace.hall.operator)
    assert no_trace.hall.error(response, 413)["code"] == "too_large"


def test_an_oversized_body_that_hides_its_length(no_trace: Collecting) -> None:
    parts = iter([b"x" * 4096] * 100)
    headers = {**no_trace.hall.operator, "Content-Type": "application/json"}
    response = no_trace.hall.client.post(API + "/campaigns", content=parts, headers=headers)
    assert no_trace.hall.error(response, 413)["code"] == "too_large"


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_blob(no_trace: Collecting, keep: int) -> None:
    error = no_trace.hall.error(no_trace.robots[0].push(no_trace.work.round_id, good(no_trace)[:keep]), 422)
    assert error["code"] == "bad_artefact"


def test_a_truncated_compressed_blob(no_trace: Collecting) -> None:
    data = good(no_trace, codec="fp16+zstd")
    response = no_trace.robots[0].push(no_trace.work.round_id, data[: len(data) // 2])
    no_trace.hall.error(response, 422)


def test_an_unknown_round(no_trace: Collecting) -> None:
    response = no_trace.robots[0].push("c-nowhere-1", good(no_trace))
    assert no_trace.hall.error(response, 404)["code"] == "unknown_round"


def test_a_late_delta(no_trace: Collecting) -> None:
    data = good(no_trace)
    no_trace.hall.clock.advance(61)
    error = no_trace.hall.error(no_trace.robots[0].push(no_trace.work.round_id, data), 409)
    assert error["code"] == "round_closed"


def test_an_oversized_delta(no_trace: Collecting) -> None:
    body = b"x" * (no_trace.hall.settings.delta_limit + 1)
    response = no_trace.robots[0].push(no_trace.work.round_id, body)
    assert no_trace.hall.error(response, 413)["code"] == "too_large"


def test_a_delta_for_a_round_that_is_over(collecting: Collecting) -> None:
    hall, (one, two) = collecting.hall, collecting.robots
    for robot in (one, two):
        ok(
            robot.push(
                collecting.work.round_id, robot.delta(collecting.work, random_tensors(collecting.base, 1))
            )
        )
    hall.turn()
    third = hall.enrol("three")
    before = hall.trace()
    late = third.delta(collecting.work, random_tensors(collecting.base, 2))
    assert hall.error(third.push(collecting.work.round_id, late), 409)["code"] == "round_closed"
    assert hall.trace() == before


def test_the_same_delta_ten_times_counts_once(collecting: Collecting) -> None:
    robot, data = collecting.robots[0], good(collecting)
    answers = [robot.push(collecting.work.round_id, data) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [201] + [200] * 9
    assert [answer.json()["status"] for answer in answers] == ["admitted"] + ["duplicate"] * 9
    assert collecting.hall.round(collecting.work.round_id).deltas == 1


def test_a_repeated_delta_is_still_a_duplicate_after_the_round(collecting: Collecting) -> None:
    first = good(collecting)
    ok(collecting.robots[0].push(collecting.work.round_id, first))
    ok(collecting.robots[1].push(collecting.work.round_id, good(collecting, robot=1)))
    collecting.hall.turn()
    again = collecting.robots[0].push(collecting.work.round_id, first)
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")


def test_a_second_and_different_delta_is_refused(collecting: Collecting) -> None:
    robot = collecting.robots[0]
    ok(robot.push(collecting.work.round_id, good(collecting)))
    before = collecting.hall.trace()
    error = collecting.hall.error(robot.push(collecting.work.round_id, good(collecting, samples=99)), 409)
    assert error["code"] == "second_delta"
    assert collecting.hall.trace() == before


def test_a_replayed_request(collecting: Collecting) -> None:
    robot, hall = collecting.robots[0], collecting.hall
    target = f"{API}/rounds/{collecting.work.round_id}/deltas"
    data = good(collecting)
    headers = robot.headers("POST", target, data)
    headers[DELTA_SIGNATURE_HEADER] = robot.key.sign(delta_statement(digest_of(data)))
    ok(hall.client.post(target, content=data, headers=headers))
    error = hall.error(hall.client.post(target, content=data, headers=headers), 401)
    assert (error["code"], error["where"]) == ("replayed_request", "Signature-Input")


def test_not_json(no_trace: Collecting) -> None:
    headers = {**no_trace.hall.operator, "Content-Type": "application/json"}
    response = no_trace.hall.client.post(API + "/campaigns", content=b"{skill: reach", headers=headers)
    error = no_trace.hall.error(response, 422)
    assert (error["code"], error["where"]) == ("not_json", "body")


@pytest.mark.parametrize("body", [b"\xff", b"[" * 60_000, b'{"rounds": ' + b"9" * 5000 + b"}"])
def test_json_that_cannot_be_read(no_trace: Collecting, body: bytes) -> None:
    headers = {**no_trace.hall.operator, "Content-Type": "application/json"}
    error = no_trace.hall.error(
        no_trace.hall.client.post(API + "/campaigns", content=body, headers=headers), 422
    )
    assert (error["code"], error["where"]) == ("not_json", "body")


@pytest.mark.parametrize(
    "plan",
    [
        '{"rule": "dare", "options": {"seed": ' + "9" * 400 + "}}",
        '{"rule": "dare", "options": {"seed": Infinity}}',
        '{"sample_cap": ' + "9" * 400 + "}",
        '{"options": {"\\ud800": 1}}',
        '{"' + "x" * 10_000 + '": 1}',
    ],
)
def test_json_with_numbers_and_names_beyond_all_bounds(no_trace: Collecting, plan: str) -> None:
    body = f'{{"skill": "reach", "merge": {plan}}}'
    headers = {**no_trace.hall.operator, "Content-Type": "application/json"}
    error = no_trace.hall.error(
        no_trace.hall.client.post(API + "/campaigns", content=body, headers=headers), 422
    )
    assert len(error["where"]) <= 200


@pytest.mark.parametrize("path", ["/skills/a%00b", "/rounds/%00", "/campaigns/%00", "/users/%00"])
def test_a_nul_in_an_address_which_postgresql_cannot_look_up(no_trace: Collecting, path: str) -> None:
    method = "DELETE" if path.startswith("/users") else "GET"
    no_trace.hall.error(no_trace.hall.client.request(method, API + path, headers=no_trace.hall.operator), 404)


def test_a_nul_in_a_summary_which_postgresql_cannot_keep(no_trace: Collecting) -> None:
    document = tiny_skill(name="other").manifest.model_dump() | {"summary": "a\0b"}
    data = pack(json.dumps(document), tiny_skill().tensors)
    response = no_trace.hall.client.post(API + "/skills", content=data, headers=no_trace.hall.operator)
    assert no_trace.hall.error(response, 422)["where"] == "manifest.summary"


def test_json_that_says_too_little(no_trace: Collecting) -> None:
    error = no_trace.hall.error(no_trace.hall.post("/campaigns", {"rounds": 3}), 422)
    assert (error["where"], error["message"]) == ("body.skill", "Field required.")


def test_a_misspelt_field(no_trace: Collecting) -> None:
    response = no_trace.hall.post("/campaigns", {"skill": "reach", "quorom": 3})
    assert no_trace.hall.error(response, 422)["where"] == "body.quorom"


def test_an_unknown_codec_in_an_order(no_trace: Collecting) -> None:
    response = no_trace.hall.post("/campaigns", {"skill": "reach", "training": {"codec": "jpeg"}})
    assert "jpeg" in no_trace.hall.error(response, 422)["message"]


def test_a_metric_that_is_no_number(no_trace: Collecting) -> None:
    robot = no_trace.robots[0]
    sound = robot.delta(no_trace.work, tensors_like(no_trace.base, 1.0))
    (length,) = struct.unpack("<Q", sound[:8])
    document = json.loads(json.loads(sound[8 : 8 + length])["__metadata__"]["zunft"])
    document["metrics"] = {"success": float("inf")}
    data = pack(json.dumps(document), tensors_like(no_trace.base, 1.0))
    error = no_trace.hall.error(robot.push(no_trace.work.round_id, data), 422)
    assert error["where"] == "delta.metrics.success"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("GET", "/nothing", 404), ("DELETE", "/api/v1/skills", 405)],
)
def test_routes_that_are_none(no_trace: Collecting, method: str, path: str, status: int) -> None:
    response = no_trace.hall.client.request(method, path)
    assert no_trace.hall.error(response, status)["where"] == path


def test_a_fault_of_the_hub_shows_nothing_of_the_inside(
    no_trace: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(no_trace.hall.services.catalogue.skills, "skills", fail)
    response = no_trace.hall.client.get(API + "/skills", headers={"X-Request-ID": "mine-1"})
    error = no_trace.hall.error(response, 500)
    assert error["request_id"] == "mine-1"
    assert "secret" not in response.text


def test_a_round_that_closes_while_a_delta_is_taken_in_keeps_nothing_of_it(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    store = hall.services.storage.store
    put = store.put_file

    def put_and_close(digest: str, file: Path) -> None:
        put(digest, file)
        hall.services.rounds.campaigns.stop(collecting.campaign_id, by=THE_HUB)

    blobs = hall.blobs()
    monkeypatch.setattr(store, "put_file", put_and_close)
    response = robot.push(collecting.work.round_id, good(collecting))
    assert hall.error(response, 409)["code"] == "round_closed"
    hall.tidy()
    assert hall.blobs() == blobs
    assert hall.round(collecting.work.round_id).deltas == 0


def test_an_upload_that_comes_second_keeps_nothing(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    store = hall.services.storage.store
    put = store.put_file
    rival = tiny_skill(seed=1)

    def put_after_rival(digest: str, file: Path) -> None:
        monkeypatch.setattr(store, "put_file", put)
        ok(hall.publish(rival))
        put(digest, file)

    monkeypatch.setattr(store, "put_file", put_after_rival)
    assert hall.error(hall.publish(tiny_skill()), 409)["code"] == "wrong_version"
    hall.tidy()
    assert hall.blobs() == {rival.digest[9:]}


def test_a_store_that_is_full_admits_nothing(no_trace: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the disk is full.", remedy="Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(no_trace.hall.services.storage.store, "put_file", fail)
        response = no_trace.robots[0].push(no_trace.work.round_id, good(no_trace))
        assert no_trace.hall.error(response, 503)["message"] == "the disk is full."
    assert no_trace.hall.round(no_trace.work.round_id).deltas == 0
