"""Jobs in worker processes: started when there is work, kept while there is more, ended when idle.

The hub's own process stays small, and a worker that dies takes no hub with it: its job is tried again by a
new one. What a worker does is `hub.workers.worker`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe

import structlog

from hub.workers.answers import request_of, result_of
from hub.workers.job import BenchPlan, Job, JobAbandonedError, Result, WorkerDiedError, never

__all__ = ["WorkerProcesses"]

TRIES = 3
"""Workers that may die of one job."""
LOOK_SECONDS = 0.2  # how often a caller is asked whether it still waits
GRACE_SECONDS = 5.0
SECRETS = ("ZUNFT_", "PG")
"""Prefixes of variables that a worker does not get: it needs neither tokens nor the database."""
NEEDED = {"ZUNFT_TASKS", "ZUNFT_EMBODIMENTS"}
"""What it gets all the same: where the hub's own tasks and robots lie."""

log = structlog.get_logger("zunft.jobs")


class WorkerProcesses:
    """`hub.workers.job.Jobs` on at most `count` processes; one without work for `idle_seconds` is ended.

    Args:
        plan: What workers set their bench up with.
        count: Jobs at the same time; others wait.
        idle_seconds: What a bench remembers is worth so long in memory.
        on_death: Told of each worker that died in mid-job.
    """

    def __init__(
        self,
        plan: BenchPlan,
        count: int,
        idle_seconds: float,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._idle_seconds = idle_seconds
        self._on_death = on_death
        self._places = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._idle: list[tuple[_Worker, threading.Timer]] = []
        self._closing = threading.Event()

    def run(self, job: Job[Result], stopped: Callable[[], bool] = never) -> Result:
        """Have it done."""

        def given_up() -> bool:
            return self._closing.is_set() or stopped()

        while not self._places.acquire(timeout=LOOK_SECONDS):
            _check(given_up)
        try:
            return result_of(self._ask(request_of(job), given_up), job)
        finally:
            self._places.release()

    def close(self) -> None:
        """End all workers, in mid-job if need be."""
        self._closing.set()
        with self._lock:
            idle, self._idle = self._idle, []
        for worker, timer in idle:
            timer.cancel()
            worker.end()

    def _ask(self, request: bytes, given_up: Callable[[], bool]) -> bytes:
        deaths: list[str] = []
        while len(deaths) < TRIES:
            _check(given_up)
            worker = self._take()
            try:
                answer = worker.ask(request, given_up)
            except JobAbandonedError:
                worker.kill()
                raise
            except (EOFError, OSError):
                deaths.append(worker.kill())
                self._on_death()
                log.warning("jobs.worker_died", pid=worker.pid, how=deaths[-1])
                continue
            self._put_back(worker)
            return answer
        raise WorkerDiedError(
            f"{TRIES} workers died at this job ({', '.join(deaths)}).",
            where="workers",
            remedy="Look for memory: the hub's log and the kernel's say more.",
        )

    def _take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker, timer = self._idle.pop()
                timer.cancel()
                if worker.alive:
                    return worker
                worker.end()
        return _Worker(self._plan)

    def _put_back(self, worker: _Worker) -> None:
        timer = threading.Timer(self._idle_seconds, self._retire, (worker,))
        timer.daemon = True
        with self._lock:
            if not self._closing.is_set():
                self._idle.append((worker, timer))
                timer.start()
                return
        worker.end()

    def _retire(self, worker: _Worker) -> None:
        with self._lock:
            kept = [entry for entry in self._idle if entry[0] is not worker]
            retiring = len(kept) < len(self._idle)
            self._idle = kept
        if retiring:
            worker.end()


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, plan: BenchPlan) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-P", "-m", "hub.workers.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
                command, env=_environment(), stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        self._started = False
        self._plan = plan

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: bytes, given_up: Callable[[], bool]) -> bytes:
        """The answer.

        Raises:
            EOFError, OSError: The process died.
            JobAbandonedError: The caller gave up.
        """
        if not self._started:
            self._pipe.send_bytes(self._plan.model_dump_json().encode())
            self._started = True
        self._pipe.send_bytes(request)
        while not self._pipe.poll(LOOK_SECONDS):
            _check(given_up)
        return self._pipe.recv_bytes()

    def end(self) -> None:
        """Let an idle one go: it ends with its pipe."""
        self._pipe.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> str:
        """End it in mid-job; how it had ended by itself, if it had."""
        self._pipe.close()
        try:
            code = self._process.wait(0.1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _check(given_up: Callable[[], bool]) -> None:
    if given_up():
        raise JobAbandonedError(
            "the hub is going down, or another process does this.", remedy="Ask again in a moment."
        )


def _environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name in NEEDED or not name.startswith(SECRETS)
    }
