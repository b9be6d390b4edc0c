"""Workers that run jobs for a simulated fleet: spawned processes, or actors on a Ray cluster.

A job is a function of this installation that takes a `Line` to its parent first. Jobs of one worker run one
after the other. Which jobs there are is left to `fleet.simulate` and `fleet.local_training`.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from fleet.progress import Progress
from skills.errors import ZunftError

__all__ = ["Crew", "Done", "Failed", "Job", "Line", "Message", "WorkerDiedError", "Workers", "perform"]

LOOK_SECONDS = 0.25  # how often the caller is asked whether it has seen enough


class WorkerDiedError(ZunftError):
    """A worker ended without an answer: killed, out of memory, or a crash below Python."""

    code = "worker_died"
    status = 500


class Line(Protocol):
    """A job's line to its parent."""

    def report(self, progress: Progress) -> None:
        """Say something."""

    def stopped(self) -> bool:
        """Whether the parent wants the job to end, or is gone."""

    def wait(self, seconds: float) -> object:
        """Sleep, but no longer than until the parent says something."""


Job = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments after the line."""


@dataclass(frozen=True)
class Done:
    """A job's result."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """What ended a job; an error that is not ours comes with its traceback as the remedy."""

    error: ZunftError


Message = Progress | Done | Failed


class Workers(Protocol):
    """So many places at which jobs run, one at a time each."""

    count: int

    def start(self, place: int, job: Job) -> None:
        """Give a place its next job."""

    def receive(self, seconds: float) -> list[tuple[int, Message]]:
        """What was said within `seconds`, with the place; returns early when there is something.

        Raises:
            WorkerDiedError: Names the place.
        """

    def stop(self) -> None:
        """Ask all running jobs to end."""

    def close(self) -> None:
        """End all workers, in mid-job if need be."""


class Crew:
    """Runs jobs on workers; a context manager that leaves no process behind."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.close()

    @property
    def size(self) -> int:
        """Jobs that run at the same time."""
        return self._workers.count

    def run(
        self,
        function: Callable[..., Any],
        arguments: Sequence[tuple[Any, ...]],
        *,
        labels: Sequence[str],
        on_progress: Callable[[Progress], None],
        until: Callable[[], bool] = lambda: False,
    ) -> list[Any]:
        """Run `function(line, *arguments[i])` for all i; job i on worker i modulo their number.

        Args:
            function: Module-level, so that another process finds it.
            arguments: Of each job.
            labels: What each job is about, for errors.
            on_progress: Told of everything that jobs say.
            until: Asked a few times a second; once true, jobs are asked to end and no other begins.

        Returns:
            The jobs' results, in order; None for those that did not begin.

        Raises:
            WorkerDiedError: Says which job's worker died. The crew is of no more use then.
            ZunftError: What a job raised; likewise.
        """
        shift = _Shift(self._workers, function, arguments, labels)
        try:
            shift.work(on_progress, until)
        except WorkerDiedError as error:
            raise shift.name_lost(error) from error
        return shift.results


class _Shift:
    """One call of `Crew.run`: which job runs where, and what came of it."""

    def __init__(
        self,
        workers: Workers,
        function: Callable[..., Any],
        arguments: Sequence[tuple[Any, ...]],
        labels: Sequence[str],
    ) -> None:
        self.results: list[Any] = [None] * len(arguments)
        self._workers = workers
        self._function = function
        self._arguments = arguments
        self._labels = labels
        self._todo = [deque(range(place, len(arguments), workers.count)) for place in range(workers.count)]
        self._running: dict[int, int] = {}

    def work(self, on_progress: Callable[[Progress], None], until: Callable[[], bool]) -> None:
        for place in range(self._workers.count):
            self._start_next(place)
        look, stopping = time.monotonic(), False
        while self._running:
            for place, message in self._workers.receive(LOOK_SECONDS):
                self._take(place, message, on_progress)
            if not stopping and time.monotonic() >= look:
                look = time.monotonic() + LOOK_SECONDS
                stopping = until()
                if stopping:
                    self._stop()

    def name_lost(self, error: WorkerDiedError) -> WorkerDiedError:
        """The same error, with what the dead worker had in hand."""
        job = self._running.get(int(error.where))
        lost = "nothing" if job is None else self._labels[job]
        return WorkerDiedError(
            f"worker {error.where} died ({error.message}) while at work on {lost}.",
            remedy="Look for memory: a worker takes about 600 MB. Start again: robots go on from disk.",
        )

    def _start_next(self, place: int) -> None:
        self._running.pop(place, None)
        if self._todo[place]:
            job = self._running[place] = self._todo[place].popleft()
            self._workers.start(place, (self._function, self._arguments[job]))

    def _take(self, place: int, message: Message, on_progress: Callable[[Progress], None]) -> None:
        if isinstance(message, Progress):
            on_progress(message)
        elif isinstance(message, Failed):
            raise message.error
        else:
            self.results[self._running[place]] = message.result
            self._start_next(place)

    def _stop(self) -> None:
        for waiting in self._todo:
            waiting.clear()
        self._workers.stop()


def perform(line: Line, job: Job) -> Done | Failed:
    """Run a job in its worker and turn whatever happens into a message."""
    function, arguments = job
    try:
        return Done(function(line, *arguments))
    except ZunftError as error:
        return Failed(error)
    except Exception as error:  # noqa: BLE001 - any error of a job is its parent's to see
        text = f"{type(error).__name__}: {error}"
        return Failed(ZunftError(text, where=function.__name__, remedy=traceback.format_exc()))
