"""What vouches for a version is kept with it, and goes where it goes."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hub.storage.blobs import blobs_of
from hub.storage.objects import StoreError
from hub.storage.tables.skills import VersionRow
from hub.workers.job import GateJob
from skills.attestations import Attested, read_attestation
from skills.container import digest_of
from skills.errors import ArtefactError, ConflictError, SignatureError
from skills.messages.attestations import AttestationView
from skills.messages.base import API
from skills.messages.plans import GatePlan
from skills.predicates import Gate, Kind, Merge, Release
from skills.signing import SigningKey, VerifyKey, gate_key_statement
from tests.hub.conftest import Collecting, Hall, ok, random_tensors, tiny_skill


def vouchers(hall: Hall, ref: str | int) -> dict[Kind, Attested]:
    """The newest of each kind, verified by the key that it says."""
    path = f"/skills/reach/versions/{ref}/attestations"
    found: dict[Kind, Attested] = {}
    for each in hall.get(path):
        view = AttestationView.model_validate(each)
        data = ok(hall.client.get(f"{API}{path}/{view.digest}")).content
        attested = read_attestation(data)
        attested.verify(VerifyKey(view.signer))
        assert (attested.digest, attested.kind, len(data)) == (view.digest, view.kind, view.size)
        found.setdefault(attested.kind, attested)
    return found


def collected(collecting: Collecting) -> Hall:
    """A round of two robots, merged and measured."""
    hall = collecting.hall
    for seed, robot in enumerate(collecting.robots):
        data = robot.delta(collecting.work, random_tensors(collecting.base, seed))
        ok(robot.push(collecting.work.round_id, data))
    hall.turn()
    return hall


def test_a_version_of_a_round_has_its_merge_its_gate_and_its_release(collecting: Collecting) -> None:
    hall = collected(collecting)
    version, found = hall.version("stable"), vouchers(hall, "stable")
    assert {each.subject for each in found.values()} == {version.digest}
    merge, gate, release = (found[kind].predicate for kind in ("merge", "gate", "release"))
    assert isinstance(merge, Merge)
    assert merge.parents == (collecting.base.digest,)
    assert [each.organisation for each in merge.deltas] == ["guild", "guild"]
    assert [each.weight for each in merge.deltas] == [100.0, 100.0]
    assert isinstance(gate, Gate)
    assert (gate.reference, gate.decision, gate.task) == (collecting.base.digest, "passed", "reach")
    assert isinstance(release, Release)
    assert (release.channel, release.before, release.by) == ("stable", collecting.base.digest, "hub")


def test_the_gates_word_is_under_a_key_that_is_not_the_hubs(collecting: Collecting) -> None:
    hall = collected(collecting)
    found, access = vouchers(hall, "stable"), hall.services.access
    assert found["merge"].signer == found["release"].signer == access.key.public
    told = ok(hall.client.get(f"{API}/gate-key")).json()
    access.key.public.verify(told["signature"], gate_key_statement(told["gate_key"]))
    assert found["gate"].signer.text == told["gate_key"] != access.key.public.text
    file = hall.settings.gate_key_path
    assert (SigningKey.load_or_create(file).public.text, file.stat().st_mode & 0o777) == (
        told["gate_key"],
        0o600,
    )


def test_a_candidate_that_is_not_good_enough_has_the_gates_no_and_no_release(collecting: Collecting) -> None:
    collecting.hall.gate.scores = {1: 0.9, 2: 0.1}
    hall = collected(collecting)
    found = vouchers(hall, 2)
    assert found.keys() == {"merge", "gate"}
    assert isinstance(found["gate"].predicate, Gate)
    assert found["gate"].predicate.decision == "rejected"


def test_what_an_operator_typed_stands_in_the_release(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    path, words = f"{API}/skills/reach/channels/stable", "The old one shakes."
    ok(hall.client.put(path, json={"version": 1, "reason": words}, headers=hall.operator))
    hall.services.catalogue.releaser.work()
    release = vouchers(hall, 1)["release"].predicate
    assert isinstance(release, Release)
    assert (release.by, release.reason, release.before) == ("user:admin", words, None)


def test_a_release_that_is_undone_leaves_nothing_in_the_store(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    before, keeping = hall.blobs(), hall.services.attestations.keeping

    def release_and_fail() -> None:
        with hall.services.storage.database.write() as session:
            version = session.get_one(VersionRow, ("reach", 2))
            keeping.release(session, version, "stable", None, hall.clock(), by="hub", reason="too early")
            raise ConflictError("something else went wrong.")

    with pytest.raises(ConflictError):
        release_and_fail()
    assert hall.blobs() == before


def test_a_channel_stays_where_its_release_cannot_be_kept(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.release(2)

    def fail(*_: object) -> None:
        raise StoreError("the store is down.")

    back = {"version": 1, "reason": "The new one shakes."}
    path, before = f"{API}/skills/reach/channels/stable", hall.get("/audit")
    with monkeypatch.context() as patch:
        patch.setattr(hall.services.storage.store, "put", fail)
        hall.error(hall.client.put(path, json=back, headers=hall.operator), 503)
    assert (hall.version("stable").version, hall.get("/audit")) == (2, before)
    ok(hall.client.put(path, json=back, headers=hall.operator))
    assert hall.version("stable").version == 1


def test_the_gates_word_on_something_else_is_not_kept(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    keeping, jobs = hall.services.attestations.keeping, hall.services.workers.jobs
    with hall.services.storage.database.read() as session:
        version = session.get_one(VersionRow, ("reach", 1))
    asked = GateJob(candidate=version.digest, current=None, plan=GatePlan())
    found = jobs.run(asked)
    keeping.gate(asked, found)
    for other in (
        {"candidate": digest_of(b"other")},
        {"plan": GatePlan(seed=1)},
        {"current": version.digest},
    ):
        with pytest.raises(ArtefactError):
            keeping.gate(asked.model_copy(update=other), found)
    SigningKey.load_or_create(hall.settings.gate_key_path.with_name("other.pem"))
    hall.settings.gate_key_path.with_name("other.pem").replace(hall.settings.gate_key_path)
    with pytest.raises(SignatureError, match="does not count"):
        keeping.gate(asked, jobs.run(asked))


def test_its_blobs_are_named_and_listed_by_version(collecting: Collecting) -> None:
    hall = collected(collecting)
    listed = [each["digest"] for each in hall.get("/skills/reach/versions/2/attestations")]
    assert len(listed) == 3
    with hall.services.storage.database.read() as session:
        assert {("", digest) for digest in listed} <= set(blobs_of(session))
    hall.error(hall.client.get(f"{API}/skills/reach/versions/1/attestations/{listed[0]}"), 404)


def test_what_an_older_hub_made_stable_gets_the_gates_word_after_the_next_start(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    with hall.services.storage.database.write() as session:
        session.execute(text("DELETE FROM attestations"))
    hall.close()
    again = Hall(hall.settings, hall.gate, hall.clock)
    again.services.catalogue.releaser.work()
    assert vouchers(again, "stable").keys() == {"gate"}
    again.close()
