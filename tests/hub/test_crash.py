"""What was acknowledged survives `kill -9` at any line, and a second process comes to the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRIDES = [37, pytest.param(12, marks=pytest.mark.thorough)]
"""Every 37th line keeps this quick; 1 would try them all in some minutes."""
WIDE = [67, pytest.param(29, marks=pytest.mark.thorough)]
ROOT = Path(__file__).parents[2]


def crash(scenario: str, folder: Path, stride: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.hub.crash", scenario, str(folder), str(stride)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize(
    ("scenario", "lines", "rounds"),
    [
        ("engine", 144, ["published", "open"]),
        ("ahead", 120, ["rejected", "failed"]),
        ("admission", 60, ["published", "open"]),
        ("uploads", 144, ["published", "open"]),
    ],
)
def test_a_hub_killed_at_any_line_goes_on(
    scenario: str, lines: int, rounds: list[str], stride: int, tmp_path: Path
) -> None:
    found = crash(scenario, tmp_path, stride)
    assert found["wrong"] == []
    assert found["lines"] >= lines // stride
    assert [found["expected"][1], found["expected"][0], found["expected"][3]] == [2, *rounds]


@pytest.mark.parametrize("stride", WIDE)
def test_a_hub_killed_at_any_line_of_forgetting_a_robot_goes_on(stride: int, tmp_path: Path) -> None:
    found = crash("withdrawal", tmp_path, stride)
    assert found["wrong"] == []
    assert found["lines"] >= 232 // stride
    assert found["expected"][:2] == ["done", ["rebuilt", "ended"]]
