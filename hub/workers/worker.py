"""A worker process: reads jobs from a pipe, does them or hands them to a Ray cluster, and answers.

Started by `hub.workers.processes`. It ends with the pipe: no worker outlives its hub, not even in mid-job.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from functools import cache, partial
from multiprocessing.connection import Connection

from hub.log import configure_logging
from hub.workers.answers import Answering, answer_of
from hub.workers.job import BenchPlan
from skills.files import keep_private

__all__ = ["serve"]

GIVING_WAY = 5
"""How nice a worker in the background is: beside another process it gets about a quarter of a core."""


def serve(pipe: Connection) -> None:
    """Answer until the pipe's other end is closed."""
    keep_private()
    plan = BenchPlan.model_validate_json(pipe.recv_bytes())
    configure_logging(plan.log_level)
    if plan.background:
        os.nice(GIVING_WAY)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, requests), daemon=True).start()
    answer = _on_ray(plan) if plan.on_ray else _here(plan)
    while True:
        pipe.send_bytes(answer(requests.get()))


def _read(pipe: Connection, requests: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            requests.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def _here(plan: BenchPlan) -> Answering:
    from hub.workers.bench import open_bench  # noqa: PLC0415 - a driver of a cluster needs none of it

    return partial(answer_of, bench=cache(lambda: open_bench(plan, plan.open_store)))


def _on_ray(plan: BenchPlan) -> Answering:
    from hub.workers.cluster import Cluster  # noqa: PLC0415 - imports Ray

    return Cluster(plan)


if __name__ == "__main__":
    # Ctrl-C reaches the whole group of processes: the hub decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
