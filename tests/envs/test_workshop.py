"""Workshops: figures that the task declares, within its limits, drawn the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.figures import Figures, check_workshop
from envs.task import load_task
from envs.workshop import FLEET, Workshop, data_sheet, fleet_workshops, fresh_workshop, load_workshop
from skills.errors import ContractError
from tests.envs.bundles import small_task

TASK = load_task("weld-seam")
MINIMAL = 'name = "mine"\ntask = "weld-seam"\nembodiment = "ur5e"\n'


def test_the_fleet_has_four_different_arms_seams_and_speeds() -> None:
    shops = fleet_workshops(TASK.file)
    assert [shop.name for shop in shops] == list(FLEET)
    assert len({shop.embodiment for shop in shops}) == 4
    assert len({shop.figures["seams"] for shop in shops}) == 4
    assert len({shop.figures["speed"] for shop in shops}) == 4
    assert {shop.figures["delay"] for shop in shops} == {0, 1}
    for shop in shops:
        check_workshop(TASK.file, shop)


def test_a_fresh_workshop_repeats_with_its_seed_and_differs_without() -> None:
    assert fresh_workshop(TASK.file, "sawyer", 3) == fresh_workshop(TASK.file, "sawyer", 3)
    drawn = {
        fresh_workshop(TASK.file, arm, seed).figures["yaw_error"]
        for arm in ("sawyer", "kinova3")
        for seed in range(20)
    }
    assert len(drawn) == 40


def test_fresh_workshops_stay_within_the_stated_ranges_and_take_values_in_turn() -> None:
    for seed in range(50):
        figures = fresh_workshop(TASK.file, "kinova3", seed).figures
        assert "seams" not in figures
        assert figures["delay"] == seed % 2
        for name, low, high in (("impedance", 0.8, 1.3), ("friction", 0, 0.5), ("yaw_error", -0.07, 0.07)):
            value = figures[name]
            assert isinstance(value, float)
            assert low <= value <= high
        assert max(map(abs, figures["tool_offset"])) <= 0.0005  # type: ignore[arg-type]


def test_the_gates_workshops_draw_from_what_was_held_out_and_only_they(tmp_path: Path) -> None:
    task = small_task(
        tmp_path / "Bundle",
        ('unit = "rad" }', 'unit = "rad", held_out = { low = 1.0, high = 1.5 } }'),
        ('unit = "steps" }', 'unit = "steps", held_out = { values = [2] } }'),
    )
    for seed in range(10):
        kept, seen = (fresh_workshop(task.file, "ur5e", seed, held_out=each) for each in (True, False))
        assert (kept.figures["delay"], kept.figures["heading"]) == (2, (1.0, 1.5))
        assert seen.figures["delay"] in {0, 1}
        assert "heading" not in seen.figures
        check_workshop(task.file, kept)


def test_a_workshops_jobs_come_from_a_window_of_its_own(tmp_path: Path) -> None:
    task = small_task(
        tmp_path / "Bundle",
        ('unit = "rad" }', 'unit = "rad", window = 0.25, held_out = { low = 1.5, high = 2.5 } }'),
        ("[jobs]", "[jobs]\nlag = { values = [0, 1, 2, 3], window = 0.5 }"),
    )
    begins, lags = [], []
    for seed in range(30):
        seen, kept = (fresh_workshop(task.file, "ur5e", seed, held_out=each) for each in (False, True))
        check_workshop(task.file, seen)
        check_workshop(task.file, kept)
        window, held_out, lag = figure(seen, "heading"), figure(kept, "heading"), figure(seen, "lag")
        low, high = window
        assert -1 <= low < high <= 1
        assert high - low == pytest.approx(0.5)
        assert 1.5 <= held_out[0] < held_out[1] <= 2.5
        begins.append(low)
        lags.append(lag)
        figures = Figures(task.bundle, seen, 50)
        figures.draw(np.arange(50), np.random.default_rng(seed))
        assert low <= figures.of("heading").min() < figures.of("heading").max() <= high
        assert {*figures.of("lag")[:, 0].tolist()} == {*lag}
    assert len({*begins}) == 30
    assert lags[:4] == [(0, 1), (1, 2), (2, 3), (0, 1)]


def figure(shop: Workshop, name: str) -> tuple[float, ...]:
    return tuple(float(each) for each in shop.figures[name])  # type: ignore[union-attr]


def test_a_window_is_for_jobs_and_a_list_of_numbers_holds_what_the_task_has(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="for figures of the jobs"):
        small_task(tmp_path / "Robots", ('unit = "steps" }', 'unit = "steps", window = 0.5 }'))
    task = small_task(tmp_path / "Bundle", ("[jobs]", "[jobs]\nlag = { values = [0, 1, 2] }"))
    for wrong in ((0.0, 7.0), 1.0):
        shop = Workshop(name="x", task="small", embodiment="ur5e", figures={"lag": wrong})
        with pytest.raises(ContractError, match="lag"):
            check_workshop(task.file, shop)


def test_jobs_are_drawn_from_the_workshops_own_range() -> None:
    shop = Workshop(
        name="own", task="weld-seam", embodiment="ur5e", figures={"speed": (0.05, 0.06), "seams": ("arc",)}
    )
    figures = Figures(TASK.file, shop, 200)
    figures.draw(np.arange(200), np.random.default_rng(0))
    speed = figures.of("speed")[:, 0]
    assert 0.05 <= speed.min() < speed.max() <= 0.06
    assert {figures.choices("seams")[int(number)] for number in figures.of("seams")[:, 0]} == {"arc"}
    assert np.all(np.abs(figures.of("tilt")) <= 0.09)


def test_a_robot_that_was_not_drawn_is_the_data_sheets() -> None:
    figures = Figures(TASK.file, data_sheet(TASK.file, "panda"), 2)
    assert [figures.fixed(name).tolist() for name in ("impedance", "delay", "tool_offset")] == [
        [1],
        [0],
        [0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('seams = ["zigzag"]', "seams"),
        ("speed = [0.1, 0.05]", "speed"),
        ("speed = [0.0, 0.05]", "speed"),
        ("speed = 0.05", "speed"),
        ("delay = -1", "delay"),
        ("delay = 6", "delay"),
        ("tool_offset = [0.0, 0.0]", "tool_offset"),
        ("mood = 1", "mood"),
    ],
)
def test_a_figure_that_the_task_does_not_allow_is_named(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{MINIMAL}[figures]\n{line}")
    with pytest.raises(ContractError, match=named):
        check_workshop(TASK.file, load_workshop(path))


@pytest.mark.parametrize("line", ["mood = 1", "figures = 3", "= = =", "[figures]\nfriction = inf"])
def test_what_is_no_workshop_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + line)
    with pytest.raises(ContractError, match=r"mine\.toml"):
        load_workshop(path)


def test_a_workshop_of_another_task_or_robot_is_refused(tmp_path: Path) -> None:
    task = small_task(tmp_path / "Bundle")
    with pytest.raises(ContractError, match="one for weld-seam"):
        check_workshop(task.file, load_workshop("pipe-rack"))
    with pytest.raises(ContractError, match="no sawyer"):
        check_workshop(task.file, Workshop(name="x", task="small", embodiment="sawyer"))


def test_an_unknown_workshop_is_named_with_the_known_ones() -> None:
    with pytest.raises(ContractError, match="frame-corners"):
        load_workshop("nowhere")
