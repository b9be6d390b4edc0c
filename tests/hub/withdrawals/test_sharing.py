"""Several hub processes with one withdrawal: one works at a time, and another goes on where it died."""

from __future__ import annotations

import pytest

from hub.jobs.job import Merged, MergeJob
from hub.settings import Settings
from hub.store import StoreError
from tests.hub.conftest import Hall, Hands, Robot, ok, tiny_skill
from tests.hub.withdrawals.conftest import on_both
from tests.hub.withdrawals.guild import GrowingGate, must_be_sound, train


@pytest.fixture
def asked(hall: Hall, robots: list[Robot]) -> Hall:
    train(hall, robots, rounds=2)
    ok(hall.post(f"/robots/{robots[0].robot_id}/withdrawal", {}))
    return hall


@on_both
def test_another_process_goes_on_once_the_lease_of_the_first_has_ended(
    asked: Hall, settings: Settings, clock: Hands
) -> None:
    for _ in range(2):  # taken back, one round merged again
        asked.services.withdrawing.step()
    other = Hall(settings, GrowingGate(), clock)
    assert not other.services.withdrawing.step()
    clock.advance(121)
    other.services.withdrawing.work()
    assert other.get("/withdrawals")[0]["state"] == "done"
    assert (other.version("stable").version, other.version("stable").contributors) == (5, 3)
    assert not asked.services.withdrawing.step()
    must_be_sound(asked)
    other.close()


@on_both
def test_what_another_has_done_meanwhile_is_let_go(
    asked: Hall, settings: Settings, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Hall(settings, GrowingGate(), clock)
    jobs = asked.services.jobs
    merge = jobs.merge

    def slow(job: MergeJob, *_: object) -> Merged:
        """So slow that the lease ends, and the other one does everything."""
        made = merge(job)
        if not other.get("/withdrawals")[0]["finished_at"]:
            clock.advance(121)
            other.services.withdrawing.work()
        return made

    monkeypatch.setattr(jobs, "merge", slow)
    asked.services.withdrawing.work()
    found = asked.get("/withdrawals")[0]
    assert (found["state"], len(found["skills"][0]["rounds"])) == ("done", 2)
    assert asked.version("stable").version == 5
    assert len(asked.get("/skills/reach/versions")) == 5
    must_be_sound(asked)
    other.close()


def test_a_version_that_somebody_publishes_meanwhile_takes_its_number(
    asked: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = asked.services.jobs
    merge = jobs.merge

    def publish_first(job: MergeJob, *_: object) -> Merged:
        made = merge(job)
        if job.version == 4:
            ok(asked.publish(tiny_skill(version=4, seed=9)))
        return made

    monkeypatch.setattr(jobs, "merge", publish_first)
    asked.services.withdrawing.work()
    rounds = asked.get("/withdrawals")[0]["skills"][0]["rounds"]
    assert [each["version_after"] for each in rounds] == [5, 6]
    must_be_sound(asked)


def test_a_store_that_does_not_answer_makes_it_wait(asked: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreError("the store did not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(asked.services.jobs, "merge", away)
        for _ in range(2):
            with pytest.raises(StoreError):
                asked.services.withdrawing.work()
        assert asked.get("/withdrawals")[0]["state"] == "working"
    asked.services.withdrawing.work()
    assert asked.get("/withdrawals")[0]["state"] == "done"
    must_be_sound(asked)
