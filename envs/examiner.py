"""The process in which a stranger's bundle is examined: it limits itself, and then looks at the bundle.

Started by `envs.examination`, which decides what becomes of it. It has the archive, a folder and nothing
else: no environment, no store, no database. It ends with whoever started it.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from envs.examination import ARCHIVE, RESULT, Checked, CheckLimits, Depth
from skills.errors import ZunftError
from skills.messages.tasks import FindingView, TaskFacts

__all__ = ["limit", "main"]

BUNDLE = "Bundle"
TEXT = 4000


def limit(limits: CheckLimits) -> None:
    """Give up what the examination may not use; nothing gives it back."""
    for what, soft, most in (
        (resource.RLIMIT_AS, limits.memory, limits.memory),
        # The signal of the soft limit says which it was; that of the hard one also comes for want of memory.
        (resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 5),
        (resource.RLIMIT_FSIZE, limits.file_size, limits.file_size),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (min(soft, allowed), allowed))


def main(folder: Path, depth: Depth) -> None:
    """Examine the archive in the folder, and write what was found beside it."""
    found = _found(folder, depth)
    building = folder / f"{RESULT}.new"
    building.write_text(found.model_dump_json(), encoding="utf-8")
    building.replace(folder / RESULT)


def _found(folder: Path, depth: Depth) -> Checked:
    findings: list[FindingView] = []
    facts: TaskFacts | None = None
    try:
        for found in _examined(folder, depth):
            if isinstance(found, TaskFacts):
                facts = found
            else:
                findings.append(found)
    except ZunftError as error:
        if isinstance(error.__cause__, OSError):
            return Checked(findings=(_of_error(error.__cause__, folder),))
        place = f"{error.where}: " if error.where else ""
        findings.append(_finding("reads", place + error.message, error.remedy, folder))
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bundle does is a finding
        findings.append(_of_error(error, folder))
    return Checked(findings=tuple(findings), facts=facts)


def _examined(folder: Path, depth: Depth) -> Iterator[FindingView | TaskFacts]:
    # After the limits: these libraries are loaded under them, too.
    from envs.archive import unpack  # noqa: PLC0415
    from envs.task import load_task  # noqa: PLC0415

    unpack((folder / ARCHIVE).read_bytes(), folder / BUNDLE)
    task = load_task(folder / BUNDLE)
    robots = task.bundle.embodiments  # a wrapped environment is no bundle, and is refused here
    yield TaskFacts(
        contract=task.contract,
        embodiments=tuple(robots),
        horizon=task.horizon,
        campaign=task.file.training.order(),
    )
    if depth == "reads":
        return
    from envs.examine import examine, loads  # noqa: PLC0415

    for each in examine(task) if depth == "examine" else loads(task):
        if not each.passed and "allocate" in each.text:
            raise MemoryError
        yield FindingView(
            check=each.check[:200],
            passed=each.passed,
            text=_plain(each.text, folder),
            remedy=_plain(each.remedy, folder),
        )


def _of_error(error: Exception, folder: Path) -> FindingView:
    if isinstance(error, MemoryError) or "allocate" in str(error):  # as numpy and MuJoCo put it
        text = "it needs more memory than a check may take (ZUNFT_CHECK_MEMORY)"
        return _finding("memory", text, "Simplify meshes and shapes, or shorten the episode.", folder)
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        text = "it writes a larger file than a check may (ZUNFT_CHECK_FILE_SIZE)"
        return _finding("file size", text, "Simplify or split the bundle's largest file.", folder)
    remedy = "Look at the entry that it names; if none is to blame, report it with the bundle."
    return _finding("runs", f"{type(error).__name__}: {error}", remedy, folder)


def _finding(check: str, text: str, remedy: str, folder: Path) -> FindingView:
    return FindingView(check=check, passed=False, text=_plain(text, folder), remedy=_plain(remedy, folder))


def _plain(text: str, folder: Path) -> str:
    """Files are named as in the bundle: where this hub keeps its own is nobody's business."""
    inside = text.replace(f"{folder.resolve() / BUNDLE}/", "").replace(str(folder.resolve()), "the bundle")
    return inside.replace("\0", "")[:TEXT]


def _end_with_parent(folder: Path) -> None:
    """Whoever started this holds the other end of standard input, and nobody else."""
    os.read(0, 1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, args=(here,), daemon=True).start()
    limit(CheckLimits.model_validate_json(sys.argv[2]))
    main(here, next(depth for depth in get_args(Depth) if depth == sys.argv[3]))
    os._exit(0)
