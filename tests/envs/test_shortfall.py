"""What the checker says where a task cannot be done: which condition, what was reached, which bound."""

from __future__ import annotations

import re
from pathlib import Path

from envs.examine import Finding, examine
from envs.task import Task
from tests.envs.bundles import small_task

ASIDE = ("[quantities.high]", "offset = { nominal = [0.0, 0.0, -0.05] }\n\n[quantities.high]")
ASTRAY = ("gain = -4.0", "gain = 4.0")


def unsolved(task: Task) -> Finding:
    return next(each for each in examine(task) if each.check == "solvable on ur5e")


def test_a_condition_on_steps_is_named_with_what_was_reached(tmp_path: Path) -> None:
    finding = unsolved(small_task(tmp_path, ASIDE, ASTRAY))
    assert finding.text.startswith("p succeeds in 0% of the episodes; at least 50% are asked for. ")
    assert (
        "In the steps `high` below 0.01 holds in 0%; 100% are asked for (at the end it is 0." in finding.text
    )
    assert finding.text.endswith(".")
    assert finding.remedy.startswith("Improve the controller [scripted.p] or ease `high` below 0.01 ")


def test_a_condition_on_the_end_and_a_failure_are_named(tmp_path: Path) -> None:
    success = ('steps = [{ of = "high", below = 0.01 }]', 'end = [{ of = "high", below = 0.01 }]')
    finding = unsolved(small_task(tmp_path / "End", ASIDE, ASTRAY, success))
    assert re.search(
        r"At the end `high` below 0\.01 holds in 0% of the episodes \(half of them reach 0\.\d+\)\.",
        finding.text,
    )
    failing = ("[scripted.p]", '[[failure]]\nof = "high"\nabove = 0.055\n\n[scripted.p]')
    found = unsolved(small_task(tmp_path / "Failing", ASIDE, ASTRAY, success, failing))
    assert "`high` above 0.055 ends 100% of the episodes as failures." in found.text
