"""What was acknowledged survives `kill -9` at any line, and a second process comes to the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRIDE = 12  # every twelfth line keeps this quick; 1 tries them all in some minutes
WIDE = 29
ROOT = Path(__file__).parents[2]


def crash(scenario: str, folder: Path, stride: int = STRIDE) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.hub.crash", scenario, str(folder), str(stride)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("scenario", "least", "rounds"),
    [
        ("engine", 12, ["published", "open"]),
        ("ahead", 10, ["rejected", "failed"]),
        ("admission", 5, ["published", "open"]),
        ("uploads", 12, ["published", "open"]),
    ],
)
def test_a_hub_killed_at_any_line_goes_on(
    scenario: str, least: int, rounds: list[str], tmp_path: Path
) -> None:
    found = crash(scenario, tmp_path)
    assert found["wrong"] == []
    assert found["lines"] >= least
    assert [found["expected"][1], found["expected"][0], found["expected"][3]] == [2, *rounds]


def test_a_hub_killed_at_any_line_of_forgetting_a_robot_goes_on(tmp_path: Path) -> None:
    found = crash("withdrawal", tmp_path, WIDE)
    assert found["wrong"] == []
    assert found["lines"] >= 8
    assert found["expected"][:2] == ["done", ["rebuilt", "ended"]]
