"""Has a stranger's bundle examined in a process of its own, and says in words what stopped that process.

The process is `envs.examiner`. However it ends, this one goes on and nothing of it stays.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from skills.tasks import FindingView, TaskFacts

__all__ = ["ARCHIVE", "RESULT", "CheckLimits", "Checked", "examined"]

ARCHIVE, RESULT = "task.tar.gz", "result.json"
PREFIX = "checking-"
RESULT_LIMIT = 1024**2
SIMPLER = "Simplify the scene, shorten the episode or admit fewer robots; then publish it again."
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    # Address space is limited, and every thread of these takes some before it does anything.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}


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

    seconds: float
    cpu_seconds: int
    memory: int
    file_size: int


class Checked(_Plain):
    """What the examination found; without facts the bundle could not be read to its end."""

    findings: tuple[FindingView, ...]
    facts: TaskFacts | None = None

    @property
    def passed(self) -> bool:
        """Whether the task may be listed."""
        return self.facts is not None and all(each.passed for each in self.findings)


def examined(archive: bytes, limits: CheckLimits, spool: Path) -> Checked:
    """What the contract checker finds in an archive from anybody.

    Args:
        archive: See `envs.archive`.
        limits: What the examination may use; to break one is a finding.
        spool: Where a folder is made for it, and removed again.
    """
    spool.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=spool, ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / ARCHIVE).write_bytes(archive)
        ended = _run(folder, limits)
        if ended is not None:
            return Checked(findings=(_stopped(ended, limits),))
        return _read(folder / RESULT)


def _run(folder: Path, limits: CheckLimits) -> str | int | None:
    """What ended it: `time`, or its exit status; None where it came to its end."""
    command = [sys.executable, "-P", "-m", "envs.examiner", str(folder), limits.model_dump_json()]
    path = {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    with subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
        command,
        cwd=folder,
        env=ENVIRONMENT | path,
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
    if ended in {-signal.SIGXCPU, -signal.SIGKILL}:
        text = f"it used {limits.cpu_seconds} s of processor time, which is all (ZUNFT_CHECK_CPU_SECONDS)"
        return FindingView(check="time", passed=False, text=text, remedy=SIMPLER)
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
