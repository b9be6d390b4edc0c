"""`pip install zunft` is a robot's: built as a wheel, installed alone, it joins, syncs, and runs a skill."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.client import OperatorClient
from skills.extras import EXTRAS
from skills.messages.lists import RobotQuery
from skills.messages.robots import EnrolmentTokenRequest
from tests.eventually import eventually
from tests.zunft.wheels import PIP, ROOT, build_wheel
from tools.install import pins_of
from zunft.hub_process import HubProcess, run_hub
from zunft.new_skill import new_skill

LARGEST = 150 * 1024**2
NOT_OURS = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}
"""What a new environment has before anything is installed; `setuptools` up to Python 3.11."""
DRIVER = '''
import numpy as np
from fleet.runtime.robot import Observed

class Arm:
    """Senses nothing, obeys, and is done after ten motions."""
    sent = 0
    def connect(self): pass
    def observe(self):
        over = self.sent == 10
        self.sent = 0 if over else self.sent
        import time
        return Observed(np.zeros({size}, np.float32), time.monotonic(), over, True if over else None)
    def send(self, action):
        self.sent += 1
        return action
    def hold(self): pass
    def disconnect(self): pass

def make_robot():
    return Arm()
'''
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Light:
    """A bare environment with the light wheel, and a folder to work in."""

    python: Path
    folder: Path

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        plain = {name: text for name, text in os.environ.items() if not name.startswith(("ZUNFT", "PYTHON"))}
        command = [str(self.python.with_name("zunft")), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=plain, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def packages(self) -> Path:
        (found,) = self.python.parents[1].glob("lib/python*/site-packages")
        return found


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Light:
    folder = tmp_path_factory.mktemp("light")
    built = build_wheel(folder)
    _skip_without_index(built)
    (wheel,) = folder.glob("zunft-*.whl")
    venv.create(folder / "venv", with_pip=True)
    light = Light(folder / "venv" / "bin" / "python", folder)
    pins = folder / "pins.txt"  # pip takes hashes of a list of everything alone
    pins.write_text("\n".join(each.plain for each in pins_of((ROOT / "constraints.txt").read_text())))
    installed = subprocess.run(
        [str(light.python), *PIP[1:], "install", "--constraint", str(pins), str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    _skip_without_index(installed)
    return light


def _skip_without_index(done: subprocess.CompletedProcess[str]) -> None:
    unreachable = ("No matching distribution found", "Could not find a version", "NewConnectionError")
    if done.returncode and any(word in done.stderr for word in unreachable):
        pytest.skip(f"no package index within reach: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubProcess, OperatorClient]]:
    """With a stable version that the gate has seen; it is untrained, and nothing is asked of it."""
    with run_hub(tmp_path_factory.mktemp("hub")) as process:
        operator = OperatorClient.open(process.url, process.admin_token)
        skill = new_skill("weld-seam", seed=0, network={"hidden": (8,)})
        operator.publish_skill(skill)
        operator.change_minimum("weld-seam", 0.0)
        release = operator.move_channel("weld-seam", "stable", 1)
        eventually(lambda: operator.release("weld-seam", release.release_id).state == "released", "released")
        yield process, operator


def test_it_is_small_and_has_nothing_of_the_extras(light: Light) -> None:
    ours = [each for each in light.packages().iterdir() if each.name.split("-")[0] not in NOT_OURS]
    size = sum(file.stat().st_size for each in ours for file in (each, *each.rglob("*")) if file.is_file())
    assert size <= LARGEST, f"{size / 1024**2:.0f} MB"
    there = {each.name for each in ours}
    assert not there & {name for names in EXTRAS.values() for name in names}


def _processor_time(*command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_costs_little_more_than_what_prints_it(light: Light) -> None:
    light.run("--help")  # the first time compiles nothing, but files come from the disk
    python, zunft = str(light.python), str(light.python.with_name("zunft"))
    bare, ours = [], []
    for _ in range(5):
        bare.append(_processor_time(python, "-c", "import typer, typer.rich_utils, rich.table, rich.panel"))
        ours.append(_processor_time(zunft, "--help"))
    assert min(ours) < 2 * min(bare)


def test_it_joins_syncs_and_runs_a_skill(light: Light, hub: tuple[HubProcess, OperatorClient]) -> None:
    process, operator = hub
    (token,) = operator.create_tokens(EnrolmentTokenRequest(count=1))
    where = ("--hub", process.url, "--token", token.token)
    light.run("robot", "join", *where, "--name", "cell-4", "--embodiment", "ur5e")
    said = light.run("robot", "run", "--once", "--json").stdout
    (adopted,) = [each for each in map(json.loads, said.splitlines()) if each["phase"] == "adopted"]
    assert adopted["text"].startswith("version 1: on the gate's word, untried")
    status = json.loads(light.run("robot", "status", "--json").stdout)
    assert status["in_use"]["version"] == 1
    (fit,) = operator.fits("weld-seam", "stable", RobotQuery()).items
    assert (fit.name, fit.fits) == ("cell-4", "yes")
    (light.folder / "my_arm.py").write_text(DRIVER.replace("{size}", "37"))
    drive = ("robot", "drive", "--robot", "my_arm:make_robot", "--jobs", "2", "--json")
    jobs = json.loads(light.run(*drive).stdout)["jobs"]
    assert [each["outcome"] for each in jobs] == ["done", "done"]


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("robot use weld-seam", "train"),
        ("robot drive", "train"),
        ("robot personalise", "train"),
        ("task check weld-seam", "train"),
        ("demo", "train"),
        ("hub run", "hub"),
        ("skill export mine.skill --onnx", "onnx"),
    ],
)
def test_what_needs_more_says_what(
    light: Light, hub: tuple[HubProcess, OperatorClient], line: str, extra: str
) -> None:
    if not (light.folder / "zunft-robot").exists():
        test_it_joins_syncs_and_runs_a_skill(light, hub)
    new_skill("weld-seam", seed=0, network={"hidden": (8,)}).save(light.folder / "mine.skill")
    refused = light.run(*line.split(), status=1)
    assert refused.stderr.count("\n") == 1
    assert f"needs zunft[{extra}]: pip install 'zunft[{extra}]'" in refused.stderr
