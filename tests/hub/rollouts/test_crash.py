"""A hub that is killed at any line of a roll-out left it before a step or behind it, and another goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRIDE = 15
"""Every fifteenth line keeps this quick; 1 tries them all in some minutes."""
ROOT = Path(__file__).parents[3]


def crash(kind: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.hub.rollouts.crash", kind, str(folder), str(STRIDE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("good", ["done", 2, ["measured", "passed", "finished"], 2]),
        ("bad", ["stopped", 1, ["measured", "failed"], 1]),
    ],
)
def test_a_hub_killed_at_any_line_of_a_rollout_goes_on(
    kind: str, expected: list[object], tmp_path: Path
) -> None:
    found = crash(kind, tmp_path)
    assert found["wrong"] == []
    assert found["expected"][:4] == expected
    assert found["lines"] >= 8
