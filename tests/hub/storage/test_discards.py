"""What one request throws away and another keeps: never lost, nor deleted while others wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from envs.bundle import digest_folder
from hub.storage import discards
from hub.storage.discards import GRACE
from hub.storage.regions import HOME
from hub.tasks import sources
from hub.workers.job import Job, MergeJob
from skills.container import digest_of
from skills.messages.base import API
from skills.skill import Skill
from tests.hub.conftest import Collecting, Hall, ok, random_tensors, tiny_skill

PATIENCE = 60.0


def sweep(hall: Hall) -> None:
    hall.clock.advance(2 * GRACE.total_seconds())
    hall.services.storage.discards.sweep()


def room(hall: Hall, size: int | None) -> None:
    changes = {"visibility": "guild", "quotas": {"storage_bytes": size}}
    ok(hall.client.put(f"{API}/organisations/guild", json=changes, headers=hall.operator))


@pytest.fixture
def refused(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Skill:
    """A skill whose file was put, and whose room was gone when it was to be entered."""
    skill, store = tiny_skill(), hall.services.storage.store
    put = store.put_file

    def put_and_fill(digest: str, file: Path) -> None:
        put(digest, file)
        room(hall, 0)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_file", put_and_fill)
        hall.error(hall.publish(skill), 413)
    room(hall, None)
    return skill


def test_what_a_refusal_leaves_is_deleted_later(hall: Hall, refused: Skill) -> None:
    assert hall.blobs()
    sweep(hall)
    assert hall.blobs() == set()
    ok(hall.publish(refused))
    sweep(hall)
    assert hall.skill(1).digest == refused.digest


def test_a_refusal_does_not_delete_what_another_was_told_is_kept(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other comes between the look whether anybody names the file and its deletion."""
    skill, store = tiny_skill(), hall.services.storage.store
    put, delete = store.put_file, store.delete
    kept = threading.Event()

    def put_and_fill(digest: str, file: Path) -> None:
        put(digest, file)
        if not kept.is_set():
            room(hall, 0)

    def keep() -> None:
        kept.set()
        room(hall, None)
        assert hall.publish(skill).status_code == 201

    def delete_late(digest: str) -> None:
        with ThreadPoolExecutor() as threads:
            threads.submit(keep).result(PATIENCE)
        delete(digest)

    monkeypatch.setattr(store, "put_file", put_and_fill)
    monkeypatch.setattr(store, "delete", delete_late)
    hall.error(hall.publish(skill), 413)
    if not kept.is_set():
        keep()
    sweep(hall)
    assert hall.skill(1).digest == skill.digest


def test_whoever_comes_while_a_file_is_being_deleted_is_sent_away_and_then_let_in(
    hall: Hall, refused: Skill, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = hall.services.storage.store
    delete, answers = store.delete, []

    def delete_late(digest: str) -> None:
        with ThreadPoolExecutor() as threads:
            answers.append(threads.submit(hall.publish, refused).result(PATIENCE))
        delete(digest)

    monkeypatch.setattr(store, "delete", delete_late)
    sweep(hall)
    assert hall.error(answers[0], 503)["remedy"] == "Send it again in a moment."
    assert hall.publish(refused).status_code == 201
    assert hall.skill(1).digest == refused.digest


def test_a_file_that_is_sent_again_is_taken_off_the_list(hall: Hall, refused: Skill) -> None:
    hall.clock.advance(2 * GRACE.total_seconds())  # due, and not swept yet
    assert hall.publish(refused).status_code == 201
    hall.services.storage.discards.sweep()
    assert hall.skill(1).digest == refused.digest


def test_two_that_sweep_at_once_delete_once(
    hall: Hall, refused: Skill, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = hall.services.storage.store
    delete, deleted = store.delete, []

    def delete_slowly(digest: str) -> None:
        deleted.append(digest)
        hall.services.storage.discards.sweep()
        delete(digest)

    monkeypatch.setattr(store, "delete", delete_slowly)
    sweep(hall)
    assert deleted == [refused.digest]


def test_a_long_list_is_swept_in_batches(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discards, "BATCH", 2)
    store, found = hall.services.storage.store, hall.services.storage.discards
    for data in (b"one", b"two", b"three"):
        store.put(digest_of(data), data)
        found.add(HOME, digest_of(data))
    hall.clock.advance(2 * GRACE.total_seconds())
    assert [(found.sweep(), len(hall.blobs())) for _ in range(3)] == [(True, 1), (False, 0), (False, 0)]


def writes(hall: Hall) -> None:
    """Somebody else has to write now, and need not wait."""
    name = f"writer-{threading.get_ident()}-{hall.clock().timestamp():.0f}"
    with ThreadPoolExecutor() as threads:
        request = {"name": name[:60], "role": "researcher", "organisation": "guild"}
        threads.submit(hall.post, "/users", request).result(PATIENCE)


def while_others_write(hall: Hall, step: Callable[..., object]) -> Callable[..., object]:
    def stepped(*arguments: object) -> object:
        writes(hall)
        return step(*arguments)

    return stepped


def test_a_candidate_that_comes_too_late_is_let_go_without_deleting_it_under_the_lock(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall, store = collecting.hall, collecting.hall.services.storage.store
    monkeypatch.setattr(store, "delete", while_others_write(hall, store.delete))
    for seed, robot in enumerate(collecting.robots):
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, random_tensors(collecting.base, seed))))
    run = hall.services.workers.jobs.run
    came: list[Skill] = []
    late: list[str] = []

    def run_while_somebody_publishes(job: Job[Any], *stopped: Callable[[], bool]) -> object:
        made = run(job, *stopped)
        if isinstance(job, MergeJob) and not came:
            late.append(made.digest.removeprefix("sha256:"))
            came.append(tiny_skill(version=2, seed=7))
            ok(hall.publish(came[0]))
        return made

    monkeypatch.setattr(
        type(hall.services.workers.jobs), "run", lambda _, *given: run_while_somebody_publishes(*given)
    )
    hall.turn()
    assert hall.version(3).origin == "merge"
    before = hall.blobs()
    sweep(hall)
    gone = before - hall.blobs()
    assert len(gone) == 2  # the candidate, and the hub's word on how it was merged
    assert any(late[0].endswith(name) for name in gone)


def test_bundles_are_hashed_while_others_may_write(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    ok(hall.publish(tiny_skill(name="weld-seam", task="weld-seam")))
    hall.release(name="weld-seam")
    hashed = while_others_write(hall, digest_folder)
    monkeypatch.setattr(sources, "digest_folder", hashed)
    hall.services.leaderboards.scorer.step()
