from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.single_agent_episode import SingleAgentEpisode

from fleet.learner import SkillLearner, SkillModule
from fleet.sampler import Sampler
from fleet.trainer import Trainer, TrainerSettings, TrainingReport
from skills.container import Tensors, digest_of
from skills.delta import norm, subtract
from skills.errors import ArtefactError, ContractError
from skills.initial import initial_tensors
from skills.manifest import Network
from tests.fleet.toys import ACTION, HORIZON, OBSERVATION, Point, PointCopies

NETWORK = Network(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
SMALL = TrainerSettings(batch=200, minibatch=50, epochs=4)
BASE = initial_tensors(NETWORK, seed=0, log_std=-0.7, first_layer=1.0)


def points(seed: int) -> PointCopies:
    return PointCopies(8, seed)


def make_trainer(make_env: Any = points, settings: TrainerSettings = SMALL, seed: int = 1) -> Trainer:
    trainer = Trainer(make_env, NETWORK, settings, seed=seed)
    trainer.set_weights(BASE)
    return trainer


def same(left: Tensors, right: Tensors) -> bool:
    return all(np.array_equal(left[name], right[name]) for name in left)


def sampler() -> Sampler:
    config = (
        PPOConfig()
        .environment(env="robot", env_config={"make_env": points, "seed": 3})
        .env_runners(num_env_runners=0)
        .rl_module(rl_module_spec=RLModuleSpec(module_class=SkillModule, model_config={"network": NETWORK}))
    )
    return Sampler(config=config)


def test_it_learns_to_reach_the_origin() -> None:
    reports: list[TrainingReport] = []
    make_trainer(settings=TrainerSettings(batch=800, minibatch=100)).train(
        12, 1e-2, on_iteration=reports.append
    )
    first, last = reports[0].mean_return, reports[-1].mean_return
    assert first is not None
    assert last is not None
    assert last > first / 2  # both are negative: less than half of the distance is left


def test_a_single_environment_is_enough() -> None:
    report = make_trainer(Point).train(1, 1e-3)
    assert 180 <= report.steps < 200
    assert report.success_rate is not None
    assert 0 < report.success_rate < 1


def digest_after_training() -> str:
    trainer = make_trainer()
    trainer.train(2, 1e-3)
    return digest_of(b"".join(tensor.tobytes() for tensor in trainer.get_weights().values()))


def test_the_same_seed_gives_the_same_weights_in_another_process() -> None:
    program = "from tests.fleet.test_trainer import digest_after_training; print(digest_after_training())"
    other = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert other.stdout.split()[-1] == digest_after_training()


def test_trainers_in_one_process_do_not_disturb_each_other() -> None:
    alone = make_trainer()
    alone.train(2, 1e-3)
    first, second = make_trainer(), make_trainer(seed=2)
    for trainer in (first, second, first):
        trainer.train(1, 1e-3)
    assert same(alone.get_weights(), first.get_weights())
    assert not same(first.get_weights(), second.get_weights())


def test_training_leaves_the_process_randomness_alone() -> None:
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    expected = (np.random.random(), torch.rand(1).item())  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    make_trainer().train(1, 1e-3)
    assert (np.random.random(), torch.rand(1).item()) == expected  # noqa: NPY002


def test_new_weights_reach_the_sampler_and_forget_adam() -> None:
    warm, cold = make_trainer(), make_trainer()
    warm.train(1, 1e-3)
    cold.train(1, 0.0)
    warm.set_weights(BASE)
    cold.set_weights(BASE)
    assert same(warm.get_weights(), BASE)
    warm.train(1, 1e-3)
    cold.train(1, 1e-3)
    # Their environments moved apart, so only the sizes of the first steps can be compared.
    sizes = [norm(subtract(trainer.get_weights(), BASE)) for trainer in (warm, cold)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.3)


def test_a_learning_rate_of_zero_changes_nothing() -> None:
    trainer = make_trainer()
    trainer.train(1, 0.0)
    assert same(trainer.get_weights(), BASE)


def test_the_proximal_term_keeps_the_weights_near_the_base() -> None:
    distances = []
    for proximal in (0.0, 10.0):
        trainer = make_trainer()
        trainer.train(2, 3e-3, proximal=proximal)
        distances.append(norm(subtract(trainer.get_weights(), BASE)))
    assert distances[1] < distances[0] / 2


def test_each_iteration_is_reported_and_may_stop_the_training() -> None:
    reports: list[TrainingReport] = []
    total = make_trainer().train(3, 1e-3, on_iteration=reports.append)
    assert len(reports) == 3
    assert total.steps == sum(report.steps for report in reports)
    assert total.returns == sum((report.returns for report in reports), ())

    def stop(_: TrainingReport) -> None:
        raise InterruptedError

    trainer = make_trainer()
    with pytest.raises(InterruptedError):
        trainer.train(3, 1e-3, on_iteration=stop)
    once = make_trainer()
    once.train(1, 1e-3)
    assert same(trainer.get_weights(), once.get_weights())


def test_figures_are_absent_until_an_episode_ends() -> None:
    report = make_trainer(settings=TrainerSettings(batch=16, minibatch=8)).train(1, 1e-3)
    assert report.mean_return is None
    assert report.success_rate is None


def test_chunks_hold_every_real_step_once_and_no_reset() -> None:
    sampled = sampler()
    chunks = [chunk for _ in range(3) for chunk in sampled.sample(num_timesteps=8 * 30)]
    for chunk in chunks:
        steps, first = chunk.get_observations()[:, -1], chunk.get_observations(0)
        assert np.array_equal(np.diff(steps), np.ones(len(chunk)))
        assert chunk.get_rewards().max() < 1000
        assert chunk.is_truncated == (steps[-1] == HORIZON)
        assert chunk.is_terminated == (steps[-1] == HORIZON // 2 and first[-2] % 3 == 2)
    # 90 steps of 8 environments, without the reset step after each end.
    ended = sum(chunk.is_done for chunk in chunks)
    assert ended > 8
    assert sum(len(chunk) for chunk in chunks) == 8 * 90 - ended


def test_values_look_beyond_a_truncation_but_not_beyond_a_termination() -> None:
    config = (
        PPOConfig()
        .learners(learner_class=SkillLearner)
        .rl_module(rl_module_spec=RLModuleSpec(module_class=SkillModule, model_config={"network": NETWORK}))
        .training(gamma=0.5, lambda_=1.0)
    )
    env = points(0)
    spaces = (env.single_observation_space, env.single_action_space)
    learner = config.build_learner(spaces={"default_policy": spaces})
    net = learner.module["default_policy"].net
    with torch.no_grad():
        for parameter in net.critic.parameters():
            parameter.zero_()
        net.critic[-1].bias.fill_(8.0)  # every state is worth 8
    targets = {chunk.is_terminated: value_targets(learner, chunk) for chunk in ends_of_both_kinds()}
    assert targets[True] == pytest.approx([1.5, 1.0])
    assert targets[False] == pytest.approx([3.5, 5.0])


def value_targets(learner: SkillLearner, chunk: Any) -> list[float]:
    batch = learner._learner_connector(
        rl_module=learner.module, batch={}, episodes=[chunk], shared_data={}, metrics=learner.metrics
    )["default_policy"]
    order = batch["obs"][:, 0].argsort()
    return [float(value) for value in batch["value_targets"][order]]


def ends_of_both_kinds() -> list[Any]:
    observations = np.zeros((3, OBSERVATION), np.float32)
    observations[:, 0] = np.arange(3)
    return [
        SingleAgentEpisode(
            observations=observations,
            actions=np.zeros((2, ACTION), np.float32),
            rewards=np.ones(2, np.float32),
            terminated=terminated,
            truncated=not terminated,
            extra_model_outputs={
                "action_dist_inputs": np.zeros((2, 2 * ACTION), np.float32),
                "action_logp": np.zeros(2, np.float32),
            },
            infos=[{}] * 3,
            len_lookback_buffer=0,
        )
        for terminated in (True, False)
    ]


def test_an_environment_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ContractError, match="observation has shape"):
        Trainer(lambda seed: Point(seed, observation=7), NETWORK, SMALL, seed=0)


def test_another_kind_of_autoreset_is_refused() -> None:
    with pytest.raises(ContractError, match="autoreset"):
        make_trainer(lambda seed: PointCopies(8, seed, AutoresetMode.SAME_STEP))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_not_finite_stop_training_before_they_do_harm(number: float) -> None:
    def make_env(seed: int) -> PointCopies:
        env = points(seed)
        env.poison = number
        return env

    trainer = make_trainer(make_env)
    with pytest.raises(ContractError, match="observation"):
        trainer.train(1, 1e-3)
    assert same(trainer.get_weights(), BASE)


def test_weights_of_another_network_are_refused() -> None:
    strange: dict[str, NDArray[Any]] = {**BASE, "log_std": np.zeros(3, np.float32)}
    trainer = make_trainer()
    with pytest.raises(ArtefactError):
        trainer.set_weights(strange)
    assert same(trainer.get_weights(), BASE)
