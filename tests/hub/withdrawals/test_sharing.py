"""Several hub processes with one withdrawal: one works at a time, and another goes on where it died."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.queue.leased_queue import Held
from hub.settings import Settings
from hub.storage.objects import StoreError
from hub.storage.tables.withdrawals import WithdrawalRow
from hub.workers.job import Job, MergeJob
from tests.hub.conftest import Hall, Hands, Robot, ok, tiny_skill
from tests.hub.withdrawals.conftest import on_both
from tests.hub.withdrawals.guild import GrowingGate, must_be_sound, train


@pytest.fixture
def asked(hall: Hall, robots: list[Robot]) -> Hall:
    train(hall, robots, rounds=2)
    ok(hall.post(f"/robots/{robots[0].robot_id}/withdrawal", {}))
    return hall


def forget_leases(hall: Hall) -> None:
    """As if their holders had been frozen for long."""
    with hall.services.storage.database.write() as session:
        for row in session.query(WithdrawalRow):
            if row.lease_expires_at is not None:
                row.lease_expires_at -= timedelta(days=1)


@on_both
def test_another_process_goes_on_once_the_lease_of_the_first_has_ended(
    asked: Hall, settings: Settings, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # taken back, one round merged again
        asked.services.withdrawals.worker.step()
    other = Hall(settings, GrowingGate(), clock)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        assert not other.services.withdrawals.worker.step()
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(asked.services.workers.jobs, "run", die)
        patch.setattr(Held, "put_down", lambda _: None)
        with pytest.raises(Killed):
            asked.services.withdrawals.worker.step()
    assert not other.services.withdrawals.worker.step()
    forget_leases(other)
    other.services.withdrawals.worker.work()
    assert other.get("/withdrawals")[0]["state"] == "done"
    assert (other.version("stable").version, other.version("stable").contributors) == (5, 3)
    assert not asked.services.withdrawals.worker.step()
    must_be_sound(asked)
    other.close()


@on_both
def test_what_another_has_done_meanwhile_is_let_go(
    asked: Hall, settings: Settings, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Hall(settings, GrowingGate(), clock)
    jobs = asked.services.workers.jobs
    run = jobs.run

    def slow(job: Job[Any], *_: object) -> Any:
        """So slow that the lease ends, and the other one does everything."""
        made = run(job)
        if isinstance(job, MergeJob) and not other.get("/withdrawals")[0]["finished_at"]:
            forget_leases(other)
            other.services.withdrawals.worker.work()
        return made

    monkeypatch.setattr(jobs, "run", slow)
    asked.services.withdrawals.worker.work()
    found = asked.get("/withdrawals")[0]
    assert (found["state"], len(found["skills"][0]["rounds"])) == ("done", 2)
    assert asked.version("stable").version == 5
    assert len(asked.get("/skills/reach/versions")) == 5
    must_be_sound(asked)
    other.close()


def test_a_version_that_somebody_publishes_meanwhile_takes_its_number(
    asked: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = asked.services.workers.jobs
    run = jobs.run

    def publish_first(job: Job[Any], *_: object) -> Any:
        made = run(job)
        if isinstance(job, MergeJob) and job.version == 4:
            ok(asked.publish(tiny_skill(version=4, seed=9)))
        return made

    monkeypatch.setattr(jobs, "run", publish_first)
    asked.services.withdrawals.worker.work()
    rounds = asked.get("/withdrawals")[0]["skills"][0]["rounds"]
    assert [each["version_after"] for each in rounds] == [5, 6]
    must_be_sound(asked)


def test_a_store_that_does_not_answer_makes_it_wait(
    asked: Hall, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("the store did not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(asked.services.workers.jobs, "run", away)
        for _ in range(2):
            asked.services.withdrawals.worker.work()
            clock.advance(2)
        assert asked.get("/withdrawals")[0]["state"] == "working"
    asked.services.withdrawals.worker.work()
    assert asked.get("/withdrawals")[0]["state"] == "done"
    must_be_sound(asked)


def test_one_that_another_process_works_on_holds_up_only_those_that_share_its_skills(
    hall: Hall, robots: list[Robot], settings: Settings, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(hall.publish(tiny_skill(name="other")))
    train(hall, robots, rounds=1)
    third = [hall.enrol("five"), hall.enrol("six"), hall.enrol("seven")]
    train(hall, third, skill="other", rounds=1)
    for robot in (robots[0], robots[1], third[0]):
        ok(hall.post(f"/robots/{robot.robot_id}/withdrawal", {}))
        clock.advance(0.1)
    other = Hall(settings, GrowingGate(), clock)
    seen: list[dict[str, str]] = []
    run = hall.services.workers.jobs.run

    def meanwhile(job: Job[Any], *_: object) -> Any:
        if not seen:
            other.services.withdrawals.worker.work()
            seen.append({each["robot_id"]: each["state"] for each in other.get("/withdrawals")})
        return run(job)

    monkeypatch.setattr(hall.services.workers.jobs, "run", meanwhile)
    hall.services.withdrawals.worker.work()
    assert seen == [{robots[0].robot_id: "working", robots[1].robot_id: "working", third[0].robot_id: "done"}]
    clock.advance(2)
    hall.services.withdrawals.worker.work()
    found = hall.get("/withdrawals")
    assert [each["state"] for each in found] == ["done"] * 3
    assert (hall.version("stable").version, hall.version("stable").contributors) == (4, 2)
    must_be_sound(hall)
    other.close()
