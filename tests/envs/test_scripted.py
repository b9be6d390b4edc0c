"""Solvability: a controller written by hand does the task on every arm, in workshops nobody tuned for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.evaluate import evaluate_many, pool
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import FLEET, fresh_workshop, load_workshop
from skills.errors import ContractError
from tests.envs.bundles import small_task

TASK = load_task("weld-seam")


@pytest.mark.parametrize("arm", load_task("weld-seam").file.embodiments)
def test_look_ahead_control_solves_the_task_on_every_arm(arm: str) -> None:
    shops = [fresh_workshop(TASK.file, arm, seed) for seed in (101, 102, 103)]
    result = pool(evaluate_many(controller("pd-look-ahead", TASK), TASK, shops, 32, seed=5))
    assert result.score >= 0.85, result


def test_look_ahead_control_solves_every_workshop_of_the_fleet_and_beats_reacting() -> None:
    shops = [load_workshop(name) for name in FLEET]
    ahead = evaluate_many(controller("pd-look-ahead", TASK), TASK, shops, 32, seed=6)
    assert min(each.score for each in ahead) >= 0.85
    plain = evaluate_many(controller("p", TASK), TASK, shops, 32, seed=6)
    assert pool(ahead).low > pool(plain).high


def test_one_observation_and_many_get_the_same_answer() -> None:
    seen = np.random.default_rng(0).normal(size=(7, 37)).astype(np.float32)
    for policy in (controller("p", TASK), controller("pd-look-ahead", TASK)):
        many = policy.act(seen)
        assert many.shape == (7, 5)
        assert many.dtype == np.float32
        assert np.abs(many).max() <= 1
        assert np.array_equal(policy.act(seen[3]), many[3])


def test_a_gain_from_a_table_is_linear_between_its_points_and_constant_beyond(tmp_path: Path) -> None:
    one = "{ by = ['wide'], at = [[0.0, 1.0, 3.0]], gain = [1.0, 2.0, 6.0] }"
    two = "{ by = ['wide', 'deep'], at = [[0.0, 2.0], [0.0, 1.0]], gain = [[0.0, 1.0], [4.0, 9.0]] }"
    known = "".join(
        f'[[observation]]\nname = "{name}"\nof = "tool.position"\npart = [{at}, {at + 1}]\nscale = 1.0\n\n'
        for at, name in enumerate(("wide", "deep"))
    )

    def gains(table: str, *where: tuple[float, float]) -> list[float]:
        gain = f"velocity = [{{ value = [0.01, 0.0, 0.0], schedule = {table} }}]"
        task = small_task(
            tmp_path / str(len(list(tmp_path.iterdir()))) / "Bundle",
            ("[[action]]", f"{known}[[action]]"),
            ('velocity = [{ of = "position", gain = -4.0 }]', gain),
        )
        seen = np.zeros((len(where), task.contract.observation_size))
        seen[:, -2:] = where
        found: list[float] = (controller("p", task).act(seen)[:, 0] * 10).tolist()
        return found

    assert gains(one, (0.0, 0), (0.5, 0), (2.0, 0), (3.0, 0), (9.0, 0), (-1.0, 0)) == pytest.approx(
        [1, 1.5, 4, 6, 6, 1]
    )
    assert gains(two, (0, 0), (2, 1), (1, 0), (2, 0.5), (1, 0.5), (5, 5)) == pytest.approx(
        [0, 9, 2, 6.5, 3.5, 9]
    )
    with pytest.raises(ContractError, match="the gains are not 2 x 2"):
        gains(two.replace(", 9.0", ""), (0, 0))
    with pytest.raises(ContractError, match="points rise"):
        gains(one.replace("3.0", "1.0"), (0, 0))
    with pytest.raises(ContractError, match="'narrow' is no observation of one component"):
        gains(one.replace("wide", "narrow"), (0, 0))
