from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest

from hub.access.principal import THE_HUB
from hub.catalogue.catalogue import resolve
from hub.catalogue.moves import make_stable
from hub.storage.objects import StoreError
from skills.container import pack
from skills.errors import ConflictError, ContractError
from skills.manifest import Channel, Contract
from skills.messages.base import API, BLOB
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.hub.conftest import CONTRACT, Hall, ok, tiny_skill

ABSENT = "sha256:" + "0" * 64


def trained(**changes: Any) -> Skill:
    return tiny_skill(**{"origin": "upload", **changes})


def test_a_first_version_is_stable_once_it_was_measured(hall: Hall) -> None:
    version = ok(hall.publish(trained())).json()
    assert version["channels"] == ["candidate"]
    (release,) = hall.get("/skills/reach/releases")
    assert release["state"] == "queued"
    hall.services.catalogue.releaser.work()
    stable = hall.version("stable")
    assert stable.gate is not None
    assert stable.gate.reached
    assert (stable.version, stable.score) == (1, stable.gate.candidate)
    assert hall.get(f"/skills/reach/releases/{release['release_id']}")["state"] == "released"


def test_a_first_version_that_is_no_better_than_doing_nothing_stays_a_candidate(hall: Hall) -> None:
    hall.gate.scores[1] = 0.0
    ok(hall.publish(trained()))
    hall.services.catalogue.releaser.work()
    (release,) = hall.get("/skills/reach/releases")
    assert release["state"] == "refused"
    assert "more than doing nothing" in release["reason"]
    assert release["gate"]["nothing"]["score"] == 0.0
    hall.error(hall.client.get(f"{API}/skills/reach/versions/stable"), 404)
    assert hall.version("candidate").version == 1


def test_an_upload_that_waits_to_be_the_first_stable_one_takes_no_others_place(hall: Hall) -> None:
    ok(hall.publish(trained()))
    ok(hall.publish(trained(version=2, seed=1)))
    hall.services.catalogue.releaser.work()
    assert [each["state"] for each in hall.get("/skills/reach/releases")] == ["refused", "released"]
    assert hall.version("stable").version == 1


def test_an_untrained_first_version_waits_for_its_campaign(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    assert hall.get("/skills/reach/releases") == []
    assert hall.version(1).channels == ("candidate",)
    assert hall.version("base").version == 1


@pytest.mark.parametrize(("minimum", "state"), [(0.6, "refused"), (0.5, "released"), (0.0, "released")])
def test_the_minimum_is_a_setting_of_the_skill(hall: Hall, minimum: float, state: str) -> None:
    ok(hall.publish(tiny_skill()))
    path = f"{API}/skills/reach/minimum"
    changed = ok(hall.client.put(path, json={"minimum": minimum}, headers=hall.operator)).json()
    assert changed["minimum"] == minimum
    release = hall.release(1)
    assert release.state == state
    assert release.gate is not None
    assert release.gate.nothing is None


def test_a_later_upload_is_a_candidate_only(hall: Hall) -> None:
    first = tiny_skill()
    ok(hall.publish(first))
    hall.release(1)
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
    response = hall.client.get(API + "/skills/reach/versions/candidate/file")
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
    ok(hall.publish(tiny_skill(version=2, network=Mlp(inputs=3, outputs=2, hidden=(8, 8)))))


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
    for number in (1, 2, 1):
        assert hall.release(number).state == "released"
        assert hall.version("stable").version == number
    assert hall.version("candidate").version == 2


def test_what_becomes_stable_by_hand_was_measured(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.gate.scores[2] = 0.7
    answer = move(hall, 2)
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert move(hall, 2).json() == answer.json()
    assert hall.gate.asked == []
    hall.services.catalogue.releaser.work()
    released = hall.version("stable")
    assert released.score is not None
    assert released.score.score == 0.7
    assert released.gate is not None
    assert hall.gate.asked == [(2, None)]


def test_what_cannot_be_measured_does_not_become_stable(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.gate.error = ContractError("no task reach here.")
    release = hall.release(2)
    assert (release.state, release.reason) == ("refused", "It cannot be measured: no task reach here.")
    assert hall.version("stable").version == 1


def test_a_gate_that_breaks_ends_a_release_with_a_word(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.gate.error = RuntimeError("the simulator broke: a secret path")
    release = hall.release(1)
    assert release.state == "refused"
    assert release.reason == "It cannot be measured: an internal error, see the hub's log."


def test_the_catalogue_itself_lets_nothing_unmeasured_become_stable(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    keeping = hall.services.attestations.keeping
    with hall.services.storage.database.write() as session:
        version = resolve(session, "reach", "1", THE_HUB)
        with pytest.raises(ConflictError, match="never measured"):
            make_stable(session, keeping, version, hall.clock(), reason="")
    hall.error(hall.client.get(f"{API}/skills/reach/versions/stable"), 404)


def test_a_release_that_was_being_measured_goes_on_after_a_restart(hall: Hall) -> None:
    ok(hall.publish(trained()))
    hall.gate.error = StoreError("not now.")
    hall.services.catalogue.releaser.work()
    assert hall.get("/skills/reach/releases")[0]["state"] == "queued"
    hall.gate.error = None
    hall.clock.advance(2)
    hall.services.catalogue.releaser.work()
    assert hall.version("stable").version == 1


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
