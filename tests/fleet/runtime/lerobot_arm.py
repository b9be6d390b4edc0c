"""A simulated arm on LeRobot's own base class, as its makers write theirs: places in degrees, a camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError
from lerobot.motors import MotorCalibration
from lerobot.robots import Robot, RobotConfig

__all__ = ["Arm", "ArmConfig", "calibrated"]

JOINTS = ("shoulder", "elbow")


@RobotConfig.register_subclass("zunft_test_arm")
@dataclass(kw_only=True)
class ArmConfig(RobotConfig):  # type: ignore[misc]  # it has no types
    max_relative_target: float = 180.0


class Arm(Robot):  # type: ignore[misc]  # it has no types
    """Is with each look where it was told to be, but for the share `lag` of the way; never if `stuck`."""

    config_class = ArmConfig
    name = "zunft_test_arm"

    def __init__(self, config: ArmConfig) -> None:
        super().__init__(config)
        self.config = config
        self.places = {"shoulder.pos": 10.0, "elbow.pos": -20.0}
        self.goals = dict(self.places)
        self.speed = 0.0
        self.told: list[dict[str, float]] = []
        self.lag = 0.0
        self.stuck = self.connected = self.lost = self.is_done = False
        self.spoilt: str = ""

    @cached_property
    def observation_features(self) -> dict[str, Any]:
        return dict.fromkeys((*self.places, "belt.vel", "done"), float) | {"front": (4, 4, 3)}

    @cached_property
    def action_features(self) -> dict[str, Any]:
        return dict.fromkeys((*self.places, "belt.vel"), float)

    @property
    def is_connected(self) -> bool:
        return self.connected

    def connect(self, calibrate: bool = True) -> None:
        if self.connected:
            raise DeviceAlreadyConnectedError("twice")
        self.connected = True
        if calibrate:
            self.calibrate()

    @property
    def is_calibrated(self) -> bool:
        return set(self.calibration) == set(JOINTS)

    def calibrate(self) -> None:
        raise AssertionError("nobody is there to move the arm by hand")

    def configure(self) -> None: ...

    def get_observation(self) -> dict[str, Any]:
        if self.lost or not self.connected:
            raise DeviceNotConnectedError("the cable")
        if not self.stuck:
            for name, goal in self.goals.items():
                self.places[name] += (1 - self.lag) * (goal - self.places[name])
        found = self.places | {"belt.vel": self.speed, "done": float(self.is_done)}
        return found | {"front": np.zeros((4, 4, 3))} | ({self.spoilt: np.nan} if self.spoilt else {})

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        if not self.connected:
            raise DeviceNotConnectedError("the cable")
        most = self.config.max_relative_target
        self.goals = {
            name: float(np.clip(action[name], place - most, place + most))
            for name, place in self.places.items()
        }
        self.speed = action["belt.vel"]
        self.told.append(self.goals | {"belt.vel": self.speed})
        return dict(self.told[-1])

    def disconnect(self) -> None:
        self.connected = False


def calibrated(folder: Path, **settings: Any) -> Arm:
    """One whose calibration lies where LeRobot's base class looks for it."""
    first = Arm(ArmConfig(id="bench", calibration_dir=folder))
    first.calibration = {name: MotorCalibration(1, 0, 0, 0, 4095) for name in JOINTS}
    first._save_calibration()
    return Arm(ArmConfig(id="bench", calibration_dir=folder, **settings))
