"""What the large run of roll-outs recorded is what was asked for, and its tables say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.rollout_report import ARMS, RESULT, robots_table, summary

if not RESULT.exists():
    pytest.skip("not recorded yet: make rollout", allow_module_level=True)
FOUND: dict[str, Any] = json.loads(RESULT.read_text())
ROBOTS: list[dict[str, Any]] = FOUND["failing"]["robots"]


def test_a_tenth_at_most_ever_used_the_bad_version_and_nobody_does_now() -> None:
    assert len(ROBOTS) == 200
    assert FOUND["failing"]["state"] == "stopped"
    assert 0 < sum(each["used_2"] for each in ROBOTS) <= 20
    assert {each["uses"] for each in ROBOTS} == {1}
    assert sum(each["away"] for each in ROBOTS) == 60
    assert sum(each["jobs_2_after_return"] for each in ROBOTS) == 0


def test_the_rollback_reaches_everybody_who_asks_within_a_minute() -> None:
    there = [each["back_after"] for each in ROBOTS if each["used_2"] and not each["away"]]
    assert max(there) <= 60


def test_the_tables_have_every_embodiment_and_every_robot() -> None:
    assert all(f"| {arm} |" in summary(FOUND) for arm in (*ARMS, "all"))
    assert robots_table(FOUND).count("\n") == 1 + len(ROBOTS)
