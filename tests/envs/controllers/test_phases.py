"""Controllers with phases, limits and memory: what they do step by step, and a board that is wiped so."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from envs.evaluate import evaluate_many, pool
from envs.examine import examine, shops_of
from envs.scripted import controller, controllers
from envs.task import Task, load_task
from skills.errors import ContractError
from tests.envs.bundles import copied, small_task

PLAIN = 'velocity = [{ of = "position", gain = -4.0 }]'
HEAD = "[scripted.p]\n" + PLAIN
STEP = 0.02


def with_controller(folder: Path, text: str) -> Task:
    return small_task(folder / "Bundle", (HEAD, text))


def driven(task: Task, *places: float) -> list[float]:
    """What the controller asks for in x, m/s, at these x one after the other."""
    player = controller("p", task).begin()
    return [round(float(player.act(np.array([x / 0.01, 0, 0, 0, 0, 0]))[0]) * 0.1, 6) for x in places]


PHASES = """\
[scripted.p]
act.velocity = [{ value = [0.001, 0.0, 0.0] }]
limits.velocity = 0.05

[scripted.p.phases.near]
act.velocity = [{ of = "position", gain = -1.0 }]
limits.velocity = 0.03
until = [{ of = "position", below = 0.01 }, { of = "velocity", below = 1.0 }]

[scripted.p.phases.wait]
longest = 0.04

[scripted.p.phases.away]
act.velocity = [{ value = [1.0, 0.0, 0.0] }]
"""


def test_phases_follow_each_other_and_what_they_command_is_limited(tmp_path: Path) -> None:
    task = with_controller(tmp_path, PHASES)
    assert controller("p", task).kind == "adaptive"
    # Far, near by; then as long as it says, whatever is seen; then for good.
    assert driven(task, 0.2, 0.02, 0.005, 0.2, 0.2, 0.005) == pytest.approx(
        [-0.03, -0.019, 0.001, 0.001, 0.05, 0.05]
    )


def test_jobs_side_by_side_have_phases_of_their_own_and_begin_anew(tmp_path: Path) -> None:
    task = with_controller(tmp_path, PHASES)
    first = controller("p", task)
    both = np.zeros((2, 6))
    both[:, 0] = 20.0, 0.5
    assert first.act(both)[:, 0] == pytest.approx([-0.3, 0.01])
    both[:, 0] = 20.0, 20.0
    assert first.act(both)[:, 0] == pytest.approx([-0.3, 0.01])
    assert first.begin().act(both)[:, 0] == pytest.approx([-0.3, -0.3])
    with pytest.raises(ContractError, match="3 observations after 2"):
        first.act(np.zeros((3, 6)))


def test_blocks_are_read_as_observations_are_and_so_are_clocks(tmp_path: Path) -> None:
    task = with_controller(
        tmp_path,
        """\
[scripted.p]
act.velocity = [{ of = "calm", gain = -1.0 }, { value = [0.01, 0, 0], times = ["clock.job"] }]

[scripted.p.blocks.moving]
kind = "rate"
of = "position"

[scripted.p.blocks.calm]
kind = "smooth"
of = "moving"
share = 0.5
""",
    )
    assert driven(task, 0.0, 0.001, 0.001) == pytest.approx([0, -0.025 + 0.0002, -0.0125 + 0.0004])


def test_a_probing_motion_is_a_table_by_the_clock_and_makes_the_controller_one_with_memory(
    tmp_path: Path,
) -> None:
    probe = "{ by = ['clock.job'], at = [[0.0, 0.02, 0.04]], gain = [0.0, 1.0, 0.0] }"
    task = with_controller(
        tmp_path, f"[scripted.p.act]\nvelocity = [{{ value = [0.05, 0, 0], schedule = {probe} }}]\n"
    )
    assert driven(task, 0, 0, 0, 0) == pytest.approx([0, 0.05, 0, 0])
    assert driven(task, 0, 0) == pytest.approx([0, 0.05])


BLOCK = """\
[scripted.p]
act.velocity = []

[scripted.p.blocks.a]
kind = "smooth"
of = "position"
share = 1.0
"""
MANY = "".join(f'\n[scripted.p.blocks.b{n}]\nkind = "rate"\nof = "a"\n' for n in range(16))
ACT = "act.velocity = []"


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        (BLOCK.replace('"smooth"', '"magic"'), "hold", "[scripted.p.blocks.a]"),
        (BLOCK.replace("share = 1.0", "share = 2.0"), "less than or equal to 1", "share"),
        (BLOCK.replace('"position"', '"posture"'), "no observation 'posture'", "[scripted.p.blocks.a]"),
        (BLOCK.replace("blocks.a", "blocks.velocity"), "an observation has that", "[scripted.p.blocks.vel"),
        (BLOCK.replace("= []", '= [{ of = "b" }]'), "no observation 'b'", "act.velocity"),
        (BLOCK.replace("act.velocity", "act.speed"), "no action 'speed'", "act.speed"),
        (BLOCK.replace(ACT, f"limits.speed = 1.0\n{ACT}"), "'speed'", "limits.speed"),
        (BLOCK.replace(f"{ACT}\n", ""), "give act, phases or both; or oracle", "[scripted.p]"),
        (BLOCK.replace(ACT, 'oracle.x = "a"'), "no oracle", "[scripted.p]"),
        (PHASES.replace("longest = 0.04", ""), "'wait' never ends", "[scripted.p]"),
        (f"{PHASES}longest = 1.0", "'away' is the last", "[scripted.p]"),
        (PHASES.replace('of = "velocity", below', 'of = "speed", below'), "no observation 'speed'", "until"),
        (BLOCK + MANY, "at most 16", ""),
        (PHASES.replace("longest = 0.04", "longest = 0.04\nimport = 'os'"), "not permitted", "import"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str, said: str, line: str) -> None:
    with pytest.raises(ContractError) as caught:
        with_controller(tmp_path, text)
    assert said in str(caught.value)
    lines = (tmp_path / "Bundle" / "task.toml").read_text().splitlines()
    assert line in lines[int(caught.value.where.rpartition(":")[2]) - 1]


TWIN = """\
[[twin]]
name = "late"
of = "delay"
scale = 2.0

[[twin]]
name = "where"
of = "heading"
scale = 1.0

[[action]]"""
ORACLE = f"""\
[scripted.p]
oracle.late = "guess"

[scripted.p.blocks.guess]
kind = "mix"
parts = [{{ value = [3.0] }}]

[oracle]
{PLAIN}
"""


def test_who_is_told_estimates_acts_as_the_oracle_would(tmp_path: Path) -> None:
    late = ORACLE.replace("gain = -4.0", 'gain = -4.0, times = ["late"]')
    task = small_task(tmp_path / "Bundle", (HEAD, late), ("[[action]]", TWIN))
    assert driven(task, 0.001, -0.002) == pytest.approx([-0.012, 0.024])
    told = controllers(task)["oracle"]
    assert told.told
    assert told.label == "oracle (told)"
    assert told.act(np.array([0.1, 0, 0, 0, 0, 0, 0.5, 7.0]))[0] * 0.1 == pytest.approx(-0.004)
    (found,) = [each for each in examine(task) if each.check == "controllers"]
    assert re.fullmatch(r"on ur5e: p \(adaptive\) \d+%, oracle \(told\) \d+%", found.text)
    with pytest.raises(ContractError, match=r"no \[\[twin\]\] that could tell it"):
        small_task(tmp_path / "Untold", (HEAD, f"{HEAD}\n\n[oracle]\n{PLAIN}"))
    both = ORACLE.replace("gain = -4.0", 'gain = -4.0, times = ["late", "where"]')
    with pytest.raises(ContractError, match="the oracle reads 'where', too"):
        small_task(tmp_path / "Both", (HEAD, both), ("[[action]]", TWIN))
    with pytest.raises(ContractError, match="no thing that the twin knows 'soon'"):
        small_task(
            tmp_path / "Soon", (HEAD, late.replace("oracle.late", "oracle.soon")), ("[[action]]", TWIN)
        )


def test_a_board_is_wiped_in_phases_and_not_at_once(tmp_path: Path) -> None:
    folder = copied("iron-cloth", tmp_path)
    shutil.copy(Path(__file__).parent / "wipe_board.toml", folder / "task.toml")
    task = load_task(folder)
    shops = [shop for robot in task.file.embodiments for shop in shops_of(task.bundle, robot)]
    wiped, pressed = (
        pool(evaluate_many(controller(name, task), task, shops, 16, seed=1)) for name in ("wipe", "at-once")
    )
    assert wiped.score >= 0.9, wiped
    assert pressed.score <= 0.1, pressed
