"""Files in parts: what comes so is as if it had come in one request, however it came."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hub.access.principal import THE_HUB
from hub.deltas import uploads
from hub.metrics import Metrics
from hub.queue.background_loop import STUCK_SECONDS, BackgroundLoop, every
from hub.settings import Settings
from hub.storage.notify import Bell
from hub.storage.objects import StoreError
from hub.storage.regions import HOME
from skills.container import digest_of, pack, unpack
from skills.messages.base import API
from skills.signing import SigningKey, delta_statement
from tests.hub.bringing import PART, Yard, open_yard, publish_in_parts, send_json, user, wide_skill
from tests.hub.conftest import Hall, Hands, StubGate, ok, tiny_skill

PATIENCE = 60.0


@pytest.fixture
def yard(on_both: Settings, clock: Hands) -> Iterator[Yard]:
    found = open_yard(on_both, clock)
    yield found
    found.hall.close()


@pytest.fixture
def small(settings: Settings, clock: Hands) -> Iterator[Yard]:
    """On SQLite and files, for what has nothing to do with either."""
    found = open_yard(settings, clock)
    yield found
    found.hall.close()


@pytest.fixture
def no_trace(yard: Yard) -> Iterator[Yard]:
    before = yard.stored()
    yield yard
    assert yard.stored() == before
    assert yard.hall.round(yard.work.round_id).deltas == 0
    assert list((yard.hall.settings.data_dir / "spool").iterdir()) == []


def test_a_delta_in_parts_is_as_one_that_came_whole(yard: Yard) -> None:
    data, before = yard.delta(), yard.stored()
    view = yard.view(data)
    assert [part.number for part in view.missing] == [1, 2, 3, 4, 5, 6, 7]
    assert [part.size for part in view.missing] == [PART] * 6 + [len(data) - 6 * PART]
    assert [part.url for part in view.missing] == [""] * 7
    yard.bring(data, view, [7, 3, 1, 3, 2, 6, 5, 4, 1])
    answer = yard.complete(view)
    assert (answer.status_code, answer.json()["status"]) == (201, "admitted")
    again = [yard.complete(view), yard.robot.push(yard.work.round_id, data)]
    assert [(each.status_code, each.json()["status"]) for each in again] == [(200, "duplicate")] * 2
    digest = digest_of(data)
    assert yard.stored() - before == {f"sha256/{digest[7:9]}/{digest[9:]}"}
    assert yard.hall.services.storage.store.get(digest) == data
    assert yard.hall.round(yard.work.round_id).deltas == 1
    assert yard.view(data).missing == ()


def test_a_hub_that_was_restarted_knows_how_far_it_got(yard: Yard) -> None:
    data = yard.delta()
    view = yard.view(data)
    yard.bring(data, view, [2, 5])
    restarted = Hall(yard.hall.settings, StubGate(), yard.hall.clock)
    yard.robot.client = restarted.client
    found = yard.view(data)
    assert found.upload_id == view.upload_id
    assert [part.number for part in found.missing] == [1, 3, 4, 6, 7]
    yard.bring(data, found)
    assert ok(yard.complete(found)).status_code == 201
    restarted.close()


def test_a_skill_in_parts_is_as_one_that_came_whole(yard: Yard) -> None:
    skill = wide_skill(version=2, seed=1)
    researcher = user(yard.hall, "researcher")
    answer = publish_in_parts(yard.hall, skill, researcher)
    assert (answer.status_code, answer.json()["version"]) == (201, 2)
    again = publish_in_parts(yard.hall, skill, researcher)
    assert (again.status_code, again.json()["digest"]) == (200, skill.digest)
    assert yard.hall.skill(2).digest == skill.digest
    assert not any(path.startswith("incoming") for path in yard.stored())


def test_what_is_incomplete_is_not_taken_and_goes_on(yard: Yard) -> None:
    data = yard.delta()
    view = yard.view(data)
    yard.bring(data, view, [1, 2, 3])
    error = yard.hall.error(yard.complete(view), 409)
    assert error["code"] == "incomplete_upload"
    assert [part.number for part in yard.view(data).missing] == [4, 5, 6, 7]
    yard.bring(data, yard.view(data))
    assert ok(yard.complete(view)).status_code == 201


def test_parts_that_are_not_what_was_announced_are_thrown_away(no_trace: Yard) -> None:
    data = no_trace.delta()
    view = no_trace.view(data)
    no_trace.bring(data, view)
    no_trace.put(view.upload_id, 2, bytes(PART))
    assert no_trace.hall.error(no_trace.complete(view), 422)["code"] == "wrong_digest"
    assert len(no_trace.view(data).missing) == 7


def test_an_unsound_delta_is_refused_and_thrown_away(no_trace: Yard) -> None:
    tensors = {name: np.full(each.shape, np.nan) for name, each in no_trace.base.tensors.items()}
    document, _ = unpack(no_trace.delta(), "delta")
    data = pack(document, tensors)
    view = no_trace.view(data)
    no_trace.bring(data, view)
    assert no_trace.hall.error(no_trace.complete(view), 422)["code"] == "not_finite"
    assert no_trace.hall.error(no_trace.complete(view), 404)["code"] == "unknown_upload"


def test_a_part_of_another_size_is_refused(no_trace: Yard) -> None:
    data = no_trace.delta()
    view = no_trace.view(data)
    for number, size in ((1, PART - 1), (7, PART), (2, 0)):
        error = no_trace.hall.error(no_trace.put(view.upload_id, number, bytes(size)), 422)
        assert error["code"] == "wrong_part"
    beyond = bytes(no_trace.hall.services.deltas.uploads.largest_part + 1)
    assert no_trace.hall.error(no_trace.put(view.upload_id, 1, beyond), 413)["code"] == "too_large"
    no_trace.hall.error(no_trace.put(view.upload_id, 8, bytes(PART)), 404)


def test_what_is_given_up_is_thrown_away(no_trace: Yard) -> None:
    data = no_trace.delta()
    view = no_trace.view(data)
    no_trace.bring(data, view, [1, 2])
    ok(no_trace.robot.request("DELETE", f"/uploads/{view.upload_id}"))
    assert no_trace.hall.error(no_trace.complete(view), 404)["code"] == "unknown_upload"


def test_what_expires_is_swept_and_what_is_announced_again_lives_on(yard: Yard) -> None:
    first, second, before = yard.delta(1), yard.delta(2), yard.stored()
    for data in (first, second):
        yard.bring(data, yard.view(data), [1])
    yard.hall.clock.advance(86_000)
    yard.view(second)
    yard.hall.clock.advance(1_000)
    error = yard.hall.error(yard.complete(yard.view(first)), 409)
    assert error["code"] == "incomplete_upload"  # announced again in time: it lives, too
    yard.hall.clock.advance(86_000)
    yard.hall.services.deltas.uploads.sweep()
    assert len(yard.stored() - before) == 1
    assert [part.number for part in yard.view(first).missing] == [2, 3, 4, 5, 6, 7]
    yard.hall.clock.advance(90_000)
    yard.hall.services.deltas.uploads.sweep()
    assert yard.stored() == before


def test_many_are_swept_in_batches_and_a_long_sweep_is_not_called_stuck(
    small: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "BATCH", 2)
    hall, seconds, said, swept = small.hall, [0.0], [], []
    for seed in (1, 2, 3):
        small.view(small.delta(seed))
    hall.clock.advance(90_000)
    parts, done = hall.services.storage.stores.of(HOME).parts, threading.Event()
    drop = parts.drop

    def drop_slowly(upload_id: str) -> None:
        seconds[0] += STUCK_SECONDS - 1
        said.append(loop.trouble())
        drop(upload_id)

    def sweep() -> bool:
        swept.append(hall.services.deltas.uploads.sweep())
        if not swept[-1]:
            done.set()
        return swept[-1]

    monkeypatch.setattr(parts, "drop", drop_slowly)
    bell = Bell()
    loop = BackgroundLoop(
        "uploads", every(PATIENCE, sweep), bell, Metrics(), is_woken=False, now=lambda: seconds[0]
    )
    loop.start()
    assert done.wait(PATIENCE)
    bell.close()
    loop.stop()
    assert (swept, said) == ([True, False], [""] * 3)


def test_a_killed_hubs_spooled_files_and_stray_parts_are_swept(small: Yard) -> None:
    spool, store = small.hall.settings.data_dir / "spool", small.hall.settings.data_dir / "blobs"
    before = small.stored()
    left = [spool / "spooled-xyz", store / "incoming" / "u-stray" / "1", store / "incoming" / "copy-xyz"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left behind")
    small.hall.services.deltas.uploads.sweep()
    assert all(path.exists() for path in left)
    small.hall.clock.now = datetime.now(UTC) + timedelta(days=2)
    small.hall.services.deltas.uploads.sweep()
    assert not any(path.exists() for path in left)
    assert small.stored() == before


def test_nobody_else_learns_of_an_upload(small: Yard) -> None:
    data = small.delta()
    upload_id = small.view(data).upload_id
    for method, path, body in (
        ("PUT", f"/uploads/{upload_id}/parts/1", bytes(PART)),
        ("POST", f"/uploads/{upload_id}/complete", b""),
        ("DELETE", f"/uploads/{upload_id}", b""),
    ):
        error = small.hall.error(small.other.request(method, path, body), 404)
        assert error["code"] == "unknown_upload"
        response = small.hall.client.request(method, API + path, content=body, headers=small.hall.operator)
        assert small.hall.error(response, 404)["code"] == "unknown_upload"
    assert len(small.view(data).missing) == 7


def test_what_would_be_refused_anyhow_is_refused_before_a_byte_comes(small: Yard) -> None:
    hall, data, before = small.hall, small.delta(), small.stored()
    announcement = small.announcement(data)
    too_large = small.announce(data, size=hall.settings.delta_limit + 1)
    assert hall.error(too_large, 413)["where"] == "size"
    forged = {
        **announcement["purpose"],
        "signature": SigningKey.generate().sign(delta_statement(digest_of(data))),
    }
    assert hall.error(small.announce(data, purpose=forged), 401)["code"] == "bad_signature"
    nowhere = {**announcement["purpose"], "round_id": "c-nowhere-1"}
    assert hall.error(small.announce(data, purpose=nowhere), 404)["code"] == "unknown_round"
    hall.error(small.announce(data, purpose={"kind": "skill"}), 403)
    hall.error(hall.client.post(f"{API}/uploads", json=announcement, headers=hall.operator), 403)
    hall.error(small.announce(data, purpose={"kind": "anything"}), 422)
    hall.clock.advance(200_001)
    assert hall.error(small.announce(data), 409)["code"] == "round_closed"
    assert small.stored() == before


def test_a_round_that_closes_before_a_delta_is_whole_refuses_and_throws_it_away(small: Yard) -> None:
    data, before = small.delta(), small.stored()
    view = small.view(data)
    small.bring(data, view)
    small.hall.clock.advance(80_000)
    small.hall.services.rounds.campaigns.stop(small.work.round_id.rsplit("-", 1)[0], by=THE_HUB)
    assert small.hall.error(small.complete(view), 409)["code"] == "round_closed"
    assert small.stored() == before


def test_a_store_that_fails_loses_no_part(small: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    data, before = small.delta(), small.stored()
    view = small.view(data)
    small.bring(data, view)

    def fail(*_: object) -> None:
        raise StoreError("the disk is full.", remedy="Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(small.hall.services.storage.store, "put_file", fail)
        assert small.hall.error(small.complete(view), 503)["remedy"] == "Make room."
    assert small.view(data).missing == ()
    assert len(small.stored() - before) == 7
    assert ok(small.complete(view)).json()["status"] == "admitted"


def test_deltas_in_parts_are_counted_like_others(small: Yard) -> None:
    data = small.delta()
    view = small.view(data)
    small.hall.error(small.complete(view), 409)
    small.bring(data, view)
    ok(small.complete(view))
    ok(small.complete(view))
    metrics = small.hall.client.get("/metrics", headers=small.hall.operator).text
    assert "zunft_deltas_admitted_total 1.0" in metrics
    assert "zunft_deltas_repeated_total 1.0" in metrics
    assert 'zunft_deltas_refused_total{code="incomplete_upload"} 1.0' in metrics


def test_a_file_of_any_size_has_at_most_ten_thousand_parts(settings: Settings, clock: Hands) -> None:
    most = {"part_size": 1024, "delta_limit": 2**31}
    hall = Hall(settings.model_copy(update=most), StubGate(), clock)
    ok(hall.publish(tiny_skill()))
    robot = hall.enrol("one")
    hall.start()
    hall.turn()
    work = robot.assignment()
    assert work is not None
    signature = robot.key.sign(delta_statement(digest_of(b"")))
    purpose = {"kind": "delta", "round_id": work.round_id, "signature": signature}
    request = {"digest": digest_of(b""), "size": 2**31, "purpose": purpose}
    missing = ok(send_json(robot, "POST", "/uploads", request)).json()["missing"]
    assert len(missing) <= 10_000
    assert sum(part["size"] for part in missing) == 2**31
    assert hall.services.deltas.uploads.largest_part == missing[0]["size"]
    hall.close()


def test_an_upload_survives_a_backup_without_its_parts(small: Yard, tmp_path: Path) -> None:
    from hub.operations.backup import back_up
    from hub.operations.restore import restore

    data = small.delta()
    small.bring(data, small.view(data), [1])
    path, _ = back_up(
        small.hall.settings, tmp_path / "hub.tar", datetime.now(UTC), with_key=True, progress=lambda *_: None
    )
    elsewhere = small.hall.settings.model_copy(update={"data_dir": tmp_path / "restored"})
    restore(elsewhere, path, hub_key=None, progress=lambda *_: None)
    restored = Hall(elsewhere, StubGate(), small.hall.clock)
    small.robot.client = restored.client
    view = small.view(data)
    assert len(view.missing) == 7
    small.bring(data, view)
    assert ok(small.complete(view)).status_code == 201
    restored.close()
