"""Attacks on a robot that is a process of its own, as its owner starts it, by a hub that lies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from fleet.membership import join
from fleet.robot_folder import RobotFolder
from skills.skill import Skill
from tests.eventually import eventually
from tests.fleet.lying_hub import LyingHub
from tests.signed_guild import TOKEN, online_of
from zunft.new_skill import new_skill

QUICK = {
    "ZUNFT_ROBOT_LOOK_SECONDS": "0",
    "ZUNFT_ROBOT_POLL_SECONDS": "0.05",
    "ZUNFT_ROBOT_BACKOFF_SECONDS": "0.05",
    "ZUNFT_ROBOT_BACKOFF_CAP_SECONDS": "0.1",
    "ZUNFT_ROBOT_REHEARSAL_EPISODES": "1",
    "ZUNFT_ROBOT_TOLERANCE": "1",
    "PYTHONUNBUFFERED": "1",
}


def version(number: int) -> Skill:
    first = new_skill("weld-seam", seed=number, network={"hidden": (8,)})
    return Skill(first.manifest.model_copy(update={"version": number}), first.tensors)


class Robot:
    """`zunft robot run` in a folder of its own, and what can be seen of it from outside."""

    def __init__(self, hub: LyingHub, home: Path) -> None:
        self.hub, self.bench = hub, RobotFolder(home)
        join(self.bench, hub.url, token=TOKEN, name="anna", embodiment="ur5e")
        plain = {name: text for name, text in os.environ.items() if not name.startswith("ZUNFT_")}
        self.log = home / "said"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "zunft", "robot", "run", "--home", str(home)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=plain | QUICK,
            )

    @property
    def in_use(self) -> int:
        found = self.bench.memory("weld-seam").in_use
        return found.version if found else 0

    def wait(self, what: Callable[[], object]) -> None:
        eventually(what, self.log.read_text, alive=lambda: self.process.poll() is None)

    def uses(self, number: int) -> None:
        self.wait(lambda: self.in_use == number)

    def tells(self, code: str) -> None:
        """It refuses, and says why to its hub."""
        self.wait(lambda: any(each.code == code for each in self.hub.told))

    def looks(self) -> None:
        """It has looked twice more, so that one whole look came after whatever was changed."""
        asked = len(self.hub.requests)
        self.wait(lambda: sum("timestamp" in each for each in self.hub.requests[asked:]) > 1)


@pytest.fixture
def robot(hub: LyingHub, tmp_path: Path) -> Robot:
    hub.publish(version(1))
    robot = Robot(hub, tmp_path)
    robot.uses(1)
    return robot


def test_a_robots_process_withstands_a_hub_that_lies(hub: LyingHub, robot: Robot) -> None:
    old = dict(hub.guild.files)
    hub.publish(version(2))
    robot.uses(2)
    new, hub.guild.files, hub.frozen = dict(hub.guild.files), old, True
    robot.tells("rolled_back")  # metadata of before are played back
    hub.guild.files, hub.stable = new, 3
    evil = hub.publish(version(3))  # a candidate that nobody signed is served as stable
    robot.looks()
    del hub.versions[3]
    hub.stable = 2
    hub.guild.age = timedelta(days=2)  # nothing newer than yesterday's comes through
    hub.guild.publish(hub.versions, 2)
    robot.tells("expired")
    hub.guild.age = timedelta(0)
    stolen = hub.guild.online
    hub.guild.rotate(online_of(2))
    hub.guild.publish(hub.versions, 2)
    robot.looks()
    hub.versions[3], hub.stable = evil, 3  # the stolen key signs the thief's version
    hub.guild.publish(hub.versions, 3, counter=2**40, signers=stolen)
    robot.tells("not_what_was_signed")
    assert robot.in_use == 2
    assert not any("versions/3" in each for each in hub.requests)
    hub.guild.publish(hub.versions, 3)  # no refusal is for ever: the guild itself says so now
    robot.uses(3)
    robot.process.send_signal(signal.SIGTERM)
    assert robot.process.wait(timeout=60) == 0
