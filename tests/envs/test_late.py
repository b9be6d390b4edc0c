"""What is late is late by exactly so many steps, in each simulation by its own job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.figures import Figures
from envs.late import Late
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop, data_sheet
from skills.errors import ContractError
from tests.envs.bundles import small_task

OF_JOBS = (
    ('[robots]\ndelay = { values = [0, 1], unit = "steps" }', ""),
    ("[jobs]", '[jobs]\ndelay = { values = [0, 1, 4], unit = "steps" }'),
)


def test_each_simulation_is_late_by_the_delay_of_its_job(tmp_path: Path) -> None:
    task = small_task(tmp_path / "Bundle", *OF_JOBS)
    figures = Figures(task.bundle, data_sheet(task.file, "ur5e"), 40)
    figures.draw(np.arange(40), np.random.default_rng(0))
    delays = figures.of("delay")[:, 0].astype(int)
    assert {*delays.tolist()} == {0, 1, 4}
    late = Late("delay", figures, 1)
    late.forget(np.arange(40), np.full((40, 1), -1.0))
    given = [late.after(np.full((40, 1), float(step)))[:, 0].copy() for step in range(9)]
    for step, values in enumerate(given):
        assert np.array_equal(values, np.where(delays > step, -1.0, step - delays))


def test_a_number_is_the_same_for_all_and_nothing_is_kept_for_nought(tmp_path: Path) -> None:
    task = small_task(tmp_path / "Bundle")
    figures = Figures(task.bundle, data_sheet(task.file, "ur5e"), 2)
    now, late = Late(0, figures, 1), Late(2, figures, 1)
    for step in range(5):
        values = np.full((2, 1), float(step))
        assert now.after(values) is values
        assert late.after(values).tolist() == [[max(step - 2, 0)]] * 2


@pytest.mark.parametrize("arm", ["ur5e", "panda"])
def test_commands_and_sensors_are_late_by_a_figure_of_the_jobs(tmp_path: Path, arm: str) -> None:
    sensed = ('of = "tool.position"\nscale = 0.01', 'of = "tool.position"\nscale = 0.01\ndelay = "delay"')
    task = small_task(tmp_path / "Bundle", *OF_JOBS, sensed)

    def first(delay: float) -> tuple[int, int]:
        """When the tool moves, and when that is sensed."""
        shop = Workshop(name="x", task="small", embodiment=arm, figures={"delay": (delay,)})
        env = TaskVectorEnv(task, shop, 2, seed=0)
        start, _ = env.reset()
        moved = []
        for _ in range(12):
            before = env.quantities.view("tool.position").copy()
            seen, *_ = env.step(np.ones((2, 3), np.float32))
            jumped = np.abs(env.quantities.view("tool.position") - before).max() > 3e-4
            moved.append((jumped, np.abs(seen[:, :3] - start[:, :3]).max() > 3e-2))
        return tuple(int(np.argmax(each)) for each in zip(*moved, strict=True))  # type: ignore[return-value]

    (moves, seen), (late_moves, late_seen) = first(0), first(4)
    assert (moves, late_moves) == (0, 4)
    assert late_seen - seen == 8


@pytest.mark.parametrize(
    "delay", ["{ low = 0, high = 30 }", '{ values = ["a", "b"] }', "{ low = [0, 0], high = [1, 1] }"]
)
def test_a_delay_that_is_none_is_refused(tmp_path: Path, delay: str) -> None:
    with pytest.raises(ContractError, match="a delay is one number within 0 and 20"):
        small_task(tmp_path / "Bundle", OF_JOBS[0], ("[jobs]", f"[jobs]\ndelay = {delay}"))
    with pytest.raises(ContractError, match="no figure 'lag'"):
        small_task(tmp_path / "Unknown", ("scale = 0.01\n", 'scale = 0.01\ndelay = "lag"\n'))
