"""Jobs on a Ray cluster: each is one task; its blobs go through the store, so every node must reach that.

Runs in a worker process, never in the hub's: Ray is large, and its driver may be killed to end a job. Between
driver and task only JSON travels.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import ray
import structlog

import hub.workers.explaining
import hub.workers.filming
import hub.workers.untrained  # noqa: F401 - a kind of job is known once it is imported
from hub.workers.answers import answer_of, failure, pool_of
from hub.workers.job import BenchPlan, WorkersAwayError
from skills.files import keep_private

if TYPE_CHECKING:
    from hub.workers.bench import Bench

__all__ = ["Cluster"]


class Cluster:
    """Answers by a task on the cluster; a node that dies has its task done again elsewhere."""

    def __init__(self, plan: BenchPlan) -> None:
        self._plan = plan
        # A node has its own folder for temporary files, and not the hub's.
        self._node_plan = plan.model_copy(update={"on_ray": False, "spool": None}).model_dump_json()
        self._answer = ray.remote(num_cpus=1)(_answer)

    def __call__(self, request: bytes) -> bytes:
        """See `hub.workers.answers.Answering`."""
        try:
            if not ray.is_initialized():
                ray.init(
                    address=self._plan.ray_address or "local", log_to_driver=False, configure_logging=False
                )
            answer: bytes = ray.get(self._task(request).remote(self._node_plan, request))
        except WorkersAwayError as error:
            return failure(error)
        except Exception as error:  # noqa: BLE001 - Ray's client passes on whatever its server met
            ray.shutdown()  # what is left of this connection; the next job makes a new one
            return failure(_away(error))
        return answer

    def _task(self, request: bytes) -> Any:
        """The task, on nodes of the job's pool where nodes have one.

        Raises:
            WorkersAwayError: There is no such node: Ray would wait for one without a word.
        """
        label = self._plan.ray_pool_label
        if not label:
            return self._answer
        pool = pool_of(request)
        if not any(node["Alive"] and node["Labels"].get(label) == pool for node in ray.nodes()):
            raise WorkersAwayError(
                f"no node of the Ray cluster has the label {label}={pool}.",
                where="ray_pool_label",
                remedy=f'Start one: ray start --address=... --labels="{label}={pool}".',
            )
        return self._answer.options(label_selector={label: pool})


def _away(error: Exception) -> WorkersAwayError:
    # What it says may name machines, and this error is shown to everybody who waits.
    structlog.get_logger("zunft.worker").warning("worker.cluster_away", reason=str(error))
    return WorkersAwayError(
        f"the Ray cluster does no work ({type(error).__name__}).",
        where="ray_address",
        remedy="Check its address, and that its nodes run and have this version of Zunft.",
    )


def _answer(plan: str, request: bytes) -> bytes:
    return answer_of(request, bench=partial(_bench, plan))


@lru_cache(maxsize=2)
def _bench(plan: str) -> Bench:
    """Stays with the node's process, as does what its gate has measured."""
    from hub.workers.bench import open_bench  # noqa: PLC0415 - the driver needs none of it

    keep_private()
    found = BenchPlan.model_validate_json(plan)
    return open_bench(found, found.open_store)
