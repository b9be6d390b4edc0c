"""A crew of actors on a Ray cluster: the same jobs on as many machines as the cluster has."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray

from fleet.progress import Progress
from fleet.workers.crew import Job, Message, WorkerDiedError, perform

__all__ = ["RayActors"]

POLL_SECONDS = 0.1


class RayActors:
    """Workers as Ray actors of one CPU each.

    Args:
        count: How many.
        address: Of the cluster; None starts one on this machine, `auto` finds a running one.
    """

    def __init__(self, count: int, address: str | None = None) -> None:
        self.count = count
        self._own = not ray.is_initialized()
        if self._own:
            ray.init(
                address=address or "local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        # One thread works, the other answers the parent.
        actor = ray.remote(num_cpus=1, max_concurrency=2)(_Actor)
        self._actors = [actor.remote() for _ in range(count)]
        self._jobs = [0] * count

    def start(self, place: int, job: Job) -> None:
        """Give a place its next job."""
        self._jobs[place] += 1
        self._actors[place].run.remote(self._jobs[place], job)

    def receive(self, seconds: float) -> list[tuple[int, Message]]:
        """What was said; see `fleet.workers.crew.Workers`."""
        until = time.monotonic() + seconds
        while True:
            said = [(place, message) for place in range(self.count) for message in self._collect(place)]
            if said or time.monotonic() >= until:
                return said
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ask all running jobs to end."""
        for actor, number in zip(self._actors, self._jobs, strict=True):
            actor.stop.remote(number)

    def close(self) -> None:
        """End all actors, and the cluster if it was started here."""
        for actor in self._actors:
            ray.kill(actor)
        if self._own:
            ray.shutdown()

    def _collect(self, place: int) -> list[Message]:
        try:
            messages: list[Message] = ray.get(self._actors[place].collect.remote())
        except ray.exceptions.RayActorError as error:
            raise WorkerDiedError("Ray actor", where=str(place)) from error
        return messages


class _Actor:
    """One worker on the cluster, and its jobs' line."""

    def __init__(self) -> None:
        self._said: list[Message] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._to_stop = 0

    def run(self, number: int, job: Job) -> None:
        # Calls to an actor with two threads may overtake each other: a stop names its job.
        with self._lock:
            if self._to_stop < number:
                self._stop.clear()
        self._say(perform(self, job))

    def collect(self) -> list[Any]:
        with self._lock:
            said, self._said = self._said, []
        return said

    def stop(self, number: int) -> None:
        with self._lock:
            self._to_stop = number
            self._stop.set()

    def report(self, progress: Progress) -> None:
        self._say(progress)

    def stopped(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> object:
        return self._stop.wait(seconds)

    def _say(self, message: Message) -> None:
        with self._lock:
            self._said.append(message)
