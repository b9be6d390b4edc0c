"""A round that moved on while its candidate was merged: what was made for it does not stay in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from hub.storage.tables.rounds import RoundRow
from hub.workers.job import MergeJob
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.hub.rounds.test_canary import push


@dataclass
class Overtaken:
    """Does jobs; a round that is merged has been ended by somebody when its candidate is there."""

    hall: Hall
    jobs: Any

    def run(self, job: Any, given_up: Any) -> Any:
        done = self.jobs.run(job, given_up)
        if isinstance(job, MergeJob):
            with self.hall.services.storage.database.write() as session:
                session.get_one(RoundRow, job.round_id).state = "failed"
        return done


def test_neither_candidate_nor_attestation_stays(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    robots = [hall.enrol(f"robot {n}") for n in range(2)]
    hall.start(rounds=1)
    hall.turn()
    steps = hall.services.rounds.engine._steps
    monkeypatch.setattr(steps, "_jobs", Overtaken(hall, steps._jobs))
    before = hall.blobs()
    push(hall, robots, 1)
    hall.tidy()
    deltas = hall.blobs() - before
    assert len(deltas) == len(robots)
    assert len(hall.get("/skills/reach/versions")) == 1
