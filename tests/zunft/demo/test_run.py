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
from skills.messages.plans import TrainingPlan
from skills.policy import Policy
from skills.skill import Skill
from zunft.cli import app
from zunft.demo.plan import fast_plan, full_plan


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


@pytest.mark.thorough  # shorter: tests/fleet/test_masters.py, and the demo above
def test_where_masters_teach_they_are_the_lone_policies(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zunft", "demo", "--fast", "--task", "swing-load"]
    finished = subprocess.run(
        [*command, "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "160"},
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    for robot in ("ada", "bela", "cleo", "dora"):
        lone = Skill.load(tmp_path / "robots" / f"{robot}.skill")
        assert (tmp_path / "robots" / robot / "swing-load.master.skill").read_bytes() == lone.to_bytes()
        assert lone.manifest.samples > 0
    assert result["master_steps"] > 0 < result["steps_per_robot"]
    assert [list(row["scripted"]) for row in result["unseen"]] == [["feedback", "adaptive", "oracle"]] * 2
    assert result["told"] == ["oracle"]
    assert "alone for its master" in finished.stdout
    assert "oracle (told)" in finished.stdout
    assert "the task's best controller, adaptive," in finished.stdout


def test_a_demo_of_a_folder_says_how_to_name_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--task", "./stack-bricks", "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, RequestError)
    assert "ZUNFT_TASKS" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_demo_orders_what_the_task_advises() -> None:
    usual, taught = full_plan("weld-seam", seed=0), full_plan("swing-load", seed=0)
    assert usual.order.training == load_task("weld-seam").file.training.order().training
    assert (usual.order.rounds, usual.alone) == (16, (usual.order.training, 16))
    advice = load_task("swing-load").file.training.order()
    assert advice.training.master_iterations == advice.rounds == taught.order.rounds
    assert (taught.alone, taught.order.merge) == ((TrainingPlan(iterations=1), 60), advice.merge)
    assert taught.order.training.variates
    short = fast_plan("swing-load", seed=0)
    assert (short.order.rounds, short.order.training.master_iterations) == (2, 2)


@pytest.mark.parametrize("name", bundle_names())
def test_a_demo_of_any_task_has_four_robots_and_others_that_do_not_train(name: str) -> None:
    admitted = load_task(name).file.embodiments
    plan = full_plan(name, seed=0)
    trained = plan.order.gate.embodiments
    assert set(trained) <= set(admitted)
    assert len(plan.homes()) == 4
    unseen = [each.embodiment for each in plan.newcomers()]
    assert set(unseen) <= set(admitted)
    assert set(unseen) & set(trained) == (set() if len(admitted) > 4 else set(admitted))
