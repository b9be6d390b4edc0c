"""One contract for both crews: processes of this machine, actors of a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator

import pytest

from fleet.progress import Progress
from fleet.workers.crew import Crew, WorkerDiedError
from fleet.workers.processes import Processes
from skills.errors import ContractError, ZunftError
from tests.fleet import jobs

Open = Callable[[int], Crew]


def ignore(_: Progress) -> None:
    pass


def open_processes(count: int) -> Crew:
    return Crew(Processes(count))


def open_actors(count: int) -> Crew:
    from fleet.workers.cluster import RayActors

    return Crew(RayActors(count))


@pytest.fixture(scope="module", params=[open_processes, open_actors], ids=["processes", "ray"])
def opener(request: pytest.FixtureRequest) -> Iterator[Open]:
    if request.param is open_actors:
        import ray

        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )
        yield request.param
        ray.shutdown()
    else:
        yield request.param


def test_results_come_in_order_and_everything_said_is_heard(opener: Open) -> None:
    heard: list[Progress] = []
    with opener(2) as crew:
        results = crew.run(
            jobs.square, [(n,) for n in range(5)], labels=list("abcde"), on_progress=heard.append
        )
    assert results == [0, 1, 4, 9, 16]
    assert sorted(progress.steps for progress in heard) == [0, 1, 2, 3, 4]


def test_jobs_end_when_the_caller_has_seen_enough_and_the_crew_works_on(opener: Open) -> None:
    heard: set[str] = set()
    with opener(2) as crew:
        results = crew.run(
            jobs.work_until_stopped,
            [("anna",), ("ben",), ("never begun",)],
            labels=["anna", "ben", "never begun"],
            on_progress=lambda progress: heard.add(progress.robot),
            until=lambda: heard == {"anna", "ben"},
        )
        again = crew.run(jobs.square, [(7,), (8,)], labels=["a", "b"], on_progress=ignore)
    assert results == ["anna worked True", "ben worked True", None]
    assert again == [49, 64]


def test_an_error_of_ours_arrives_whole(opener: Open) -> None:
    with opener(1) as crew, pytest.raises(ContractError, match="does not fit") as caught:
        crew.run(jobs.refuse, [("actor.0.weight",)], labels=["a"], on_progress=ignore)
    assert (caught.value.where, caught.value.remedy) == ("actor.0.weight", "Make it fit.")


def test_any_other_error_arrives_with_its_traceback(opener: Open) -> None:
    with opener(1) as crew, pytest.raises(ZunftError, match="ZeroDivisionError") as caught:
        crew.run(jobs.stumble, [()], labels=["a"], on_progress=ignore)
    assert "in stumble" in caught.value.remedy


def test_a_dead_worker_is_reported_at_once_with_what_it_was_doing(opener: Open) -> None:
    with opener(2) as crew, pytest.raises(WorkerDiedError, match="at work on robots anna, ben"):
        crew.run(jobs.die, [()], labels=["robots anna, ben"], on_progress=ignore)


def test_how_a_process_died_is_said() -> None:
    with open_processes(1) as crew, pytest.raises(WorkerDiedError, match="SIGKILL"):
        crew.run(jobs.die, [()], labels=["anna"], on_progress=ignore)


def test_no_process_is_left_behind() -> None:
    with open_processes(2) as crew:
        crew.run(jobs.square, [(1,)], labels=["a"], on_progress=ignore)
        assert len(multiprocessing.active_children()) == 2
    assert not multiprocessing.active_children()


def test_workers_do_not_fight_over_cores_and_the_parents_environment_is_left_as_it_was() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    with open_processes(1) as crew:
        assert crew.run(jobs.threads, [()], labels=["a"], on_progress=ignore) == ["1"]
    assert os.environ.get("OMP_NUM_THREADS") == before
