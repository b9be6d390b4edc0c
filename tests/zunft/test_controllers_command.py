"""`zunft task controllers`: the task's own ones on the leaderboards' jobs, and which of them is told."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from envs.evaluate import evaluate_held_out, pool
from envs.scripted import controller
from envs.task import load_task
from skills.errors import RequestError
from skills.messages.leaderboards import BOARD
from tests.envs.bundles import SMALL, small_bundle
from zunft.cli import app

TWIN = '[[twin]]\nname = "late"\nof = "delay"\nscale = 1.0\n\n[[action]]'
BESIDE = """
[scripted.slow.phases.wait]
longest = 0.1

[scripted.slow.phases.go]
act.velocity = [{ of = "position", gain = -1.0 }]

[oracle]
velocity = [{ of = "position", gain = -8.0 }]
"""


def test_each_is_scored_on_the_jobs_of_the_leaderboards_and_told_ones_are_marked(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "Bundle", toml=SMALL.replace("[[action]]", TWIN, 1) + BESIDE)
    result = CliRunner().invoke(app, ["task", "controllers", str(bundle), "--json"])
    assert result.exit_code == 0, result.exception
    found = {each.pop("name"): each for each in json.loads(result.stdout)["controllers"]}
    assert {name: each["kind"] for name, each in found.items()} == {
        "p": "fixed",
        "slow": "adaptive",
        "oracle": "told",
    }
    task = load_task(bundle)
    again = pool(evaluate_held_out(controller("slow", task), task, BOARD.draws()).values())
    score = found["slow"]["score"]
    assert (score["score"], score["episodes"]) == (again.score, again.episodes)
    shown = CliRunner().invoke(app, ["task", "controllers", str(bundle)], env={"COLUMNS": "120"})
    assert "is told what no robot knows" in shown.stdout


def test_a_task_without_controllers_is_named(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "Bundle", toml=SMALL.partition("[scripted.p]")[0])
    result = CliRunner().invoke(app, ["task", "controllers", str(bundle)])
    assert isinstance(result.exception, RequestError)
    assert "brings no controller" in str(result.exception)
