"""Recordings read back with the `mcap` package's own reader; bounded, and never in the way of the work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from fleet.runtime import recording
from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Loop
from fleet.runtime.recording import RecordedRobot
from skills.manifest import Contract
from tests.fleet.runtime.robots import CONTRACT, Always, Cart, Hands

METRES = Contract(
    observation=(CONTRACT.observation[0].model_copy(update={"scale": 0.5}),),
    action=CONTRACT.action,
    control_hz=CONTRACT.control_hz,
)


class Rig:
    def __init__(self, folder: Path, files: int = 100, length: int = 4) -> None:
        self.clock = Hands()
        self.cart = Cart(self.clock, length)
        self.robot = RecordedRobot(self.cart, METRES, folder, self.clock.now, files)

    def job(self) -> str:
        loop = Loop(self.robot, METRES, Limits(), self.clock, Counters())
        return loop.do_job(Always(), 100).outcome


def messages(path: Path) -> list[tuple[str, dict[str, object]]]:
    with path.open("rb") as file:
        return [
            (channel.topic, json.loads(message.data))
            for _, channel, message in make_reader(file).iter_messages()
        ]


def test_a_job_is_a_file_that_others_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert rig.job() == "done"
    (path,) = tmp_path.iterdir()
    found = messages(path)
    assert [topic for topic, _ in found] == ["/observation", "/action"] * 4 + ["/observation"]
    assert found[2][1]["place"] == pytest.approx([0.5 * 0.01])  # in metres
    assert found[3][1] == {"hold": False, "speed": [0.5]}
    assert (found[-1][1]["over"], found[-1][1]["success"]) == (True, True)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    schemas = {each.name: json.loads(each.data) for each in summary.schemas.values()}
    assert schemas["observation"]["properties"]["place"]["description"] == "m"
    assert {each.encoding for each in summary.schemas.values()} == {"jsonschema"}


def test_a_number_that_is_none_is_written_as_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.cart.spoils = np.nan
    assert rig.job() == "unknown"
    (path,) = tmp_path.iterdir()
    assert messages(path)[0][1]["place"] == [None]


def test_the_newest_files_alone_are_kept_and_none_grows_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MESSAGES", 5)
    rig = Rig(tmp_path, files=2)
    names = []
    for _ in range(4):
        rig.cart.periods = 0
        rig.job()
        names.append(max(path.name for path in tmp_path.iterdir()))
    assert sorted(path.name for path in tmp_path.iterdir()) == names[-2:]
    assert len(messages(tmp_path / names[-1])) == 5


def test_a_disk_that_takes_nothing_does_not_end_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Rig(tmp_path / "file" / "folder").job() == "done"


def test_what_was_begun_is_written_when_the_robot_is_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.robot.observe()
    rig.robot.disconnect()
    assert len(list(tmp_path.iterdir())) == 1
