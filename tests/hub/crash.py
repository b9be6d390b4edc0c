"""Kills the hub's work at the lines that it runs, and looks at what a second process makes of it.

Started by test_crash as a process of its own: it forks, and a fork must not inherit threads.
`python -m tests.hub.crash engine|ahead|admission|uploads|withdrawal FOLDER STRIDE` tries every STRIDE-th
line and prints one JSON document: how many lines were tried, and those after which something was wrong.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import structlog
from sqlalchemy import select

from hub import withdrawals
from hub.access.principal import Principal
from hub.deltas import admission, offers, uploads
from hub.merging import merge_arrays
from hub.queue import leased_queue
from hub.rounds import engine, journal
from hub.rounds import round_steps as steps
from hub.services import Services, open_services
from hub.settings import Settings
from hub.storage.tables.attestations import AttestationRow
from hub.workers import bench, candidate_files, job, merger
from hub.workers import merge_round as candidate
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader
from skills.errors import ZunftError
from skills.messages.campaigns import CampaignRequest
from skills.messages.lists import VersionQuery, WithdrawalQuery
from skills.messages.plans import TrainingPlan
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.messages.uploads import DeltaPurpose, UploadRequest
from skills.messages.withdrawals import WithdrawalRequest
from skills.signing import SigningKey, delta_statement
from tests.hub.conftest import Hands, StubGate, asked_tensors, tiny_skill

Line = tuple[str, int]
MERGE = (bench, job, merger, candidate, candidate_files)
ENGINE = {str(module.__file__) for module in (engine, leased_queue, steps, *MERGE)}
OPERATOR = Principal("olga", "operator", "guild")
ADMISSION = {str(module.__file__) for module in (admission, offers)}
WITHDRAWAL = {str(path) for path in Path(str(withdrawals.__file__)).parent.glob("*.py")}
UPLOADS = {str(module.__file__) for module in (admission, offers, uploads)}
AHEAD = {str(module.__file__) for module in (engine, journal, leased_queue, steps)}
EVERYTHING = TrainingPlan(variates=True, moments=True)
SCORES: dict[int, float] = {}
"""What the gate of every hub finds, by version, where that is not the same for all."""
LEASE_OVER = 60.0  # seconds, beyond any lease and before any deadline


def get_ready() -> None:
    """Before any child: what hubs log goes to standard error, and children inherit the compiled kernels."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    merge_arrays([{"w": np.zeros(1)}] * 2, clip=1.0)  # so few numbers start no thread
    gc.freeze()  # a collection in a child would copy all that it shares with this process


def open_hub(folder: Path, *, later: float = 0) -> Services:
    """A process of the hub, so many seconds later than the others."""
    clock = Hands()
    clock.advance(later)
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "console": False,
            "admin_token": "zt_for-crashes-only",
            "merge_device": "cpu",  # asking for a GPU imports torch, in each child anew
            "part_size": 1024,
        }
    )
    return open_services(settings, gate=StubGate(SCORES), clock=clock)


def turn(hub: Services) -> None:
    while hub.rounds.engine.run_once():
        pass


def prepare(folder: Path, quorum: int = 2, *, ahead: bool = False) -> dict[str, Any]:
    """A hub with an open round, one delta in, a second one made but not brought."""
    hub = open_hub(folder)
    base = tiny_skill()
    with hub.storage.spool.file() as file:
        file.write(base.to_bytes())
        hub.catalogue.skills.publish(file, by=OPERATOR)
    keys = [SigningKey.generate(), SigningKey.generate()]
    robots = []
    for number, key in enumerate(keys):
        token = hub.robots.enrolment.create_tokens(EnrolmentTokenRequest(), by=OPERATOR)[0].token
        request = EnrolmentRequest(
            token=token, name=f"robot {number}", embodiment="ur5e", public_key=key.public.text
        )
        robots.append(hub.robots.enrolment.enrol(request).robot_id)
    campaign = hub.rounds.campaigns.start(
        CampaignRequest(skill="reach", rounds=2, quorum=quorum, training=EVERYTHING, ahead=ahead), by=OPERATOR
    )
    turn(hub)
    deltas = []
    for number, robot in enumerate(robots):
        work = hub.rounds.assignments.assignment(Principal(robot, "robot", "guild"), "reach")
        if work is None:
            raise RuntimeError("no work")
        header = DeltaHeader(
            base=work.base.digest, round_id=work.round_id, robot_id=robot, codec="raw", samples=10 + number
        )
        data = Delta(header, asked_tensors(base, EVERYTHING, number)).to_bytes()
        deltas.append(
            {
                "data": data.hex(),
                "signature": keys[number].sign(delta_statement(digest_of(data))),
                "robot": robot,
            }
        )
    round_id = f"{campaign.campaign_id}-1"
    bring(hub, {"round_id": round_id, **deltas[0]})
    hub.close()
    return {"campaign_id": campaign.campaign_id, "round_id": round_id, **deltas[1]}


def bring(hub: Services, delta: dict[str, Any]) -> str:
    robot = Principal(delta["robot"], "robot", "guild")
    data = bytes.fromhex(delta["data"])
    with hub.storage.spool.file() as file:
        file.write(data)
        return hub.deltas.admission.admit(delta["round_id"], file, delta["signature"], robot).status


def bring_in_parts(hub: Services, delta: dict[str, Any]) -> str:
    robot = Principal(delta["robot"], "robot", "guild")
    data = bytes.fromhex(delta["data"])
    purpose = DeltaPurpose(round_id=delta["round_id"], signature=delta["signature"])
    request = UploadRequest(digest=digest_of(data), size=len(data), purpose=purpose)
    view = hub.deltas.uploads.announce(request, robot)
    for part in view.missing:
        with hub.storage.spool.file() as file:
            file.write(data[part.offset : part.offset + part.size])
            hub.deltas.uploads.take_part(view.upload_id, part.number, file, robot)
    receipt, _ = hub.deltas.uploads.complete(hub.deltas.uploads.find(view.upload_id, robot), robot)
    return str(getattr(receipt, "status", ""))


def outcome(hub: Services, delta: dict[str, Any]) -> list[Any]:
    """Everything that must not depend on crashes."""
    turn(hub)
    first, second = hub.rounds.campaigns.campaign(delta["campaign_id"], OPERATOR).rounds
    stable = hub.catalogue.skills.version("reach", "stable", OPERATOR)
    versions = len(hub.catalogue.skills.versions("reach", OPERATOR, VersionQuery()).items)
    return [first.state, first.deltas, first.candidate, second.state, stable.digest, versions, second.base]


def releases(hub: Services) -> dict[str, str]:
    """Blobs that say when a version became stable, and so are others when that is done again later."""
    with hub.storage.database.read() as session:
        rows = session.scalars(select(AttestationRow).where(AttestationRow.kind == "release"))
        return {row.digest.removeprefix("sha256:")[2:]: f"release of v{row.number}" for row in rows}


def in_child(action: Callable[[], Any], kill_at: Line | None = None) -> Any:
    """What `action` returns in a forked process; None when it was killed on the way."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if kill_at is not None:
                sys.settrace(killer(kill_at))
            os.write(writing, json.dumps(action()).encode())
        except BaseException:  # noqa: BLE001 - a child must never return into its parent's code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return None
    if status:
        raise RuntimeError("a child failed, see above")
    return json.loads(answer)


def killer(line: Line) -> Callable[[FrameType, str, Any], Any]:
    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename != line[0]:
            return None
        if event == "line" and frame.f_lineno == line[1]:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def lines_of(action: Callable[[], Any], files: set[str]) -> list[Line]:
    """Every line of these files that `action` runs."""
    found: set[Line] = set()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            found.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    sys.settrace(trace)
    action()
    sys.settrace(None)
    return sorted(found)


def killed_at_each_line(
    folder: Path,
    stride: int,
    work: Callable[..., list[Any]],
    files: set[str],
    *,
    later: float = LEASE_OVER,
) -> dict[str, Any]:
    """Kill a hub's work at each line of these files; what another makes of it must come to the same.

    Args:
        folder: Has `start`, from which each hub is copied.
        stride: Every so many lines.
        work: On the copy of that name, so many seconds later; gives what must not depend on kills.
        files: Whose lines.
        later: When the other one begins.
    """

    def copy(name: str) -> Path:
        return Path(shutil.copytree(folder / "start", folder / name, dirs_exist_ok=True))

    copy("reference")
    copy("traced")
    expected = in_child(lambda: work("reference"))
    lines = in_child(lambda: lines_of(lambda: work("traced"), files))[::stride]
    wrong = []
    for number, line in enumerate(lines):
        copy(str(number))
        killed = in_child(partial(work, str(number)), tuple(line)) is None
        found = in_child(partial(work, str(number), later))
        if not killed or found != expected:
            wrong.append([line, killed, found])
        shutil.rmtree(folder / str(number))
    return {"expected": expected, "lines": len(lines), "wrong": wrong}


def crash_ahead(folder: Path, stride: int) -> dict[str, Any]:
    """The same where round 2 began from the candidate of round 1, and that one is refused."""
    SCORES[2] = 0.1
    return crash_engine(folder, stride, AHEAD, ahead=True)


def crash_engine(
    folder: Path, stride: int, files: set[str] = ENGINE, *, ahead: bool = False
) -> dict[str, Any]:
    """Kill the engine at each of its lines; a second engine must come to the same bits."""
    delta = in_child(lambda: prepare(folder / "start", ahead=ahead))
    in_child(lambda: bring(open_hub(folder / "start"), delta))

    def work(name: str, later: float = 0) -> list[Any]:
        return outcome(open_hub(folder / name, later=later), delta)

    return killed_at_each_line(folder, stride, work, files)


def crash_admission(folder: Path, stride: int) -> dict[str, Any]:
    """Kill the hub at each line of taking a delta in; the robot sends it again, and it counts once."""
    return crash_delivery(folder, stride, bring, ADMISSION)


def crash_uploads(folder: Path, stride: int) -> dict[str, Any]:
    """The same for a delta that comes in parts."""
    return crash_delivery(folder, stride, bring_in_parts, UPLOADS)


def crash_delivery(
    folder: Path, stride: int, deliver: Callable[[Services, dict[str, Any]], str], files: set[str]
) -> dict[str, Any]:
    delta = in_child(lambda: prepare(folder / "start"))

    def push(name: str) -> str:
        try:
            return deliver(open_hub(folder / name), delta)
        except ZunftError as error:
            return error.code

    def look(name: str) -> Any:
        return outcome(open_hub(folder / name), delta)

    def copy(name: str) -> Path:
        return Path(shutil.copytree(folder / "start", folder / name, dirs_exist_ok=True))

    copy("reference")
    copy("traced")
    in_child(lambda: push("reference"))
    expected = in_child(lambda: look("reference"))
    lines = in_child(lambda: lines_of(lambda: push("traced"), files))[::stride]
    wrong = []
    for number, line in enumerate(lines):
        copy(str(number))
        killed = in_child(partial(push, str(number)), tuple(line)) is None
        again = in_child(partial(push, str(number)))
        found = in_child(partial(look, str(number)))
        if not killed or again not in {"admitted", "duplicate"} or found != expected:
            wrong.append([line, killed, again, found])
        shutil.rmtree(folder / str(number))
    return {"expected": expected, "lines": len(lines), "wrong": wrong}


def crash_withdrawal(folder: Path, stride: int) -> dict[str, Any]:
    """Kill the hub at each line of forgetting a robot; another goes on, and comes to the same bits."""
    delta = in_child(lambda: prepare(folder / "start", quorum=1))

    def grow() -> None:
        hub = open_hub(folder / "start")
        bring(hub, delta)
        turn(hub)
        hub.withdrawals.registry.withdraw(delta["robot"], WithdrawalRequest(purge=True), OPERATOR)

    def work(name: str, later: float = 0.0) -> list[Any]:
        hub = open_hub(folder / name, later=later)
        hub.withdrawals.worker.work()
        (found,) = hub.withdrawals.registry.withdrawals(OPERATOR, WithdrawalQuery()).items
        versions = hub.catalogue.skills.versions("reach", OPERATOR, VersionQuery()).items
        blobs = [path.name for path in (folder / name / "blobs").rglob("*") if path.is_file()]
        names = releases(hub)
        rounds = hub.rounds.campaigns.campaign(delta["campaign_id"], OPERATOR).rounds
        return [
            found.state,
            [each.outcome for skill in found.skills for each in skill.rounds],
            [[version.digest, version.withdrawn, *version.channels] for version in versions],
            [[each.state, each.candidate, each.base] for each in rounds],
            sorted(names.get(blob, blob) for blob in blobs),
        ]

    in_child(grow)
    return killed_at_each_line(folder, stride, work, WITHDRAWAL, later=1000.0)


if __name__ == "__main__":
    get_ready()
    scenarios = {
        "engine": crash_engine,
        "ahead": crash_ahead,
        "admission": crash_admission,
        "uploads": crash_uploads,
        "withdrawal": crash_withdrawal,
    }
    sys.stdout.write(json.dumps(scenarios[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
