"""Jobs in worker processes: the same results, errors that arrive, and workers that die or are ended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub.workers
from hub.workers.job import GateJob, JobAbandonedError, WorkerDiedError
from hub.workers.processes import WorkerProcesses
from skills.errors import ContractError, NotFoundError
from skills.messages.plans import GatePlan
from tests.eventually import eventually
from tests.hub.conftest import tiny_skill
from tests.hub.workers.samples import UNTIMED, bench_plan, gate_job, in_process, merge_job, score_job

PATIENCE = 60.0
LONG = 10_000  # episodes: minutes of work
OWNER = """
import sys
from pathlib import Path
from hub.workers.processes import WorkerProcesses
from tests.hub.workers.samples import bench_plan, gate_job
plan = bench_plan(Path(sys.argv[1]))
WorkerProcesses(plan, 1, 60).run(gate_job(plan, episodes=10_000))
"""


def workers_of(pid: int) -> list[int]:
    """Worker processes that a process has started and that are not ended."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if b"hub.workers.worker" in words:
                found.append(int(child))
    return found


def mine() -> list[int]:
    return workers_of(os.getpid())


def alive(pid: int) -> bool:
    """Whether it, or a thread of it, is not at its end: before that nobody can wait for it."""
    try:
        others = len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
        return others or "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[WorkerProcesses]:
    found = WorkerProcesses(bench_plan(tmp_path), 1, PATIENCE)
    yield found
    found.close()
    assert mine() == []


def test_a_worker_gives_the_bits_of_this_process_and_errors_arrive_as_what_they_are(
    processes: WorkerProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZUNFT_ADMIN_TOKEN", "zt_secret")
    monkeypatch.setenv("PGPASSWORD", "hush")
    monkeypatch.setenv("ZUNFT_TASKS", str(tmp_path / "tasks"))
    plan, here = bench_plan(tmp_path), bench_plan(tmp_path / "here")
    found, expected = processes.run(merge_job(plan)), in_process(here).run(merge_job(here))
    assert found.model_copy(update=UNTIMED) == expected.model_copy(update=UNTIMED)
    for digest in (found.digest, found.optimiser_after):
        assert plan.open_store().get(digest) == here.open_store().get(digest)
    (worker,) = mine()
    measured = processes.run(gate_job(plan))
    again = in_process(plan).run(gate_job(plan))
    assert measured.report.model_copy(update={"seconds": 0.0}) == again.report.model_copy(
        update={"seconds": 0.0}
    )
    assert measured.envelope == again.envelope  # the same key signed the same words
    scored, at_home = processes.run(score_job(plan)), in_process(here).run(score_job(here))
    assert scored.model_copy(update={"seconds": 0.0}) == at_home.model_copy(update={"seconds": 0.0})
    assert scored.replay is not None
    assert plan.open_store().get(scored.replay) == here.open_store().get(scored.replay)
    other = score_job(plan).model_copy(update={"task_digest": "sha256:" + "0" * 64})
    with pytest.raises(ContractError, match="another task"):
        processes.run(other)
    plan.open_store().put(tiny_skill().digest, tiny_skill().to_bytes())
    with pytest.raises(ContractError, match="reach"):
        processes.run(GateJob(candidate=tiny_skill().digest, current=None, plan=GatePlan()))
    with pytest.raises(NotFoundError, match="no blob"):
        processes.run(GateJob(candidate="sha256:" + "0" * 64, current=None, plan=GatePlan()))
    assert mine() == [worker]
    environment = Path(f"/proc/{worker}/environ").read_bytes()
    assert b"zt_secret" not in environment
    assert b"hush" not in environment
    assert b"ZUNFT_TASKS=" in environment


def test_a_worker_that_dies_has_its_job_done_by_another(tmp_path: Path) -> None:
    deaths: list[int] = []
    plan = bench_plan(tmp_path)
    found = WorkerProcesses(plan, 1, PATIENCE, on_death=lambda: deaths.append(1))

    def kill_first() -> None:
        eventually(mine)
        os.kill(mine()[0], 9)

    killer = threading.Thread(target=kill_first)
    killer.start()
    assert found.run(gate_job(plan)).report.candidate.episodes == 2
    killer.join()
    assert len(deaths) == 1
    idle = mine()[0]
    os.kill(idle, 9)  # while it has nothing to do: that costs nothing
    eventually(lambda: not alive(idle))
    assert found.run(gate_job(plan)).report.candidate.episodes == 2
    assert len(deaths) == 1
    found.close()


def test_a_job_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    plan, over = bench_plan(tmp_path), threading.Event()
    found = WorkerProcesses(plan, 1, PATIENCE)

    def kill_all() -> None:
        while not over.wait(0.02):
            for pid in mine():
                os.kill(pid, 9)

    killer = threading.Thread(target=kill_all)
    killer.start()
    with pytest.raises(WorkerDiedError, match=r"3 workers died .*SIGKILL"):
        found.run(gate_job(plan))
    over.set()
    killer.join()
    found.close()


def test_a_job_that_nobody_waits_for_is_ended_with_its_worker(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    job = gate_job(bench_plan(tmp_path), episodes=LONG)
    with pytest.raises(JobAbandonedError):
        processes.run(job, stopped=lambda: bool(mine()))
    assert mine() == []
    ended: list[BaseException] = []

    def ask() -> None:
        with pytest.raises(JobAbandonedError) as caught:
            processes.run(job)
        ended.append(caught.value)

    askers = [threading.Thread(target=ask) for _ in range(2)]  # the second one waits for a place
    for asker in askers:
        asker.start()
    eventually(mine)
    assert len(mine()) == 1
    processes.close()
    for asker in askers:
        asker.join(PATIENCE)
    assert len(ended) == 2


def test_an_idle_worker_gives_its_memory_back(tmp_path: Path) -> None:
    plan = bench_plan(tmp_path)
    found = WorkerProcesses(plan, 1, idle_seconds=0.05)
    found.run(merge_job(plan))
    eventually(lambda: mine() == [])
    found.run(merge_job(plan))
    found.close()
    assert mine() == []


def test_what_a_worker_writes_is_its_users_alone(tmp_path: Path) -> None:
    plan = bench_plan(tmp_path)
    found = WorkerProcesses(plan, 1, PATIENCE)
    found.run(merge_job(plan))
    (worker,) = mine()
    assert "Umask:\t0077" in Path(f"/proc/{worker}/status").read_text()
    found.close()


def test_no_worker_outlives_its_hub(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)]) as owner:
        eventually(lambda: workers_of(owner.pid))
        (worker,) = workers_of(owner.pid)
        eventually(lambda: "mujoco" in Path(f"/proc/{worker}/maps").read_text())
        owner.kill()
    eventually(lambda: not alive(worker))


def test_a_worker_knows_every_kind_of_job() -> None:
    """A process that was just started, without what the hub imports beside it."""
    said = "import hub.workers.bench; from hub.workers.job import Job; print(*Job.kinds)"
    known = subprocess.run([sys.executable, "-c", said], capture_output=True, check=True, text=True).stdout
    sources = (path.read_text() for path in Path(hub.workers.__file__).parent.glob("*.py"))
    kinds = {kind for source in sources for kind in re.findall(r"^class (\w+)\(Job\[", source, re.MULTILINE)}
    assert set(known.split()) == kinds
