"""Train a skill's network in one robot's environments with RLlib's PPO, without a Ray cluster.

With `fleet.learner` and `fleet.sampler` the only code that knows RLlib. What a round asks for and
what becomes of the weights is left to `fleet.practice`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from fleet.learner import SkillLearner, SkillModule
from fleet.network import ActorCritic
from fleet.sampler import MakeEnv, Sampler
from skills.container import Tensors, check_finite
from skills.errors import ContractError
from skills.manifest import Network

__all__ = ["Trainer", "TrainerSettings", "TrainingReport"]

# RLlib 2.60 warns of its own use of a deprecated class whenever a module is built.
logging.getLogger("ray._common.deprecation").setLevel(logging.ERROR)


@dataclass(frozen=True)
class TrainerSettings:
    """PPO's knobs; the learning rate is the campaign's.

    Attributes:
        batch: Environment steps collected before each update.
        minibatch: Steps of one gradient step.
        epochs: Passes over each batch.
        discount: Gamma; .95 at 50 Hz looks .4 s ahead.
        trace: Lambda of generalised advantage estimation (Schulman et al. 2016).
        clip: How far the probability ratio may leave 1.
        value_weight: Weight of the value error in the loss.
        entropy_weight: Weight of the entropy bonus.
        gradient_norm: Largest Euclidean norm of a gradient.
    """

    batch: int = 3200
    minibatch: int = 400
    epochs: int = 5
    discount: float = 0.95
    trace: float = 0.9
    clip: float = 0.2
    value_weight: float = 0.5
    entropy_weight: float = 0.0
    gradient_norm: float = 0.5


@dataclass(frozen=True)
class TrainingReport:
    """What one iteration, or several together, did; means are None where no episode ended.

    Attributes:
        steps: Environment steps learned from.
        seconds: Wall-clock time.
        returns: Undiscounted reward of each episode that ended.
        successes: Of each episode that ended, if the environment says so (`info["success"]`).
    """

    steps: int
    seconds: float
    returns: tuple[float, ...] = field(repr=False)
    successes: tuple[bool, ...] = field(repr=False)

    @property
    def mean_return(self) -> float | None:
        """Mean undiscounted return."""
        return float(np.mean(self.returns)) if self.returns else None

    @property
    def success_rate(self) -> float | None:
        """Share of successful episodes; with exploration noise, so below the skill's score."""
        return float(np.mean(self.successes)) if self.successes else None

    @classmethod
    def of(cls, reports: Sequence[TrainingReport]) -> TrainingReport:
        """Of several iterations together."""
        return cls(
            steps=sum(report.steps for report in reports),
            seconds=sum(report.seconds for report in reports),
            returns=tuple(value for report in reports for value in report.returns),
            successes=tuple(value for report in reports for value in report.successes),
        )


class Trainer:
    """RLlib's PPO for one robot; trainers in one process do not disturb each other's randomness.

    Args:
        make_env: Builds the robot's environments from a seed; a single `gymnasium.Env` will do.
        network: What is trained; it must fit the environment's spaces.
        settings: PPO's knobs.
        seed: Same seed, same environments, same calls: same weights, bit for bit.

    Raises:
        ContractError: Environment and network do not fit together.
    """

    def __init__(
        self, make_env: MakeEnv, network: Network, settings: TrainerSettings | None = None, *, seed: int
    ) -> None:
        # Small matrices: a second thread costs more than it brings, and other robots want the core.
        torch.set_num_threads(1)
        self._settings = settings or TrainerSettings()
        self._generators: tuple[torch.Tensor, Any] = (
            torch.Generator().manual_seed(seed).get_state(),
            np.random.RandomState(seed).get_state(),
        )
        with self._own_randomness():
            config = _configure(make_env, network, self._settings, seed)
            self._sampler = Sampler(config=config)
            _check_spaces(self._sampler.get_spaces()[DEFAULT_MODULE_ID], network)
            self._learner = config.build_learner(spaces=self._sampler.get_spaces())

    @property
    def _net(self) -> ActorCritic:
        net: ActorCritic = self._learner.module[DEFAULT_MODULE_ID].net
        return net

    def set_weights(self, tensors: Tensors) -> None:
        """Start from these weights, with a fresh Adam; FedProx pulls back to them.

        Raises:
            ArtefactError: They do not belong to the network.
        """
        self._net.load(tensors)
        self._learner.base = {name: weight.detach().clone() for name, weight in self._net.named_parameters()}
        for optimizer in self._learner._named_optimizers.values():  # noqa: SLF001 - RLlib has no reset
            optimizer.state.clear()
        self._sync()

    def get_weights(self) -> Tensors:
        """Copies of all weights, by the skill's tensor names."""
        return self._net.tensors()

    def train(
        self,
        iterations: int,
        learning_rate: float,
        *,
        proximal: float = 0.0,
        on_iteration: Callable[[TrainingReport], None] | None = None,
        on_step: Callable[[], None] = lambda: None,
    ) -> TrainingReport:
        """Collect and learn `iterations` times.

        Args:
            iterations: Batches.
            learning_rate: Adam's, constant during the call.
            proximal: FedProx's mu; 0 leaves it out.
            on_iteration: Told of each iteration's figures; what it raises stops the training.
            on_step: Called before each step of the environments; what it raises stops the training.

        Raises:
            ArtefactError: Training diverged to weights that are not finite.
            ContractError: The environment gave numbers that are not finite.
        """
        self._learner.proximal = proximal
        self._sampler.on_step = on_step
        for optimizer in self._learner._named_optimizers.values():  # noqa: SLF001
            optimizer.param_groups[0]["lr"] = learning_rate
        reports = []
        for _ in range(iterations):
            with self._own_randomness():
                reports.append(self._iterate())
            if on_iteration:
                on_iteration(reports[-1])
        check_finite(self.get_weights(), "trained skill")
        return TrainingReport.of(reports)

    def close(self) -> None:
        """Close the environments."""
        self._sampler.stop()

    def _iterate(self) -> TrainingReport:
        start = time.perf_counter()
        episodes = self._sampler.sample(num_timesteps=self._settings.batch)
        steps = sum(len(episode) for episode in episodes)
        self._learner.update(
            training_data=TrainingData(episodes=episodes),
            minibatch_size=self._settings.minibatch,
            num_epochs=self._settings.epochs,
            shuffle_batch_per_epoch=True,
        )
        self._sync()
        return TrainingReport(
            steps,
            time.perf_counter() - start,
            tuple(self._sampler.finished_returns),
            tuple(self._sampler.finished_successes),
        )

    def _sync(self) -> None:
        self._sampler.module.net.load_state_dict(self._net.state_dict())

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """RLlib and torch draw from the process's generators: lend them this trainer's for a while."""
        outside = (torch.get_rng_state(), np.random.get_state())  # noqa: NPY002
        _seed_process(*self._generators)
        try:
            yield
        finally:
            self._generators = (torch.get_rng_state(), np.random.get_state())  # noqa: NPY002
            _seed_process(*outside)


def _seed_process(torch_state: torch.Tensor, numpy_state: Any) -> None:
    torch.set_rng_state(torch_state)
    np.random.set_state(numpy_state)  # noqa: NPY002


def _configure(make_env: MakeEnv, network: Network, settings: TrainerSettings, seed: int) -> PPOConfig:
    module = RLModuleSpec(module_class=SkillModule, model_config={"network": network})
    return (
        PPOConfig()
        .environment(env="robot", env_config={"make_env": make_env, "seed": seed})
        .env_runners(num_env_runners=0, env_runner_cls=Sampler)
        .learners(learner_class=SkillLearner)
        .rl_module(rl_module_spec=module)
        .training(
            gamma=settings.discount,
            lambda_=settings.trace,
            clip_param=settings.clip,
            vf_loss_coeff=settings.value_weight,
            entropy_coeff=settings.entropy_weight,
            use_kl_loss=False,
            grad_clip=settings.gradient_norm,
        )
    )


def _check_spaces(spaces: tuple[Any, Any], network: Network) -> None:
    for what, space, size in zip(
        ("observation", "action"), spaces, (network.inputs, network.outputs), strict=True
    ):
        if space.shape != (size,):
            raise ContractError(
                f"the environment's {what} has shape {space.shape}, the skill's network {size} numbers.",
                where=f"env.{what}_space",
                remedy="Build the environment to the contract in the skill's manifest.",
            )
