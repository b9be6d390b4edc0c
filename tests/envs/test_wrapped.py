"""Gymnasium's own environments as local tasks: found by name, scored, trained, and never an import."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from envs.evaluate import evaluate
from envs.examine import RandomPolicy
from envs.task import Task, load_task
from envs.vector import make_vector_env
from envs.workshop import data_sheet, fleet_workshops, fresh_workshop
from envs.wrapped import WrappedFile, save_wrapped, wrap
from fleet.trainer import Trainer, TrainerSettings
from skills.errors import ContractError
from zunft.starting import new_skill

SMALL_BATCH = TrainerSettings(batch=400, minibatch=200, epochs=1)


def wrapped(environment: str, folder: Path) -> Task:
    save_wrapped(wrap(environment, environment.lower()), folder / environment.lower())
    return load_task(folder / environment.lower())


@pytest.mark.parametrize(
    ("environment", "observed", "acted", "steps"),
    [("Reacher-v5", 10, 2, 50), ("Pusher-v5", 23, 7, 100), ("HalfCheetah-v5", 17, 6, 1000)],
)
def test_an_environment_becomes_a_task_that_trains(
    environment: str, observed: int, acted: int, steps: int, tmp_path: Path
) -> None:
    task = wrapped(environment, tmp_path)
    assert (task.contract.observation_size, task.contract.action_size, task.horizon) == (
        observed,
        acted,
        steps,
    )
    home = data_sheet(task.file, "gymnasium")
    make = partial(make_vector_env, task, home, 4)
    env = make(0)
    seen, _ = env.reset()
    assert seen.shape == (4, observed)
    assert 0.01 < np.abs(seen).max() <= 10
    skill = new_skill(task, seed=0)
    trainer = Trainer(make, skill.manifest.network, SMALL_BATCH, seed=0)
    trainer.set_weights(skill.tensors)
    assert trainer.train(1, 1e-3).steps > 300
    trainer.close()


def test_scores_repeat_and_noise_hardly_succeeds(tmp_path: Path) -> None:
    task = wrapped("Reacher-v5", tmp_path)
    home = fresh_workshop(task.file, "gymnasium", 3, held_out=True)
    first, again = (evaluate(RandomPolicy(2), task, home, 12, seed=5) for _ in range(2))
    assert first == again
    assert first.score <= 0.2
    assert first.mean_return is not None
    generous = task.file.model_copy(update={"success_return": first.mean_return})
    assert isinstance(generous, WrappedFile)
    save_wrapped(generous, tmp_path / "easy")
    easy = load_task(tmp_path / "easy")
    assert 0 < evaluate(RandomPolicy(2), easy, home, 12, seed=5).score < 1


def test_it_is_found_by_name_where_the_owner_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = wrapped("Reacher-v5", tmp_path)
    with pytest.raises(ContractError, match="reacher-v5"):
        load_task("reacher-v5")
    monkeypatch.setenv("ZUNFT_TASKS", str(tmp_path))
    assert load_task("reacher-v5").digest == task.digest
    assert len(fleet_workshops(load_task("reacher-v5").file)) == 4


@pytest.mark.parametrize("name", ["os:Reacher-v5", "antigravity:x-v0", "../Reacher-v5", "Reacher"])
def test_a_name_that_could_import_something_is_refused(name: str, tmp_path: Path) -> None:
    task = wrapped("Reacher-v5", tmp_path)
    text = (task.folder / "task.toml").read_text()
    (task.folder / "task.toml").write_text(
        text.replace('environment = "Reacher-v5"', f'environment = "{name}"')
    )
    with pytest.raises(ContractError, match="environment"):
        load_task(task.folder)


def test_an_environment_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="FetchReach-v99"):
        wrap("FetchReach-v99", "fetch")
    with pytest.raises(ContractError, match="Discrete"):
        wrap("CartPole-v1", "pole")
    task = wrapped("Reacher-v5", tmp_path)
    text = (task.folder / "task.toml").read_text()
    (task.folder / "task.toml").write_text(
        text.replace('environment = "Reacher-v5"', 'environment = "Pusher-v5"')
    )
    other = load_task(task.folder)
    with pytest.raises(ContractError, match="shapes"):
        make_vector_env(other, data_sheet(other.file, "gymnasium"), 1)
    with pytest.raises(ContractError, match="no scene"):
        _ = other.bundle
