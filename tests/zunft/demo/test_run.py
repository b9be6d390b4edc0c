"""The whole way of the data, for real: a hub process, four robots in two processes, two newcomers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envs.bundle import bundle_names
from envs.task import load_task
from skills.errors import RequestError
from skills.policy import Policy
from skills.skill import Skill
from zunft.cli import app
from zunft.demo.run import _unseen_robots, _workshops, full_plan


def test_the_fast_demo_runs_the_whole_way(tmp_path: Path) -> None:
    result_file, output = tmp_path / "result.json", tmp_path / "out"
    command = [sys.executable, "-m", "zunft", "demo", "--fast", "--json", str(result_file)]
    finished = subprocess.run(
        [*command, "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "160"},
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads(result_file.read_text())
    assert [row["embodiment"] for row in result["fleet"]] == ["ur5e", "panda", "iiwa", "xarm7"]
    assert [row["embodiment"] for row in result["unseen"]] == ["kinova3", "sawyer"]
    assert result["rounds"] == 2 == len(result["guild_by_round"])
    assert result["steps_per_robot"] > 0
    assert result["bytes_sent_per_robot"] > 50_000  # two deltas of fp16
    assert result["hub_peak_mb"] > 0
    assert "scripted pd-look-ahead" in finished.stdout
    guild = Skill.load(output / "robots" / "guild.skill")
    assert guild.manifest.contributors == 4
    assert Policy(guild).contract.control_hz == 50
    assert (output / "result.svg").stat().st_size > 10_000
    assert "zunft merge rebuild weld-seam@stable" in finished.stdout
    for version in ("v2", "v3"):
        again = ["merge", "rebuild", f"weld-seam@{version}", "--data-dir", str(output / "hub")]
        assert CliRunner().invoke(app, again).exit_code == 0


def test_a_demo_of_a_folder_says_how_to_name_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--task", "./stack-bricks", "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, RequestError)
    assert "ZUNFT_TASKS" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", bundle_names())
def test_a_demo_of_any_task_has_four_robots_and_others_that_do_not_train(name: str) -> None:
    admitted = load_task(name).file.embodiments
    trained = full_plan(name, seed=0).order.gate.embodiments
    assert set(trained) <= set(admitted)
    assert len(_workshops(name)) == 4
    unseen = _unseen_robots(name)
    assert set(unseen) <= set(admitted)
    assert set(unseen) & set(trained) == (set() if len(admitted) > 4 else set(admitted))
