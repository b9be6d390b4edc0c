from __future__ import annotations

import json

import httpx
import numpy as np
import pytest

from hub.auth import THE_HUB
from skills.container import pack
from skills.errors import ConflictError, ContractError
from skills.manifest import Channel, Contract, Network
from skills.messages import API, BLOB, VersionView
from tests.hub.conftest import CONTRACT, Hall, ok, tiny_skill

ABSENT = "sha256:" + "0" * 64


def test_a_first_version_is_stable_so_that_robots_can_start(hall: Hall) -> None:
    skill = tiny_skill()
    version = ok(hall.publish(skill)).json()
    assert version["channels"] == ["candidate", "stable"]
    assert hall.skill("stable").digest == hall.skill(1).digest == skill.digest


def test_a_later_upload_is_a_candidate_only(hall: Hall) -> None:
    first = tiny_skill()
    ok(hall.publish(first))
    ok(hall.publish(tiny_skill(version=2, seed=1, parents=(first.digest,))))
    assert (hall.version("stable").version, hall.version("candidate").version) == (1, 2)
    assert hall.version(2).parents == (first.digest,)


def test_the_same_file_again_changes_nothing(hall: Hall) -> None:
    first = hall.publish(tiny_skill())
    again = hall.publish(tiny_skill())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(hall.get("/skills/reach/versions")) == 1


def test_the_file_comes_as_it_was_sent_with_its_digest_as_etag(hall: Hall) -> None:
    skill = tiny_skill()
    ok(hall.publish(skill))
    response = hall.client.get(API + "/skills/reach/versions/stable/file")
    assert response.content == skill.to_bytes()
    assert response.headers["etag"] == f'"{skill.digest}"'
    assert response.headers["content-type"] == BLOB


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', '"sha256:other", "{}"'])
def test_a_caller_who_has_the_file_gets_no_bytes(hall: Hall, form: str) -> None:
    skill = tiny_skill()
    ok(hall.publish(skill))
    headers = {"If-None-Match": form.format(skill.digest)}
    response = hall.client.get(API + "/skills/reach/versions/1/file", headers=headers)
    assert (response.status_code, response.content) == (304, b"")


def test_a_skill_says_what_it_is(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(summary="Reaches.")))
    (listed,) = hall.get("/skills")
    assert listed == hall.get("/skills/reach")
    assert (listed["task"], listed["summary"], listed["versions"]) == ("reach", "Reaches.", 1)


@pytest.mark.parametrize("ref", ["2", "canary", "0", "-1", "1.5", "\u0661", "9" * 30])
def test_an_unknown_version_is_not_found(hall: Hall, ref: str) -> None:
    ok(hall.publish(tiny_skill()))
    hall.error(hall.client.get(f"{API}/skills/reach/versions/{ref}"), 404)


def test_an_unknown_skill_is_not_found(hall: Hall) -> None:
    for path in ("", "/versions", "/versions/1", "/versions/1/file"):
        assert hall.error(hall.client.get(f"{API}/skills/reach{path}"), 404)["where"] == "name"


def refused(hall: Hall, status: int, **changes: object) -> dict[str, str]:
    before = hall.trace()
    error = hall.error(hall.publish(tiny_skill(**{"version": 2, "seed": 9, **changes})), status)  # type: ignore[arg-type]
    assert hall.trace() == before
    return error


def test_versions_are_numbered_without_gaps(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    assert refused(hall, 409, version=3)["where"] == "manifest.version"
    assert refused(hall, 409, version=1)["code"] == "wrong_version"


def test_a_parent_must_be_known(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    assert refused(hall, 422, parents=(ABSENT,))["code"] == "unknown_base"


def test_a_merge_is_the_hubs_own_word(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    assert refused(hall, 422, origin="merge")["where"] == "manifest.origin"


def test_a_skill_keeps_its_task_and_contract(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    assert refused(hall, 422, task="weld")["code"] == "contract_mismatch"
    wider = Contract(
        observation=(Channel(name="error", size=3, unit="mm", scale=4.0),),
        action=CONTRACT.action,
        control_hz=50,
    )
    assert "error" in refused(hall, 422, contract=wider)["message"]


def test_a_version_may_have_another_network(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    ok(hall.publish(tiny_skill(version=2, network=Network(inputs=3, outputs=2, hidden=(8, 8)))))


@pytest.mark.parametrize("data", [b"", b"not a skill", tiny_skill().to_bytes()[:-3]])
def test_what_is_no_skill_leaves_no_trace(hall: Hall, data: bytes) -> None:
    response = hall.client.post(API + "/skills", content=data, headers=hall.operator)
    assert hall.error(response, 422)["code"] == "bad_artefact"
    assert hall.get("/skills") == []
    assert hall.blobs() == set()


def move(hall: Hall, number: int, channel: str = "stable") -> httpx.Response:
    url = f"{API}/skills/reach/channels/{channel}"
    return hall.client.put(url, json={"version": number}, headers=hall.operator)


def test_an_operator_releases_and_rolls_back(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    for number in (2, 1):
        ok(move(hall, number))
        assert hall.version("stable").version == number
    assert hall.version("candidate").version == 2


def test_what_becomes_stable_by_hand_was_measured(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.gate.scores[2] = 0.7
    released = VersionView.model_validate(ok(move(hall, 2)).json())
    assert released.score is not None
    assert released.score.score == 0.7
    assert hall.gate.asked == [(2, None)]


def test_what_cannot_be_measured_does_not_become_stable(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.gate.error = ContractError("no task reach here.")
    hall.error(move(hall, 2), 422)
    assert hall.version("stable").version == 1


def test_the_catalogue_itself_lets_nothing_unmeasured_become_stable(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    with pytest.raises(ConflictError, match="never measured"):
        hall.services.catalogue.move_channel("reach", "stable", 2, by=THE_HUB)


def test_a_channel_cannot_point_at_nothing(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.error(move(hall, 7), 404)


def test_a_channel_that_is_none_is_refused(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    response = hall.client.put(
        API + "/skills/reach/channels/beta", json={"version": 1}, headers=hall.operator
    )
    assert hall.error(response, 422)["where"] == "path.channel"


def test_views_are_plain_json(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    assert json.loads(json.dumps(hall.get("/skills/reach"))) == hall.get("/skills/reach")


def test_a_skill_whose_weights_overflow_is_not_taken(hall: Hall) -> None:
    skill = tiny_skill()
    loud = {name: np.full(tensor.shape, 3e38, np.float32) for name, tensor in skill.tensors.items()}
    file = pack(skill.manifest.model_dump_json(), loud)
    answer = hall.client.post(f"{API}/skills", content=file, headers=hall.operator)
    assert hall.error(answer, 422)["code"] == "out_of_bounds"
