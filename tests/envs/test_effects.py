"""Figures that change nothing are named, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.effects import without_effect
from envs.examine import Idle, RandomPolicy, examine
from envs.task import Task
from tests.envs.bundles import SCENE, small_task

ROBOTS, JOBS = "[robots]", "[jobs]"
POSITION = 'of = "tool.position"\nscale = 0.01'
POST = (
    '<geom name="post" type="box" size=".01 .01 .01" pos="1 0 0" friction="1 .005 .0001"/>'
    '<body name="load"><geom type="box" size=".01 .01 .01" mass="1"/></body></worldbody>'
)


def idle(task: Task) -> list[str]:
    size = task.contract.action_size
    return without_effect(task, "panda", (RandomPolicy(size), Idle(size)), task.horizon, seed=3)


def added(side: str, line: str) -> tuple[str, str]:
    return side, f"{side}\n{line}"


@pytest.mark.parametrize(
    ("side", "figure"),
    [
        (ROBOTS, "low = 0.0, high = 1.0"),
        (ROBOTS, "low = [0.0, 1.0], high = [1.0, 1.0]"),
        (ROBOTS, "nominal = 0.5, limits = [0.0, 1.0]"),
        (ROBOTS, "values = [1, 2, 3]"),
        (JOBS, "low = [0.0, 1.0], high = [1.0, 2.0]"),
        (JOBS, "values = [1, 2]"),
        (JOBS, 'values = ["red", "blue"]'),
    ],
)
def test_a_figure_that_nothing_reads_is_named(side: str, figure: str, tmp_path: Path) -> None:
    assert idle(small_task(tmp_path, added(side, f"colour = {{ {figure} }}"))) == ["colour"]


def test_one_that_is_read_is_not_named_whatever_it_acts_on(tmp_path: Path) -> None:
    task = small_task(
        tmp_path,
        added(ROBOTS, "noise = { nominal = 0.0, limits = [0.0, 0.01] }\nback = { values = [1, 2, 1] }"),
        added(ROBOTS, "off = { low = [0.0, 0.0, 0.0], high = [0.0, 0.0, 0.01] }"),
        added(ROBOTS, "payload = { low = 0.0, high = 1.0 }"),
        added(JOBS, "offset = { low = [0.0, 0.0, -0.01], high = [0.0, 0.0, 0.01] }"),
        (POSITION, f'{POSITION}\nnoise = "noise"\noffset = "off"'),
        ("scale = 0.1\n\n[[action]]", 'scale = 0.1\nnoise = "back"\n\n[[action]]'),
    )
    assert idle(task) == []


def test_one_that_is_always_the_same_is_not_judged(tmp_path: Path) -> None:
    fixed = "a = { nominal = 1.0 }\nb = { low = 1.0, high = 1.0 }\nc = { values = [2] }"
    assert idle(small_task(tmp_path, added(ROBOTS, fixed))) == []


def test_changes_of_what_nothing_touches_are_named(tmp_path: Path) -> None:
    changes = (
        '[[changes]]\nwhat = "friction"\nof = "post"\nby = "grip"\n\n'
        '[[changes]]\nwhat = "mass"\nof = "load"\nby = "load"\n\n'
        '[[changes]]\nwhat = "tilt"\nof = "load"\nby = "lean"\n\n[quantities.high]'
    )
    task = small_task(
        tmp_path,
        added(ROBOTS, "grip = { low = 0.5, high = 1.0 }\nload = { low = 1.0, high = 2.0 }"),
        added(JOBS, "lean = { low = [0.0, -0.1], high = [0.1, 0.1] }"),
        ("[quantities.high]", changes),
        scene=SCENE.replace("</worldbody>", POST),
    )
    assert idle(task) == ["grip", "load", "lean"]


def test_the_checker_advises_and_does_not_refuse(tmp_path: Path) -> None:
    task = small_task(tmp_path, added(ROBOTS, "colour = { low = 0.0, high = 1.0 }"))
    found = next(each for each in examine(task) if each.check == "figures")
    assert found.passed
    assert found.text.startswith("whatever colour may be, the same is sensed, measured and rewarded on panda")
    assert "leave it out" in found.remedy
    clean = next(each for each in examine(small_task(tmp_path / "Clean")) if each.check == "figures")
    assert (clean.passed, clean.remedy) == (True, "")


def test_it_looks_no_further_after_a_few(tmp_path: Path) -> None:
    many = "\n".join(f"colour{number} = {{ low = 0.0, high = 1.0 }}" for number in range(6))
    assert idle(small_task(tmp_path, added(ROBOTS, many))) == ["colour0", "colour1", "colour2"]
