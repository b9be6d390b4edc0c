"""A crew of spawned processes, each at one end of a pipe: a process that dies is noticed at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from fleet.progress import Progress
from fleet.workers.crew import Job, Message, WorkerDiedError, perform

__all__ = ["Processes"]

STOP = None
GRACE_SECONDS = 5.0
# Two processes with a thread per core each would fight over the same cores; small matrices gain nothing.
SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Processes:
    """Workers as plain processes of this machine."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        context = multiprocessing.get_context("spawn")
        with _environment(dict.fromkeys(SINGLE_THREADED, "1")):
            for place in range(count):
                mine, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs,), name=f"worker-{place}", daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)
                self._pipes.append(mine)

    def start(self, place: int, job: Job) -> None:
        """Give a place its next job."""
        try:
            self._pipes[place].send(job)
        except OSError as error:
            raise self._death(place) from error

    def receive(self, seconds: float) -> list[tuple[int, Message]]:
        """What was said; see `fleet.workers.crew.Workers`."""
        ready = wait(self._pipes, seconds)
        places = [place for place, pipe in enumerate(self._pipes) if pipe in ready]
        return [(place, self._read(place)) for place in places]

    def stop(self) -> None:
        """Ask all running jobs to end."""
        for place, pipe in enumerate(self._pipes):
            try:
                pipe.send(STOP)
            except OSError as error:
                raise self._death(place) from error

    def close(self) -> None:
        """Let idle workers go and end the others."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(GRACE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()

    def _read(self, place: int) -> Message:
        try:
            message: Message = self._pipes[place].recv()
        except (EOFError, OSError) as error:
            raise self._death(place) from error
        return message

    def _death(self, place: int) -> WorkerDiedError:
        process = self._processes[place]
        process.join(GRACE_SECONDS)
        code = process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return WorkerDiedError(f"process {process.pid}, {how}", where=str(place))


class _PipeLine:
    """The worker's end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stopped = False

    def report(self, progress: Progress) -> None:
        self._pipe.send(progress)

    def stopped(self) -> bool:
        try:
            while not self._stopped and self._pipe.poll():
                self._stopped = self._pipe.recv() is STOP
        except EOFError:
            self._stopped = True
        return self._stopped

    def wait(self, seconds: float) -> object:
        return self._pipe.poll(seconds)


def _serve(pipe: Connection) -> None:
    # Ctrl-C reaches the whole group: the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        if job is not STOP:  # one that came too late for the last job
            pipe.send(perform(_PipeLine(pipe), job))


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
