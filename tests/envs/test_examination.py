"""A stranger's bundle in its limited process: each limit is told from the others, and nothing stays."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envs.archive import pack
from envs.examination import CheckLimits, check_loads, examined, own_limits
from skills.errors import ArtefactError, RequestError
from tests.envs.bundles import SCENE, SMALL, small_bundle

ENDLESS = SMALL.replace("horizon = 20", "horizon = 20000")
GREEDY = SCENE.replace("<worldbody>", '<size memory="60M"/><worldbody>')
PATIENCE = 60.0


def archive(folder: Path, *, toml: str = SMALL, scene: str = SCENE) -> bytes:
    return pack(small_bundle(folder / "Bundle", toml=toml, scene=scene))


@pytest.mark.parametrize(
    ("limits", "toml", "scene", "check", "said"),
    [
        ({"seconds": 1.5}, ENDLESS, SCENE, "time", "CHECK_SECONDS"),
        ({"cpu_seconds": 2}, ENDLESS, SCENE, "time", "processor time"),
        ({"memory": 1200 * 2**20}, SMALL, GREEDY, "memory", "CHECK_MEMORY"),
        ({"file_size": 1024}, SMALL + "#" * 2000, SCENE, "file size", "CHECK_FILE_SIZE"),
    ],
    ids=["wall clock", "processor", "memory", "file"],
)
def test_what_stopped_it_is_said_with_a_remedy(
    limits: dict[str, float], toml: str, scene: str, check: str, said: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    found = examined(archive(tmp_path, toml=toml, scene=scene), CheckLimits.model_validate(limits), spool)
    (failed,) = [each for each in found.findings if not each.passed]
    assert failed.check == check
    assert said in failed.text
    assert failed.remedy
    assert not found.passed
    assert list(spool.iterdir()) == []


def children() -> Iterator[int]:
    for task in Path("/proc/self/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def test_one_that_the_kernel_killed_is_not_said_to_have_used_up_its_time(tmp_path: Path) -> None:
    """As it does where no memory is left; whoever sends the signal, the process sees the same."""
    before = set(children())
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + PATIENCE
        while not killed and time.monotonic() < deadline:
            for child in set(children()) - before:
                os.kill(child, signal.SIGKILL)
                killed.append(child)

    other = threading.Thread(target=kill)
    other.start()
    found = examined(archive(tmp_path, toml=ENDLESS), CheckLimits(), tmp_path / "spool")
    other.join()
    assert killed
    (failed,) = found.findings
    assert failed.check == "memory"
    assert "no memory left" in failed.text


def test_what_loads_is_taken_and_what_does_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_loads(archive(tmp_path))
    with pytest.raises(ArtefactError, match="work") as caught:
        check_loads(archive(tmp_path, scene=SCENE.replace('name="work"', 'name="play"')))
    assert str(tmp_path) not in caught.value.message
    assert caught.value.remedy
    monkeypatch.setenv("ZUNFT_CHECK_MEMORY", str(2**28))
    with pytest.raises(ArtefactError, match="ZUNFT_CHECK_MEMORY"):
        check_loads(archive(tmp_path))


def test_limits_are_read_from_the_settings_of_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_limits() == CheckLimits()
    monkeypatch.setenv("ZUNFT_CHECK_CPU_SECONDS", "7")
    assert own_limits().cpu_seconds == 7
    monkeypatch.setenv("ZUNFT_CHECK_CPU_SECONDS", "many")
    with pytest.raises(RequestError, match="integer") as caught:
        own_limits()
    assert caught.value.where == "ZUNFT_CHECK_CPU_SECONDS"
