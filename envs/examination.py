"""Has a stranger's bundle examined, or only loaded, in a process of its own, and says what stopped it.

The process is `envs.examiner`. However it ends, this one goes on and nothing of it stays. What follows from
what was found is for the caller: a hub refuses to list the task, a robot does not take it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from envs.embodiment import OWN_FOLDER
from skills.errors import ArtefactError, RequestError
from skills.extras import installed
from skills.messages.tasks import FindingView, TaskFacts

__all__ = ["ARCHIVE", "RESULT", "CheckLimits", "Checked", "Depth", "check_loads", "examined", "own_limits"]

ARCHIVE, RESULT = "task.tar.gz", "result.json"
PREFIX = "checking-"
SETTINGS = "ZUNFT_CHECK_"
RESULT_LIMIT = 1024**2
SIMPLER = "Simplify meshes and shapes, shorten the episode or admit fewer robots."
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    # Address space is limited, and every thread of these takes some before it does anything.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}


Depth = Literal["reads", "loads", "examine"]
"""Whether the bundle's files are read, its models loaded, too, or everything is tried (`envs.examine`)."""


class _Plain(BaseModel):
    """Goes to another process or machine as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckLimits(_Plain):
    """What the examination of a stranger's bundle may use.

    Attributes:
        seconds: By the clock on the wall.
        cpu_seconds: Of all threads together.
        memory: Bytes of address space.
        file_size: Bytes of a file that it writes.
    """

    seconds: float = Field(default=300, gt=0)
    cpu_seconds: int = Field(default=600, ge=1)
    memory: int = Field(default=4 * 1024**3, ge=1)
    file_size: int = Field(default=64 * 1024**2, ge=1024)


class Checked(_Plain):
    """What the examination found; without facts the bundle could not be read to its end."""

    findings: tuple[FindingView, ...]
    facts: TaskFacts | None = None

    @property
    def passed(self) -> bool:
        """Whether the task may be listed."""
        return self.facts is not None and all(each.passed for each in self.findings)


def own_limits() -> CheckLimits:
    """Those of a robot or a person, by the environment variables that a hub has for them, too.

    Raises:
        RequestError: One of them is no such number.
    """
    keys = {name: f"{SETTINGS}{name.upper()}" for name in CheckLimits.model_fields}
    try:
        return CheckLimits.model_validate(
            {name: os.environ[key] for name, key in keys.items() if key in os.environ}
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = keys[str(first["loc"][0])]
        raise RequestError(
            f"{first['msg']}.", where=name, remedy="docs/settings.md says what it may be."
        ) from error


def check_loads(archive: bytes) -> None:
    """Refuse an archive from anybody that does not load within the limits, before this process loads it.

    Where no simulator is installed, nothing will be simulated: that it can be read is all there is to see.

    Raises:
        ArtefactError: What stopped it, and what to do.
    """
    depth: Depth = "loads" if installed("train") else "reads"
    found = examined(archive, own_limits(), Path(tempfile.gettempdir()), depth)
    for each in found.findings:
        if not each.passed:
            raise ArtefactError(each.text, where="task", remedy=each.remedy, code="unsound_task")


def examined(archive: bytes, limits: CheckLimits, spool: Path, depth: Depth = "examine") -> Checked:
    """What the contract checker finds in an archive from anybody.

    Args:
        archive: See `envs.archive`.
        limits: What the examination may use; to break one is a finding.
        spool: Where a folder is made for it, and removed again.
        depth: How much of it is tried.
    """
    spool.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=spool, ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / ARCHIVE).write_bytes(archive)
        ended = _run(folder, limits, depth)
        if ended is not None:
            return Checked(findings=(_stopped(ended, limits),))
        return _read(folder / RESULT)


def _run(folder: Path, limits: CheckLimits, depth: Depth) -> str | int | None:
    """What ended it: `time`, or its exit status; None where it came to its end."""
    command = [sys.executable, "-P", "-m", "envs.examiner", str(folder), limits.model_dump_json(), depth]
    passed_on = {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    if OWN_FOLDER in os.environ:
        passed_on[OWN_FOLDER] = str(Path(os.environ[OWN_FOLDER]).resolve())
    with subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
        command,
        cwd=folder,
        env=ENVIRONMENT | passed_on,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(limits.seconds) or None
        except subprocess.TimeoutExpired:
            return "time"
        finally:
            process.kill()


def _stopped(ended: str | int, limits: CheckLimits) -> FindingView:
    if ended == "time":
        text = (
            f"not done after {limits.seconds:g} s, which is all that a check may take (ZUNFT_CHECK_SECONDS)"
        )
        return FindingView(check="time", passed=False, text=text, remedy=SIMPLER)
    if ended == -signal.SIGXCPU:
        text = f"it used {limits.cpu_seconds} s of processor time, which is all (ZUNFT_CHECK_CPU_SECONDS)"
        return FindingView(check="time", passed=False, text=text, remedy=SIMPLER)
    if ended == -signal.SIGKILL:
        text = (
            "the system killed the check, mostly because the machine has no memory left; it may take "
            f"{limits.memory // 1024**2} MiB (ZUNFT_CHECK_MEMORY)"
        )
        return FindingView(check="memory", passed=False, text=text, remedy=f"{SIMPLER} Or free memory there.")
    how = signal.Signals(-int(ended)).name if int(ended) < 0 else f"exit status {ended}"
    text = (
        f"the simulation ended the check ({how}); mostly because it needs more memory than "
        f"{limits.memory // 1024**2} MiB (ZUNFT_CHECK_MEMORY)"
    )
    return FindingView(check="memory", passed=False, text=text, remedy=SIMPLER)


def _read(path: Path) -> Checked:
    """What was written is as little to be believed as the bundle."""
    try:
        with path.open("rb") as file:
            return Checked.model_validate_json(file.read(RESULT_LIMIT))
    except (OSError, ValidationError):
        text = "the check left no readable result"
        finding = FindingView(check="runs", passed=False, text=text, remedy="Publish the task again.")
        return Checked(findings=(finding,))
