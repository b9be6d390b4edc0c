"""`zunft robot health` says how the machine fares, and that somebody has looked after it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from fleet.health.watch import HOME, Health
from fleet.robot_folder import RobotFolder
from skills.messages.health import HealthState
from tests.fleet.health.test_watch import NOW, after, jobs_of
from zunft.cli import app


def said(home: Path, *more: str) -> str:
    found = CliRunner().invoke(app, ["robot", "health", "--skill", "reach", "--home", str(home), *more])
    assert found.exit_code == 0, found.output
    return found.output


def test_it_says_what_it_knows_and_learns_anew_after_somebody_looked(tmp_path: Path) -> None:
    bench = RobotFolder(tmp_path)
    assert "No job" in said(tmp_path)
    bench.keep_note("reach", "health", after(jobs_of(0, HOME - 5)))
    assert f"{HOME - 5} of {HOME}" in said(tmp_path)
    worn = after(jobs_of(1, 20) + np.array([0.0, 9.0, 0.0]), after(jobs_of(0, 60)))
    bench.keep_note("reach", "health", worn)
    assert "friction-2" in said(tmp_path)
    facts = json.loads(said(tmp_path, "--json"))
    assert (facts["worn_since"], facts["jobs"]) == (NOW.isoformat().replace("+00:00", "Z"), 80)
    assert len(facts["distances"]) == 50
    said(tmp_path, "--renew")
    assert bench.note("reach", "health", Health).state == HealthState()
