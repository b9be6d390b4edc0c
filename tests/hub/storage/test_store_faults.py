"""A store behind a bad network, and a full disk: nothing half kept, nothing lost, and a retry succeeds."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from hub.settings import Settings
from hub.storage.objects import bucket
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.uploads import UploadView
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.hub.bringing import Yard, open_yard
from tests.hub.conftest import ADMIN, Hands, ok, tiny_skill
from tests.hub.proxy import Fault, Proxy, proxy_to
from tests.hub.running import START, running_hub
from tests.hub.servers import S3Server
from tests.hub.serving import serving

HARD = ["down", "stalled", "error", "cut request", "cut answer"]


@dataclass
class Line:
    """A hub whose way to its S3 store can be disturbed."""

    yard: Yard
    proxy: Proxy


@pytest.fixture
def line(on_s3: Settings, s3: S3Server, clock: Hands, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr(bucket, "READ_SECONDS", 0.4)
    monkeypatch.setattr(bucket, "RETRIES", 1)
    with proxy_to(s3.endpoint) as proxy:
        url = on_s3.store_url.replace(s3.endpoint, proxy.address)
        yard = open_yard(on_s3.model_copy(update={"store_url": url}), clock)
        yield Line(yard, proxy)
        yard.hall.close()


@pytest.mark.parametrize("fault", HARD)
def test_a_delta_meets_a_store_that_fails_and_later_one_that_works(line: Line, fault: Fault) -> None:
    yard, data = line.yard, line.yard.delta()
    line.proxy.inject(fault, after=10)
    drop_connections(yard)
    error = yard.hall.error(yard.robot.push(yard.work.round_id, data), 503)
    assert error["code"] == "store_unavailable"
    assert error["remedy"]
    assert line.proxy.faults
    line.proxy.inject("none")
    drop_connections(yard)
    assert yard.hall.round(yard.work.round_id).deltas == 0
    assert ok(yard.robot.push(yard.work.round_id, data)).json()["status"] == "admitted"
    assert yard.hall.services.storage.store.get(digest_of(data)) == data
    assert list((yard.hall.settings.data_dir / "spool").iterdir()) == []


@pytest.mark.parametrize("fault", HARD)
def test_an_upload_goes_on_after_the_store_failed_at_any_step(line: Line, fault: Fault) -> None:
    yard, data, before = line.yard, line.yard.delta(), line.yard.stored()
    view = yard.view(data)
    for step in ("announce", "part", "complete"):
        line.proxy.inject(fault, after=10)
        drop_connections(yard)
        failed = {
            "announce": lambda: yard.announce(data),
            "part": lambda: yard.put(view.upload_id, 1, data[:4096]),
            "complete": lambda: yard.complete(view),
        }[step]()
        assert yard.hall.error(failed, 503)["remedy"], step
        line.proxy.inject("none")
        drop_connections(yard)
        yard.bring(data, yard.view(data))
    assert ok(yard.complete(view)).json()["status"] == "admitted"
    assert len(yard.stored() - before) == 1


def test_a_store_that_is_slow_is_waited_for(line: Line) -> None:
    line.proxy.inject("slow")
    drop_connections(line.yard)
    data = line.yard.delta()
    assert ok(line.yard.robot.push(line.yard.work.round_id, data)).json()["status"] == "admitted"
    assert line.proxy.faults


def test_one_fault_is_mended_by_the_hub_itself(line: Line) -> None:
    line.proxy.inject("error", times=1)
    drop_connections(line.yard)
    assert ok(line.yard.robot.push(line.yard.work.round_id, line.yard.delta())).status_code == 201
    assert line.proxy.faults == 1


def test_a_file_that_breaks_off_at_the_store_is_never_taken_for_whole(line: Line) -> None:
    yard, skill = line.yard, large_skill()
    ok(yard.hall.publish(skill))
    path = f"{API}/skills/{skill.manifest.name}/versions/1/file"
    with serving(yard.hall.app) as address:
        line.proxy.inject("cut answer", after=1_500_000)
        drop_connections(yard)
        assert httpx.get(address + path).status_code == 503  # nothing is out yet
        line.proxy.inject("cut answer", after=3_000_000)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(address + path)
        line.proxy.inject("none")
        drop_connections(yard)
        assert ok(httpx.get(address + path)).content == skill.to_bytes()


def test_a_merge_waits_for_its_store(line: Line) -> None:
    yard = line.yard
    for robot, number in ((yard.robot, 1), (yard.other, 2)):
        work = robot.assignment()
        assert work is not None
        tensors = {name: number * 0.01 + 0 * each for name, each in yard.base.tensors.items()}
        ok(robot.push(work.round_id, robot.delta(work, tensors)))
    line.proxy.inject("down")
    drop_connections(yard)
    yard.hall.turn()  # the engine waits
    assert yard.hall.round(yard.work.round_id).state == "merging"
    line.proxy.inject("none")
    drop_connections(yard)
    yard.hall.clock.advance(60)
    yard.hall.turn()
    assert yard.hall.round(yard.work.round_id).state == "published"
    assert yard.hall.skill("stable").manifest.version == 2


def drop_connections(yard: Yard) -> None:
    """Let the store's client connect anew, so that the fault meets it at once."""
    yard.hall.services.storage.store._bucket.client._http.clear()  # type: ignore[attr-defined]


def large_skill() -> Skill:
    """Of 4 MB."""
    network = Mlp(inputs=3, outputs=2, hidden=(700, 700))
    manifest = tiny_skill().manifest.model_copy(update={"name": "reach-far", "network": network})
    return Skill(manifest, {name: np.zeros(shape, np.float32) for name, shape in network.shapes().items()})


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000)); "
"""A disk on which no file can grow beyond 3 MB; the database is smaller."""

OPERATOR = {"Authorization": f"Bearer {ADMIN}"}


def test_a_full_disk_is_said_to_be_full_and_once_there_is_room_the_upload_goes_on(tmp_path: Path) -> None:
    skill = large_skill()
    data = skill.to_bytes()
    request = {"digest": skill.digest, "size": skill.size, "purpose": {"kind": "skill"}}
    with running_hub(tmp_path, start=FULL + START, ZUNFT_PART_SIZE="1000000") as hub:
        error = refused(httpx.post(f"{hub.address}{API}/skills", content=data, headers=OPERATOR))
        assert "room" in error["remedy"]
        answer = ok(httpx.post(f"{hub.address}{API}/uploads", json=request, headers=OPERATOR))
        view = UploadView.model_validate_json(answer.content)
        path = f"{API}/uploads/{view.upload_id}"
        for part in view.missing:
            piece = data[part.offset : part.offset + part.size]
            ok(httpx.put(f"{hub.address}{path}/parts/{part.number}", content=piece, headers=OPERATOR))
        error = refused(httpx.post(f"{hub.address}{path}/complete", headers=OPERATOR))
        assert "room" in error["remedy"]
        assert not list((tmp_path / "spool").iterdir())
        assert not list((tmp_path / "blobs").glob("sha256/*/*"))
        hub.kill()
    with running_hub(tmp_path, ZUNFT_PART_SIZE="1000000") as hub:
        again = ok(httpx.post(f"{hub.address}{API}/uploads", json=request, headers=OPERATOR))
        assert again.json()["missing"] == []
        assert ok(httpx.post(f"{hub.address}{path}/complete", headers=OPERATOR)).status_code == 201
        found = httpx.get(f"{hub.address}{API}/skills/{skill.manifest.name}/versions/1/file").content
        assert found == data


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 24 MB, where one may mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a disk here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - where it is differs


def fill(disk: Path) -> Path:
    """Leave no room on it; returns the file that takes it."""
    junk = disk / "junk"
    with junk.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return junk


def test_on_a_disk_without_room_for_database_and_store_nothing_is_half_done(small_disk: Path) -> None:
    data, north = large_skill().to_bytes(), {"name": "North"}
    with running_hub(small_disk) as hub, httpx.Client(base_url=hub.address, headers=OPERATOR) as client:
        junk = fill(small_disk)
        for _ in range(3):
            assert "room" in refused(client.post(f"{API}/skills", content=data))["remedy"]
            assert "room" in refused(client.post(f"{API}/organisations", json=north))["remedy"]
        assert not list((small_disk / "blobs").glob("sha256/*/*"))
        junk.unlink()
        assert ok(client.get(f"{API}/skills")).json()["items"] == []
        ok(client.post(f"{API}/organisations", json=north))
        assert ok(client.post(f"{API}/skills", content=data)).status_code == 201
        fill(small_disk)
        refused(client.post(f"{API}/organisations", json={"name": "South"}))
        hub.kill()
    junk.unlink()
    with running_hub(small_disk) as hub, httpx.Client(base_url=hub.address, headers=OPERATOR) as client:
        names = [each["name"] for each in ok(client.get(f"{API}/organisations")).json()["items"]]
        assert sorted(names) == ["North", "guild"]
        assert client.get(f"{API}/skills/reach-far/versions/1/file").content == data


def refused(response: httpx.Response) -> dict[str, str]:
    """The error of a hub that cannot do it now."""
    assert response.status_code == 503, response.text
    error: dict[str, str] = response.json()["error"]
    return error
