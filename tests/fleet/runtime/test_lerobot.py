"""LeRobot's own base class with a simulated arm on it, and a loop that drives it."""

from __future__ import annotations

import math
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fleet.place import RobotError
from fleet.robot_folder import RobotFolder
from fleet.runtime.counters import Counters
from fleet.runtime.features import Features
from fleet.runtime.guards import Limits
from fleet.runtime.lerobot import LeRobotRobot
from fleet.runtime.loop import Loop
from skills.errors import ContractError
from skills.manifest import Channel, Contract
from tests.fleet.runtime.robots import Hands

ROOT = Path(__file__).parents[3]
PACKAGES = Path(sys.prefix) / "lerobot"  # where `make` puts them: their versions are not ours
if PACKAGES.is_dir() or os.environ.get("CI"):
    sys.path.append(str(PACKAGES))
    from tests.fleet.runtime.lerobot_arm import Arm, ArmConfig, calibrated
else:
    pytest.skip("make puts LeRobot into .venv/lerobot", allow_module_level=True)
if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTRACT = Contract(
    observation=(
        Channel(name="joints", size=2, unit="rad", scale=2.0),
        Channel(name="belt", size=1, unit="m/s", scale=0.5),
    ),
    action=(
        Channel(name="joint_speeds", size=2, unit="rad/s", scale=0.5),
        Channel(name="belt", size=1, unit="m/s", scale=0.5),
    ),
    control_hz=50.0,
)
SETTINGS = """
[lerobot]
over = "done"
success = "done"

[lerobot.observation]
joints = [
  { name = "shoulder.pos", unit = "deg" },
  { name = "elbow.pos", unit = "deg", factor = -1, zero = 30 },
]
belt = [{ name = "belt.vel", unit = "mm/s" }]

[lerobot.action]
joint_speeds = [
  { name = "shoulder.pos", unit = "deg" },
  { name = "elbow.pos", unit = "deg", factor = -1, zero = 30 },
]
belt = [{ name = "belt.vel", unit = "mm/s" }]
"""
PERIOD = 1 / 50


class Wants:
    """Always the same."""

    def __init__(self, *wanted: float) -> None:
        self.wanted = np.array(wanted, np.float32)

    def begin(self) -> Wants:
        return self

    def act(self, _: NDArray[Any]) -> NDArray[np.float32]:
        return self.wanted


@pytest.fixture
def features(tmp_path: Path) -> Features:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return RobotFolder(tmp_path).policy("lerobot", Features)


@pytest.fixture
def arm(tmp_path: Path) -> Arm:
    return calibrated(tmp_path)


def test_the_page_s_settings_can_be_read() -> None:
    (settings,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "lerobot.md").read_text(), re.DOTALL)
    found = Features.model_validate(tomllib.loads(settings)["lerobot"])
    assert {*found.observation, *found.action} == {"joints", "joint_speeds"}


def test_numbers_are_in_the_contract_s_units_and_as_old_as_the_question(arm: Arm, features: Features) -> None:
    clock = Hands()
    robot = LeRobotRobot(arm, features, CONTRACT, clock)
    robot.connect()
    seen = robot.observe()
    rad = math.pi / 180
    assert seen.numbers.tolist() == pytest.approx([10 * rad / 2, 50 * rad / 2, 0])
    assert (seen.taken_at, seen.over, seen.success, seen.busy) == (clock.time, False, None, False)
    sent = robot.send(np.array([0.5, 0.5, 1.0], np.float32))
    step = 0.25 * PERIOD / rad
    assert arm.told[-1] == pytest.approx(
        {"shoulder.pos": 10 + step, "elbow.pos": -20 - step, "belt.vel": 500.0}
    )
    assert sent.tolist() == pytest.approx([0.5, 0.5, 1.0])
    arm.is_done = True
    seen = robot.observe()
    assert (seen.over, seen.success) == (True, True)
    assert float(seen.numbers[2]) == pytest.approx(1.0)


def test_speeds_become_places_that_a_joint_can_follow(arm: Arm, features: Features) -> None:
    arm.lag = 0.9
    clock = Hands()
    robot = LeRobotRobot(arm, features, CONTRACT, clock)
    robot.connect()
    loop = Loop(robot, CONTRACT, Limits(), clock, Counters())
    assert loop.do_job(Wants(0.4, 0.0, 0.0), 100).outcome == "too long"
    moved = math.radians(max(each["shoulder.pos"] for each in arm.told) - 10)
    assert moved == pytest.approx(0.2 * 100 * PERIOD, rel=1e-6), "0.2 rad/s for two seconds"
    assert [each["elbow.pos"] for each in arm.told] == pytest.approx([-20.0] * len(arm.told))


def test_what_the_arm_shortens_is_what_was_sent(tmp_path: Path, features: Features) -> None:
    arm = calibrated(tmp_path, max_relative_target=0.1)
    robot = LeRobotRobot(arm, features, CONTRACT, Hands())
    robot.connect()
    robot.observe()
    sent = robot.send(np.array([1.0, -0.1, 0.0], np.float32))
    assert sent.tolist() == pytest.approx([math.radians(0.1) / PERIOD / 0.5, -0.1, 0.0])


def test_a_joint_that_was_held_up_does_not_leap(arm: Arm, features: Features) -> None:
    arm.stuck = True
    clock = Hands()
    robot = LeRobotRobot(arm, features, CONTRACT, clock)
    robot.connect()
    Loop(robot, CONTRACT, Limits(repeats=10_000), clock, Counters()).do_job(Wants(1.0, 0.0, 0.0), 500)
    furthest = math.radians(max(each["shoulder.pos"] for each in arm.told) - 10)
    assert furthest <= (0.25 + PERIOD) * 0.5 + 1e-9, "a quarter of a second at full speed, and a period"


def test_it_is_held_where_it_is_seen_and_stays_there(arm: Arm, features: Features) -> None:
    robot = LeRobotRobot(arm, features, CONTRACT, Hands())
    robot.connect()
    assert arm.told == [{"shoulder.pos": 10.0, "elbow.pos": -20.0, "belt.vel": 0.0}]
    robot.observe()
    robot.send(np.ones(3, np.float32))
    robot.observe()
    robot.hold()
    held = arm.told[-1]
    assert held["belt.vel"] == 0.0
    assert held == {**arm.places, "belt.vel": 0.0}
    arm.places["shoulder.pos"] -= 5  # it sags; the goal does not sag after it
    robot.observe()
    robot.hold()
    assert arm.told[-1] == held
    robot.disconnect()
    assert not arm.connected
    assert arm.told[-1] == held


@pytest.mark.parametrize("spoilt", ["shoulder.pos", "belt.vel"])
def test_what_is_no_number_never_reaches_the_arm(arm: Arm, features: Features, spoilt: str) -> None:
    clock = Hands()
    robot = LeRobotRobot(arm, features, CONTRACT, clock)
    robot.connect()
    robot.observe()
    robot.send(np.ones(3, np.float32))
    arm.spoilt = spoilt
    job = Loop(robot, CONTRACT, Limits(), clock, Counters()).do_job(Wants(1.0, 1.0, 1.0), 50)
    assert (job.outcome, job.reason.partition(":")[0]) == ("stopped", "finite")
    assert all(math.isfinite(number) for each in arm.told for number in each.values())
    assert arm.told[-1]["belt.vel"] == 0.0


def test_a_cable_that_came_off_is_a_robot_that_is_lost(arm: Arm, features: Features) -> None:
    clock = Hands()
    robot = LeRobotRobot(arm, features, CONTRACT, clock)
    robot.connect()
    arm.lost = True
    job = Loop(robot, CONTRACT, Limits(), clock, Counters()).do_job(Wants(1.0, 1.0, 1.0), 50)
    assert (job.outcome, "DeviceNotConnectedError" in job.reason) == ("stopped", True)
    robot.disconnect()
    with pytest.raises(RobotError, match="not connected"):
        robot.observe()


def test_an_arm_without_its_calibration_is_not_driven(tmp_path: Path, features: Features) -> None:
    arm = Arm(ArmConfig(id="new", calibration_dir=tmp_path))
    with pytest.raises(RobotError, match="not calibrated"):
        LeRobotRobot(arm, features, CONTRACT, Hands()).connect()
    assert (arm.connected, arm.told) == (False, [])


@pytest.mark.parametrize(
    ("said", "instead", "message"),
    [
        ("joints = [", "joint = [", "joints has 2 numbers and 0 features"),
        ('"belt.vel", unit = "mm/s"', '"belt.acc", unit = "mm/s"', "no number 'belt.acc'.*shoulder.pos"),
        ('"belt.vel", unit = "mm/s"', '"front", unit = "mm/s"', "no number 'front'"),
        ('"belt.vel", unit = "mm/s"', '"belt.vel", unit = "deg/s"', "'deg/s' and wanted in 'm/s'"),
        ("factor = -1", "factor = 0", "factor 0"),
        ('{ name = "elbow.pos"', '{ name = "shoulder.pos"', "'elbow.pos' is not named just once"),
        ('over = "done"', 'over = "ended"', "does not observe 'ended'"),
    ],
)
def test_features_that_do_not_fit_are_refused_by_name(
    arm: Arm, tmp_path: Path, said: str, instead: str, message: str
) -> None:
    assert said in SETTINGS
    (tmp_path / "settings.toml").write_text(SETTINGS.replace(said, instead))
    wrong = RobotFolder(tmp_path).policy("lerobot", Features)
    with pytest.raises(ContractError, match=message):
        LeRobotRobot(arm, wrong, CONTRACT, Hands())
