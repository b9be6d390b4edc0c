"""Archives of small tasks, and a hub whose checker is told what to find."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import httpx

import envs
from envs.archive import pack
from hub.storage.tables.tasks import TaskVersionRow
from hub.tasks.checker import Checker
from hub.workers.job import Checked, CheckJob, Job, never
from skills.messages.base import API, BLOB
from skills.messages.tasks import FindingView, TaskFacts
from tests.envs.bundles import SCENE, SMALL, small_bundle
from tests.hub.conftest import CONTRACT, Hall, Headers

TEMPLATE = Path(envs.__file__).parent / "templates" / "task"
GOOD = Checked(
    findings=(FindingView(check="compiles", passed=True, text="3 bodies"),),
    facts=TaskFacts(contract=CONTRACT, embodiments=("ur5e",), horizon=20),
)


def small_archive(
    name: str = "small", *, title: str = "Hold still", toml: str = SMALL, scene: str = SCENE
) -> bytes:
    """A readable bundle that the checker finds too easy."""
    text = toml.replace('"small"', f'"{name}"').replace("Hold still over the work", title)
    with tempfile.TemporaryDirectory() as folder:
        return pack(small_bundle(Path(folder) / "Bundle", toml=text, scene=scene))


def template_bundle(folder: Path, name: str) -> Path:
    """What `zunft task new` writes, which passes all checks."""
    folder.mkdir(parents=True)
    for path in sorted(TEMPLATE.iterdir()):
        (folder / path.name).write_text(path.read_text().replace("NAME", name))
    return folder


def publish(hall: Hall, archive: bytes, by: Headers | None = None, visibility: str = "") -> httpx.Response:
    query = f"?visibility={visibility}" if visibility else ""
    headers = {"Content-Type": BLOB, **(by or hall.operator)}
    return hall.client.post(f"{API}/tasks{query}", content=archive, headers=headers)


class Found:
    """Jobs that find what a test says, at once."""

    def __init__(self, checked: Checked = GOOD) -> None:
        self.checked = checked
        self.asked: list[str] = []

    def run(self, job: Job[Any], _: object = None) -> Any:
        assert isinstance(job, CheckJob)
        self.asked.append(job.task.digest)
        return self.checked

    def close(self) -> None:
        pass


def checker_of(hall: Hall, jobs: Found) -> Checker:
    limits = hall.services.tasks.checker.limits
    return Checker(
        hall.services.storage.database, jobs, hall.clock, limits, hall.settings.lease_seconds, never
    )


def list_all(hall: Hall) -> None:
    """List whatever waits, as if it were checked."""
    checker_of(hall, Found()).work()


def states(hall: Hall) -> dict[str, str]:
    with hall.services.storage.database.read() as session:
        return {f"{row.task}/{row.number}": row.state for row in session.query(TaskVersionRow)}
