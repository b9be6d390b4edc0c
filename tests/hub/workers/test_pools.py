"""Jobs on a real cluster of nodes with labels: each on a node of its pool, and a pool without a node."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster as Nodes

from hub.workers.answers import pool_of, request_of, result_of
from hub.workers.cluster import Cluster
from hub.workers.job import BenchPlan, Job, MergeJob, WorkersAwayError
from tests.hub.workers.samples import bench_plan, gate_job, merge_job

LABEL = "zunft-pool"
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """A head that does nothing itself, and one node that plays episodes."""
    found = Nodes(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    found.add_node(**NODE, labels={LABEL: "rendering"})
    yield found
    ray.shutdown()
    found.shutdown()


def plan_on(folder: Path, nodes: Nodes) -> BenchPlan:
    plan = bench_plan(folder, on_ray=True, ray_address=nodes.address)
    return plan.model_copy(update={"ray_pool_label": LABEL})


def test_merges_are_for_one_pool_and_everything_else_for_the_other(tmp_path: Path) -> None:
    plan = bench_plan(tmp_path)
    assert pool_of(request_of(merge_job(plan))) == "merging"
    assert pool_of(request_of(gate_job(plan))) == "rendering"
    assert {kind.pool for kind in Job.kinds.values() if kind is not MergeJob} == {"rendering"}


def test_each_job_goes_to_a_node_of_its_pool(tmp_path: Path, nodes: Nodes) -> None:
    plan = plan_on(tmp_path, nodes)
    cluster, merge, gate = Cluster(plan), merge_job(plan), gate_job(plan)
    with pytest.raises(WorkersAwayError, match=f"label {LABEL}=merging"):
        result_of(cluster(request_of(merge)), merge)
    nodes.add_node(**NODE, labels={LABEL: "merging"})
    taken = ray.remote(num_cpus=1, label_selector={LABEL: "rendering"})(_Taken).remote()
    ray.get(taken.is_there.remote())
    with ThreadPoolExecutor(1) as beside:
        measured = beside.submit(cluster, request_of(gate))
        merged = result_of(cluster(request_of(merge)), merge)
        assert plan.open_store().get(merged.digest)
        assert not measured.done()  # its pool's only core is taken, and the other pool's is free
        ray.kill(taken)
        assert result_of(measured.result(), gate).report.candidate.episodes > 0


class _Taken:
    """Keeps a core."""

    def is_there(self) -> bool:
        return True
