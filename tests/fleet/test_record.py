"""`zunft robot record` and `robot master --episodes`: from somebody who knows how to what is learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envs.scripted import Scripted, controller
from envs.task import load_task
from fleet.episodes import Episodes, load_episodes
from fleet.masters import master_of
from fleet.robot_folder import RobotFolder
from tests.fleet.test_usage import Zunft, bench, zunft

__all__ = ["bench", "zunft"]

OWN = "tests.fleet.own_robots:make_good"
PLAYER = "tests.fleet.test_record:make_player"


def make_player() -> Scripted:
    return controller("pd-look-ahead", load_task("weld-seam"))


def make_nothing() -> int:
    return 1


@pytest.mark.parametrize("who", ["--controller pd-look-ahead", f"--env {OWN} --player {PLAYER}"])
def test_what_was_recorded_becomes_the_master(
    bench: RobotFolder, zunft: Zunft, tmp_path: Path, who: str
) -> None:
    file = tmp_path / "mine.episodes"
    status, said = zunft(f"robot record --skill weld-seam {who} --episodes 2 -o {file} --json")
    found = json.loads(said)
    recording = load_episodes(file)
    assert status == 0
    assert (found["episodes"], found["steps"], found["task"]) == (2, recording.steps, "weld-seam")
    assert found["succeeded"] == sum(bool(each.success) for each in recording.episodes) == 2
    status, said = zunft(f"robot master --skill weld-seam --episodes {file}")
    assert status == 0
    assert "2 recorded episodes" in said
    assert isinstance(master_of(bench, load_task("weld-seam")), Episodes)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("", 1),
        ("--controller p --player a:b", 1),
        ("--controller best", 1),
        (f"--player {PLAYER.replace('player', 'nothing')}", 1),
        ("--controller p --episodes 0", 2),
    ],
)
def test_nothing_is_written_where_nobody_can_act(
    bench: RobotFolder, zunft: Zunft, tmp_path: Path, who: str, status: int
) -> None:
    file = tmp_path / "none.episodes"
    assert zunft(f"robot record --skill weld-seam {who} -o {file}")[0] == status
    assert not file.exists()
    assert not list(bench.home.glob("*.master.*"))
