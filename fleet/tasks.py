"""Tasks from a hub: looked up, fetched, verified, and kept where whoever asks keeps them.

Nothing of a bundle is executed, and what comes from a hub is loaded in a limited process first. A robot
takes only what the guild vouches for (`fleet.updater`); a task of this package, or of the folder that a
person has named in ZUNFT_TASKS, is never fetched.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from envs.archive import unpack
from envs.bundle import TOTAL_LIMIT, bundle_names, digest_folder, own_tasks
from envs.examination import check_loads
from envs.task import Task, load_task
from fleet.client import HubClient
from fleet.connection import Connection
from fleet.fetch import vouched_version
from fleet.robot_folder import RobotFolder
from fleet.transfer import pull
from fleet.updater import DistrustError, Trusted
from skills.container import digest_of
from skills.errors import ArtefactError, ContractError, HubUnreachableError, NotFoundError
from skills.messages.base import API
from skills.messages.tasks import TaskVersionView, TaskView
from skills.signing import VerifyKey, task_statement
from skills.targets import TaskNote

__all__ = ["borrow_task", "fetch_task", "find_task", "is_here", "kept_tasks", "listed_version"]

FOLDER = "tasks"


def is_here(name: str) -> bool:
    """Whether the package, or the folder that ZUNFT_TASKS names, has this task."""
    return name in bundle_names() or name in own_tasks()


def find_task(bench: RobotFolder, hub: HubClient, skill: str) -> Task:
    """The task of a robot's skill: the one that is here, the one that it keeps, or the hub's.

    Raises:
        NotFoundError: The hub has no such skill or task.
        DistrustError, ArtefactError: What the hub sent is not what the guild vouches for.
        HubUnreachableError: No answer, and the robot keeps none.
    """
    if is_here(skill):
        return load_task(skill)
    kept = bench.home / FOLDER / skill
    try:
        manifest = vouched_version(hub, skill, "base").manifest
    except HubUnreachableError:
        if kept.is_dir():
            return load_task(kept.absolute())
        raise
    if is_here(manifest.task):
        return load_task(manifest.task)
    if not (kept.is_dir() and manifest.task_digest in {None, digest_folder(kept)}):
        version = listed_version(hub.connection, manifest.task, manifest.task_digest)
        _check_vouched(hub.guild.refresh(), version)
        fetch_task(hub.connection, version, None, kept)
    return load_task(kept.absolute())


def kept_tasks(bench: RobotFolder) -> list[Task]:
    """The tasks that a robot has fetched, except those that are here by now."""
    kept = []
    for folder in sorted((bench.home / FOLDER).glob("[!.]*")):
        with suppress(ContractError):  # of an older format: it is fetched again when it is needed
            kept.append(load_task(folder.absolute()))
    return [task for task in kept if not is_here(task.name)]


def borrow_task(
    connection: Connection, name: str, bundle: str | None, key: VerifyKey | None, target: Path
) -> Task:
    """The task that is here, or else the hub's, unpacked into `target`.

    Raises:
        NotFoundError, SignatureError, ArtefactError, HubUnreachableError: See `listed_version`, `fetch_task`.
    """
    if is_here(name):
        return load_task(name)
    fetch_task(connection, listed_version(connection, name, bundle), key, target)
    return load_task(target.absolute())


def listed_version(connection: Connection, name: str, bundle: str | None = None) -> TaskVersionView:
    """The newest listed version of a task; with `bundle`, the newest whose files have this digest.

    Raises:
        NotFoundError: There is none.
    """
    path = f"{API}/tasks/{quote(name, safe='')}"
    view = connection.ask(TaskView, "GET", path)
    for number in reversed(view.versions):
        version = connection.ask(TaskVersionView, "GET", f"{path}/versions/{number}")
        if version.state == "listed" and bundle in {None, version.bundle}:
            return version
    raise NotFoundError(
        f"the hub lists no version of the task {name}" + (f" with the digest {bundle}." if bundle else "."),
        where="task",
        remedy="Ask who published the skill to publish its task: zunft task publish.",
    )


def fetch_task(connection: Connection, version: TaskVersionView, key: VerifyKey | None, target: Path) -> None:
    """Download a version, verify it and unpack it; what lay in `target` before is replaced at the end.

    Raises:
        SignatureError: Another key signed it.
        ArtefactError: Larger than a bundle may be, another digest, damaged, of unsafe content, or
            it does not load within the limits of `envs.examination`.
        HubUnreachableError: The download broke off; nothing has changed.
    """
    if key is not None:
        key.verify(version.signature, task_statement(version.task, version.version, version.digest))
    if version.size > TOTAL_LIMIT:
        raise ArtefactError(f"the task has {version.size} bytes; {TOTAL_LIMIT} are allowed.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as name:
        archive, bundle = Path(name) / "archive", Path(name) / "Bundle"
        path = f"{API}/tasks/{quote(version.task, safe='')}/versions/{version.version}/file"
        pull(connection, path, archive, version.size)
        content = archive.read_bytes()
        if digest_of(content) != version.digest:
            raise ArtefactError(
                "the file has another digest than the hub said.",
                where=version.task,
                remedy="Fetch it again; if that does not help, tell the hub's operator.",
                code="wrong_digest",
            )
        check_loads(content)
        unpack(content, bundle)
        _check_is(bundle, version)
        shutil.rmtree(target, ignore_errors=True)
        bundle.replace(target)


def _check_vouched(trusted: Trusted, version: TaskVersionView) -> None:
    found = trusted.task(version.task, version.version)
    bundle = isinstance(found.note, TaskNote) and found.note.bundle
    if (found.digest, found.size, bundle) != (version.digest, version.size, version.bundle):
        raise DistrustError(
            f"what the hub says of {version.task} v{version.version} is not what the guild vouches for."
        )


def _check_is(bundle: Path, version: TaskVersionView) -> None:
    task = load_task(bundle)
    if (task.name, task.digest) != (version.task, version.bundle):
        raise ArtefactError(
            f"this is the task {task.name}, {task.digest}, not {version.task}, {version.bundle}.",
            where=version.task,
            remedy="Tell the hub's operator.",
        )
