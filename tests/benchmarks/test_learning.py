"""Evidence: rows that survive, figures that are what they say, places that are apart, aims met or missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning.experiment import Experiment, Variant
from benchmarks.learning.experiments import EXPERIMENTS
from benchmarks.learning.pooled import pooled_env
from benchmarks.learning.record import FILE, PLACES, Row, append, read
from benchmarks.learning.report import PAGE, write_report
from benchmarks.learning.setting import Setting
from benchmarks.learning.summary import Aim, figure
from envs.changed import changed_workshop
from envs.task import load_task
from envs.vector import make_vector_env
from envs.workshop import FLEET, load_workshop
from skills.messages.plans import MergePlan, TrainingPlan

TASK = load_task("weld-seam")


def row(method: str, score: float, seed: int = 0, name: str = "unlike") -> Row:
    scores = dict.fromkeys(PLACES, (score, score / 2))
    return Row(
        experiment=name, method=method, seed=seed, robots=2, rounds=3, steps=10, seconds=1.5, scores=scores
    )


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [row("alone", 0.25), row("guild, variates", 0.75, seed=1)]
    for each in rows:
        append(tmp_path / "results.csv", [each])
    assert read(tmp_path / "results.csv") == rows
    assert len({each.key for each in rows}) == 2
    assert read(tmp_path / "none.csv") == []


def test_a_figure_is_the_mean_of_the_middle_half_within_its_interval() -> None:
    scores = np.random.default_rng(0).uniform(size=(5, 8))
    rows = [
        Row.model_validate(
            {**row("alone", 0.0, seed).model_dump(), "scores": dict.fromkeys(PLACES, tuple(own))}
        )
        for seed, own in enumerate(scores)
    ]
    found = figure(rows, "unseen", np.random.default_rng(1))
    middle = np.sort(scores.ravel())[10:30]
    assert found.mean == pytest.approx(middle.mean())
    assert found.low < found.mean < found.high
    assert figure(rows, "unseen", np.random.default_rng(1)) == found


def test_equal_scores_leave_no_interval() -> None:
    rows = [row("alone", 0.0, seed) for seed in range(3)]
    assert str(figure(rows, "home", np.random.default_rng(0))) == "0.00 (0.00-0.00)"


def test_each_seed_has_workshops_of_its_own() -> None:
    def names(seed: int) -> set[str]:
        setting = Setting("weld-seam", seed, 8, 1, TrainingPlan(), MergePlan())
        places = setting.places()
        return {shop.name for shop in (*places.homes, *places.changed, *places.unseen)}

    found = [names(seed) for seed in range(5)]
    assert all(len(each) == 8 + 8 + 32 for each in found)
    assert len(set.union(*found)) == 5 * 48


def test_a_changed_workshop_keeps_its_robot_and_jobs_and_differs_otherwise() -> None:
    home = load_workshop(FLEET[0])
    changed = changed_workshop(TASK.file, home, 5)
    assert changed.embodiment == home.embodiment
    jobs = {name: figure for name, figure in home.figures.items() if name in TASK.file.jobs}
    assert jobs
    assert jobs.items() <= changed.figures.items()
    assert changed.figures != home.figures
    assert changed_workshop(TASK.file, home, 5) == changed != changed_workshop(TASK.file, home, 6)


def test_pooled_environments_are_each_as_if_alone() -> None:
    homes = [load_workshop(name) for name in FLEET[:2]]
    together = pooled_env(TASK, homes, 3)
    parts = [make_vector_env(TASK, home, 32, 3 + number) for number, home in enumerate(homes)]
    seen = together.reset(seed=3)[0]
    assert np.array_equal(seen, np.concatenate([p.reset(seed=3 + n)[0] for n, p in enumerate(parts)]))
    actions = np.random.default_rng(0).uniform(-1, 1, (64, 5)).astype(np.float32)
    for _ in range(3):
        seen, reward, *_ = together.step(actions)
        found = [part.step(own) for part, own in zip(parts, np.split(actions, 2), strict=True)]
        assert np.array_equal(seen, np.concatenate([each[0] for each in found]))
        assert np.array_equal(reward, np.concatenate([each[1] for each in found]))


def test_the_page_says_of_each_aim_whether_it_was_met(tmp_path: Path) -> None:
    experiment = Experiment(
        title="Which is better?",
        task="weld-seam",
        robots=2,
        rounds=3,
        seeds=5,
        training=TrainingPlan(),
        merge=MergePlan(),
        variants={"alone": Variant("alone"), "guild": Variant("guild")},
        aims=(
            Aim("guild above alone", lambda of: of("guild", "home") > of("alone", "home")),
            Aim("alone above .9", lambda of: of("alone", "home") > 0.9),
            Aim("as good as pooled", lambda of: of("guild", "home") > of("pooled", "home")),
        ),
    )
    rows = [row("alone", 0.25), row("guild", 0.75)]
    write_report({"unlike": experiment}, rows, np.random.default_rng(0), tmp_path / "results.md")
    page = (tmp_path / "results.md").read_text()
    assert "guild above alone: **met**, so far" in page
    assert "alone above .9: **missed**" in page
    assert "as good as pooled: not run yet" in page
    assert "1 of 5 seeds" in page
    assert (tmp_path / "results-unlike.svg").read_text().startswith("<?xml")


def test_every_experiment_names_methods_and_a_task_that_there_are() -> None:
    from benchmarks.learning.methods import METHODS

    for experiment in EXPERIMENTS.values():
        load_task(experiment.task)
        assert {variant.method for variant in experiment.variants.values()} <= METHODS.keys()


def test_the_page_is_what_the_rows_say(tmp_path: Path) -> None:
    write_report(EXPERIMENTS, read(FILE), np.random.default_rng(0), tmp_path / "results.md")
    assert (tmp_path / "results.md").read_text() == PAGE.read_text()
