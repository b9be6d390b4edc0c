"""Jobs on a Ray cluster: the same bits, and a cluster that is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.workers.gate_key import read_gate_key
from hub.workers.job import WorkersAwayError
from hub.workers.processes import WorkerProcesses
from skills.attestations import vouched
from skills.errors import NotFoundError
from skills.predicates import Gate
from tests.hub.workers.samples import UNTIMED, bench_plan, gate_job, in_process, merge_job, score_job


def test_a_cluster_gives_the_bits_of_this_process(tmp_path: Path) -> None:
    plan, here = bench_plan(tmp_path, on_ray=True), bench_plan(tmp_path / "here")
    found = WorkerProcesses(plan, 1, 60)
    merged, expected = found.run(merge_job(plan)), in_process(here).run(merge_job(here))
    assert merged.model_copy(update=UNTIMED) == expected.model_copy(update=UNTIMED)
    assert plan.open_store().get(merged.digest) == here.open_store().get(merged.digest)
    measured, again = found.run(gate_job(plan)), in_process(here).run(gate_job(here))
    assert measured.report.model_copy(update={"seconds": 0.0}) == again.report.model_copy(
        update={"seconds": 0.0}
    )
    assert vouched(
        measured.envelope.encode(), Gate, gate_job(plan).candidate, [read_gate_key(plan.gate_key_file).public]
    )
    scored, at_home = found.run(score_job(plan)), in_process(here).run(score_job(here))
    assert scored.model_copy(update={"seconds": 0.0}) == at_home.model_copy(update={"seconds": 0.0})
    assert scored.replay is not None
    assert plan.open_store().get(scored.replay) == here.open_store().get(scored.replay)
    lost = merge_job(plan).model_copy(update={"base": "sha256:" + "0" * 64})
    with pytest.raises(NotFoundError, match="no blob"):
        found.run(lost)
    found.close()


def test_a_cluster_that_is_away_is_no_failure_of_the_job(tmp_path: Path) -> None:
    plan = bench_plan(tmp_path, on_ray=True, ray_address="nowhere")
    found = WorkerProcesses(plan, 1, 60)
    with pytest.raises(WorkersAwayError, match="cluster"):
        found.run(merge_job(plan))
    found.close()
