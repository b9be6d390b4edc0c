"""No file is held in memory: what large ones take is counted, and watched in a process of its own."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest

from hub.access.principal import Principal
from hub.settings import Settings
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader, LazyTensors
from skills.messages.base import API
from skills.messages.rounds import DeltaReceipt
from skills.messages.uploads import DeltaPurpose, UploadRequest
from skills.networks.mlp import Mlp
from skills.signing import delta_statement
from skills.skill import Skill
from tests.hub.conftest import ADMIN, Hall, Hands, Robot, StubGate, ok, tiny_skill
from tests.hub.running import RunningHub, running_hub

PUBLISHER = Principal("ada", "researcher", "guild")
WIDTH = 1500  # of eight square matrices of 9 MB: a skill of 72 MB
LARGE = Mlp(inputs=3, outputs=2, hidden=(WIDTH,) * 5)
HOLDS = 34_000_000  # bytes that anybody may hold at a time: four pieces in float64
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def skill() -> Skill:
    manifest = tiny_skill().manifest.model_copy(update={"network": LARGE})
    return Skill(manifest, {name: np.zeros(shape, np.float32) for name, shape in LARGE.shapes().items()})


@contextmanager
def held() -> Iterator[list[int]]:
    """Bytes that Python and NumPy held beyond what they did before, at their peak."""
    found: list[int] = []
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield found
        found.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


@pytest.fixture
def large(settings: Settings, clock: Hands, skill: Skill) -> Iterator[Hall]:
    roomy = {"delta_limit": 2**30, "part_size": 2**23, "merge_device": "cpu"}
    hall = Hall(settings.model_copy(update=roomy), StubGate(), clock)
    with hall.services.storage.spool.file() as file:
        file.write(skill.to_bytes())
        with held() as found:
            hall.services.catalogue.skills.publish(file, by=PUBLISHER)
    assert found[0] < HOLDS
    yield hall
    hall.close()


def delta_file(robot: Robot, codec: str) -> bytes:
    work = robot.assignment()
    assert work is not None
    header = DeltaHeader(
        base=work.base.digest, round_id=work.round_id, robot_id=robot.robot_id, codec=codec, samples=1
    )
    shapes = LARGE.shapes()
    step = LazyTensors(shapes, lambda name: np.full(shapes[name], 1e-3 + len(robot.robot_id) * 1e-5))
    file = BytesIO()
    Delta(header, step).write(file)
    return file.getvalue()


@pytest.mark.parametrize("codec", ["fp16", "int8", "fp16+zstd"])
def test_a_round_of_large_deltas_holds_one_merged_skill(large: Hall, codec: str, skill: Skill) -> None:
    robots = [large.enrol("one"), large.enrol("two")]
    large.start(rounds=1, training={"codec": codec})
    large.turn()
    for robot in robots:
        data = delta_file(robot, codec)
        digest, principal = digest_of(data), Principal(robot.robot_id, "robot", "guild")
        work = robot.assignment()
        assert work is not None
        signature = robot.key.sign(delta_statement(digest))
        purpose = DeltaPurpose(round_id=work.round_id, signature=signature)
        uploads, spool = large.services.deltas.uploads, large.services.storage.spool
        view = uploads.announce(UploadRequest(digest=digest, size=len(data), purpose=purpose), principal)
        for part in view.missing:
            with spool.file() as file:
                file.write(data[part.offset : part.offset + part.size])
                uploads.take_part(view.upload_id, part.number, file, principal)
        with held() as found:
            receipt, _ = uploads.complete(uploads.find(view.upload_id, principal), principal)
        assert isinstance(receipt, DeltaReceipt)
        assert found[0] < HOLDS
    with held() as found:
        large.turn()
    assert large.version("stable").version == 2
    assert found[0] < skill.size + 2 * HOLDS  # less than two skills


def test_a_robot_writes_a_large_delta_tensor_by_tensor(tmp_path: Path) -> None:
    shapes = LARGE.shapes()
    header = DeltaHeader(base="sha256:" + "0" * 64, round_id="r", robot_id="r", codec="int8+zstd", samples=1)
    with held() as found, (tmp_path / "delta").open("w+b") as file:
        Delta(header, LazyTensors(shapes, lambda name: np.ones(shapes[name]))).write(file)
    largest = 8 * WIDTH**2
    assert found[0] < 2 * largest + HOLDS


def test_over_http_nothing_is_held_either(tmp_path: Path, skill: Skill) -> None:
    with running_hub(tmp_path) as hub, httpx.Client(base_url=hub.address, timeout=60) as client:
        ok(client.post(f"{API}/skills", content=tiny_skill(name="warm-up").to_bytes(), headers=OPERATOR))
        with watched(hub) as found:
            ok(client.post(f"{API}/skills", content=skill.to_bytes(), headers=OPERATOR))
            answer = ok(client.get(f"{API}/skills/reach/versions/1/file"))
        assert len(answer.content) == skill.size
        assert found[0] < skill.size / 2


@contextmanager
def watched(hub: RunningHub) -> Iterator[list[int]]:
    """How much private memory a process took beyond what it had, at its peak."""
    found, before, stop = [0], private(hub.pid), threading.Event()

    def watch() -> None:
        while not stop.wait(0.003):
            found[0] = max(found[0], private(hub.pid) - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield found
    stop.set()
    thread.join()


def private(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
