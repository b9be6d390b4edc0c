"""Gymnasium's own environments as local tasks: found by name, scored, trained, and never an import."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from envs.evaluate import evaluate
from envs.examine import RandomPolicy, examine
from envs.task import Task, load_task
from envs.vector import make_vector_env
from envs.workshop import data_sheet, fleet_workshops, fresh_workshop
from envs.wrapped import WrappedFile, save_wrapped
from envs.wrapped_env import wrap
from fleet.training.ppo import PpoTrainer
from skills.errors import ContractError
from skills.messages.training import Ppo
from zunft.new_skill import new_skill

SMALL_BATCH = Ppo(batch=400, minibatch=200, epochs=1)


def wrapped(environment: str, folder: Path) -> Task:
    name = environment.lower().replace("_", "-")
    save_wrapped(wrap(environment, name), folder / name)
    return load_task(folder / name)


@pytest.mark.parametrize(
    ("environment", "observed", "acted", "steps"),
    [
        ("Reacher-v5", 10, 2, 50),
        ("Pusher-v5", 23, 7, 100),
        ("HalfCheetah-v5", 17, 6, 1000),
        ("PointMaze_UMazeDense-v3", 8, 2, 300),
    ],
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
    trainer = PpoTrainer(make, skill.manifest.network, SMALL_BATCH, seed=0)
    trainer.take(skill.tensors)
    assert trainer.train(1, 1e-3).steps > 300
    trainer.close()


@pytest.mark.parametrize(
    ("environment", "informative"),
    [
        ("Pusher-v5", "constant, and of no use: observation_19"),  # its goal stands still
        ("PointMaze_UMazeDense-v3", "every observation varies"),
    ],
)
def test_the_checker_passes_a_wrapped_environment(environment: str, informative: str, tmp_path: Path) -> None:
    found = {finding.check: finding for finding in examine(wrapped(environment, tmp_path))}
    assert list(found) == [
        "compiles",
        "finite",
        "reward",
        "informative",
        "speed",
        "repeats",
        "asks for skill",
    ]
    # A loaded machine may be slower than the checker asks.
    assert [check for check, finding in found.items() if not finding.passed and check != "speed"] == []
    assert found["informative"].text.startswith(informative)


def test_dictionary_observations_are_flattened_in_the_order_of_their_names(tmp_path: Path) -> None:
    task = wrapped("PointMaze_UMazeDense-v3", tmp_path)
    assert [channel.name for channel in task.contract.observation] == [
        *(f"achieved_goal_{i}" for i in range(2)),
        *(f"desired_goal_{i}" for i in range(2)),
        *(f"observation_{i}" for i in range(4)),
    ]
    env = make_vector_env(task, data_sheet(task.file, "gymnasium"), 1, seed=3)
    scales = np.array([channel.scale for channel in task.contract.observation])
    seen = env.reset(seed=3)[0][0] * scales
    bare: Any = gymnasium.make("PointMaze_UMazeDense-v3").reset(seed=3)[0]
    expected = np.concatenate([bare[key] for key in ("achieved_goal", "desired_goal", "observation")])
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)


def test_hundreds_of_numbers_become_one_channel(tmp_path: Path) -> None:
    task = wrapped("Humanoid-v5", tmp_path)
    assert [(channel.name, channel.size) for channel in task.contract.observation] == [("observation", 348)]


def failures(task: Task, environment: str, folder: Path, **changes: Any) -> dict[str, str]:
    name = environment.lower()
    changed = {"environment": environment, "name": name, **changes}
    assert isinstance(task.file, WrappedFile)
    save_wrapped(task.file.model_copy(update=changed), folder / name)
    return {each.check: each.text for each in examine(load_task(folder / name)) if not each.passed}


def test_the_checker_tells_what_is_wrong_with_an_environment(tmp_path: Path) -> None:
    task = wrapped("Reacher-v5", tmp_path)
    easy = failures(task, "Reacher-v5", tmp_path / "easy", success_return=-1000.0)
    assert "doing nothing succeeds in 100%" in easy["asks for skill"]
    two = task.contract.observation[:2]
    for name, glitch in (("Blind-v0", 0.0), ("Broken-v0", np.nan)):
        gymnasium.register(name, entry_point=chance, kwargs={"glitch": glitch}, max_episode_steps=20)
    blind = failures(task, "Blind-v0", tmp_path, observation=two)
    assert blind["informative"] == "observation_0; observation_1."
    assert {"reward", "repeats"} <= set(blind)
    assert failures(task, "Broken-v0", tmp_path, observation=two)["finite"] == "observation_0; observation_1."
    other = failures(task, "Pusher-v5", tmp_path)
    assert "shapes" in other["compiles"]


class Chance(gymnasium.Env[Any, Any]):
    """Sees the same for ever, but for one glitch, and earns fortunes by chance."""

    def __init__(self, glitch: float) -> None:
        self.observation_space = Box(-1, 1, (2,))
        self.action_space = Box(-1, 1, (2,))
        self.steps, self.glitch = 0, glitch

    def reset(self, **_: Any) -> Any:
        return np.zeros(2), {}

    def step(self, _: Any) -> Any:
        self.steps += 1
        seen = np.full(2, self.glitch if self.steps == 7 else 0.0)
        return seen, float(np.random.default_rng().uniform(0, 1e6)), False, False, {}


class Sayer(gymnasium.Env[Any, Any]):
    """Earns nothing, and says in each step under `word` whether it has succeeded: on a large action."""

    def __init__(self, word: str) -> None:
        self.observation_space = Box(-1, 1, (1,))
        self.action_space = Box(-1, 1, (1,))
        self.word, self.steps = word, 0

    def reset(self, **_: Any) -> Any:
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        good = bool(action[0] > 0.5)
        return np.full(1, self.steps / 20, np.float32), 0.0, False, False, {self.word: good}


def sayer(**figures: Any) -> Sayer:
    return Sayer(**figures)


@pytest.mark.parametrize("word", ["success", "is_success"])
def test_an_environment_that_says_whether_it_succeeded_is_believed(word: str, tmp_path: Path) -> None:
    gymnasium.register("Sayer-v0", entry_point=sayer, kwargs={"word": word}, max_episode_steps=20)
    task = wrapped("Sayer-v0", tmp_path)
    env = make_vector_env(task, data_sheet(task.file, "gymnasium"), 3, seed=0)
    env.reset()
    for step in range(20):
        last = step == 19
        # The second succeeded for a while, the third does at the end.
        actions = np.array([[0.0], [0.0 if last else 1.0], [1.0 if last else 0.0]], np.float32)
        *_, infos = env.step(actions)
        assert bool(infos) == last
    assert infos["success"].tolist() == [False, False, True]
    assert infos["_success"].all()


def chance(**figures: Any) -> Chance:
    return Chance(**figures)


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
    with pytest.raises(ContractError, match=r"Reacher-v5: name.*should match pattern"):
        wrap("Reacher-v5", "Reacher 5")
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
