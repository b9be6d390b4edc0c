"""Two halls killed at any line of what is between them: each delta counts once, and the same comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STRIDES = [113, pytest.param(29, marks=pytest.mark.thorough)]
"""1 would try every line, in some minutes."""
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("stride", STRIDES)
def test_halls_killed_at_any_line_go_on(stride: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.zunft.halls.crash", str(tmp_path), str(stride)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["lines"] >= 250 // stride
    _, deltas, rounds, counts, is_done = found["expected"]
    assert [each[1:] for each in deltas] == [[2, 21]]
    assert rounds == [["handed", deltas[0][0]]]
    assert counts == [1, 2, 2, 3]
    assert is_done
