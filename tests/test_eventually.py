from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import eventually as waiting
from tests.eventually import eventually

TESTS = Path(__file__).parent
STAND_INS = {"hub/proxy.py", "hub/replica.py", "chaos/proxy.py", "chaos/robot.py"}
"""What tests meet: slow lines, a robot, a trap in a process of its own."""
COROUTINES = {"hub/storage/test_group_commit.py"}
"""They may not block the loop that they wait for."""


def test_the_first_true_answer_is_given() -> None:
    answers = iter([0, 0, 7])
    assert eventually(lambda: next(answers)) == 7


def test_what_never_comes_fails_and_says_what_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    with pytest.raises(AssertionError, match="nothing but air"):
        eventually(lambda: False, lambda: "nothing but air")


def test_the_dead_are_not_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"for the dead\): a word"):
        eventually(lambda: False, "a word", alive=lambda: False)


def test_no_other_test_polls_in_a_way_of_its_own() -> None:
    polling = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py") if polls(path)}
    assert polling == {"eventually.py", *STAND_INS, *COROUTINES}


def polls(path: Path) -> bool:
    """Whether a loop of it only sleeps, or only looks whether it may go on."""
    loops = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.While)]
    return any(sleeps(loop) or all(isinstance(each, ast.Assert) for each in loop.body) for loop in loops)


def sleeps(loop: ast.While) -> bool:
    calls = [node for each in loop.body for node in ast.walk(each) if isinstance(node, ast.Call)]
    return any(ast.unparse(call.func).endswith("sleep") for call in calls)
