"""Practice on a real robot: within the owner's limits, and stopped where the loop would stop it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from fleet.own_robot import Guarded
from fleet.place import RobotError
from fleet.robot_folder import RobotFolder
from fleet.runtime.stop import keep_stop, release, stop_of
from fleet.runtime.training import GuardedEnv
from tests.fleet.cells import Line
from tests.fleet.runtime.robots import CONTRACT


class Sensor(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Gives what a test says."""

    number: float | None = None

    def observation(self, observation: NDArray[Any]) -> NDArray[Any]:
        return observation if self.number is None else np.array([self.number], np.float32)


class Rig:
    def __init__(self, folder: Path, settings: str = "") -> None:
        (folder / "settings.toml").write_text(settings)
        self.bench, self.line = RobotFolder(folder), Line()
        self.sensor = Sensor(self.line)
        self.env = GuardedEnv(Guarded(self.sensor), CONTRACT, self.bench)

    def step(self, action: float = 1.0) -> None:
        self.env.step(np.array([action], np.float32))


def test_what_trains_moves_the_robot_no_faster_than_its_owner_allows(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "[runtime]\nmost = { speed = 0.5 }\nslew = { speed = 10.0 }\n")
    for _ in range(2):
        rig.env.reset()
        for _ in range(4):
            rig.step()
    assert rig.line.told == pytest.approx([0.2, 0.4, 0.5, 0.5] * 2)


def test_guards_that_object_again_and_again_stop_it_until_somebody_releases_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "[runtime]\npatience = 3\n")
    rig.env.reset()
    rig.sensor.number = 21.0
    for _ in range(3):
        assert stop_of(rig.bench) == ""
        with pytest.raises(RobotError, match="sensed: place"):
            rig.step()
    rig.sensor.number = None
    for again in (rig.step, rig.env.reset):
        with pytest.raises(RobotError, match="is stopped: sensed"):
            again()
    assert len(rig.line.told) == 3
    release(rig.bench)
    rig.env.reset()
    rig.step()


def test_a_robot_that_fails_is_stopped_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.env.reset()
    rig.sensor.number = np.nan
    with pytest.raises(RobotError):
        rig.step()
    assert stop_of(rig.bench)


def test_no_motion_from_what_is_no_number_nor_while_it_is_stopped(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.env.reset()
    with pytest.raises(RobotError, match="not all of it are numbers"):
        rig.step(np.nan)
    keep_stop(rig.bench, "somebody is inside")
    with pytest.raises(RobotError, match="somebody is inside"):
        rig.step()
    assert rig.line.told == []
