"""PPO: collect with the present policy, learn from it a few times, throw it away.

With `fleet.training.module` and `fleet.training.ppo_learner` the only code of it that knows RLlib.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from torch import Tensor, nn

from fleet.training import batches
from fleet.training.advantages import advantages
from fleet.training.batches import MEMORY
from fleet.training.module import SEEN, SkillModule
from fleet.training.ppo_learner import PpoLearner
from fleet.training.report import TrainingReport
from fleet.training.sampler import MakeEnv, Rollout, Sampler, check_spaces, vectorise, whole_episodes
from fleet.training.trainer import Trainer
from fleet.training.variates import Correction
from skills.container import Tensors
from skills.delta import clip
from skills.messages.training import Ppo
from skills.networks.base import Network
from skills.parts import TRAINING, is_carried, is_training, policy_of

__all__ = ["PpoTrainer"]

# RLlib 2.60 warns of its own use of a deprecated class whenever a module is built.
logging.getLogger("ray._common.deprecation").setLevel(logging.ERROR)

VARIATE = f"{TRAINING}variate."
OWN_VARIATE, HOME_CRITIC, MOMENT = "own-variate.", "home-critic.", "moment."


class PpoTrainer(Trainer):
    """RLlib's PPO for one robot.

    Args:
        make_env: Builds the robot's environments from a seed; a single `gymnasium.Env` will do.
        network: What is trained; it must fit the environment's spaces.
        settings: PPO's knobs.
        seed: Of all its randomness.
        shares_critic: Whether the network's own critic, if it has one, travels; else it stays at home.
        variates: Whether gradients are corrected by control variates, which then travel, too.

    Raises:
        ContractError: Environment and network do not fit together.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        network: Network,
        settings: Ppo | None = None,
        *,
        seed: int,
        shares_critic: bool = True,
        variates: bool = False,
    ) -> None:
        super().__init__(seed)
        self._settings = settings or Ppo()
        self._network, self._shares_critic, self._variates = network, shares_critic, variates
        self._own_variate: Tensors | None = None
        with self._own_randomness():
            env = vectorise(make_env(seed))
            check_spaces(env, network)
            self._learner = _learner(env, network, self._settings, self._seen_by_critic(env))
            self._module: SkillModule = self._learner.module[DEFAULT_MODULE_ID]
            self._net = self._module.net
            self._sampler = Sampler(env, self._net, seed)
            self._steps = self._settings.batch
            if self._net.recurrent:
                self._steps = whole_episodes(self._steps, env)

    def _seen_by_critic(self, env: Any) -> int | None:
        """How much a critic at home sees; None where the network's own one does."""
        twin = int(getattr(env, "twin_size", 0))
        brings_one = any(name.startswith("critic.") for name in self._network.shapes())
        if brings_one and (self._shares_critic or not twin):
            return None
        remembered = self._network.actor(_zeros(self._network)).memory_size
        return self._network.inputs + (twin or remembered)

    def take(self, tensors: Tensors) -> None:
        """Begin a round from a skill's tensors; what is private stays.

        Raises:
            ArtefactError: They do not belong to the network.
        """
        guild = {name: tensor for name, tensor in tensors.items() if not is_carried(name)}
        if not self._shares_critic:
            kept = self._net.tensors()
            guild = {name: kept[name] if is_training(name) else tensor for name, tensor in guild.items()}
        self._net.load(guild)
        self._learner.base = {name: weight.detach().clone() for name, weight in self._net.by_name().items()}
        if not self._settings.keep_moments:
            self._forget_moments()
        self._learner.correction = self._corrected(tensors) if self._variates else None

    def shared(self) -> Tensors:
        """See `Trainer.shared`; with control variates they are this robot's c_i of this round."""
        weights = {
            name: tensor
            for name, tensor in self._net.tensors().items()
            if self._shares_critic or not is_training(name)
        }
        correction = self._learner.correction
        if correction is None:
            return weights
        own = {
            name: np.zeros_like(tensor) for name, tensor in policy_of(weights).items()
        } | correction.noted()
        return weights | {VARIATE + name: tensor for name, tensor in own.items()}

    def private(self) -> Tensors:
        """Critic at home, Adam's moments where they are kept, and this robot's control variates."""
        found: Tensors = {}
        for name, weight in self._at_home().items():
            found[HOME_CRITIC + name] = weight.detach().numpy().copy()
        if self._settings.keep_moments:
            found |= {MOMENT + name: moment.numpy().copy() for name, moment in self._moments().items()}
        if self._learner.correction is not None:
            noted = self._learner.correction.noted()
            found |= {OWN_VARIATE + name: tensor for name, tensor in noted.items()}
        return found

    @torch.no_grad()
    def restore(self, private: Tensors) -> None:
        """See `Trainer.restore`."""
        for name, weight in self._at_home().items():
            kept = private.get(HOME_CRITIC + name)
            if kept is not None and kept.shape == tuple(weight.shape):
                weight.copy_(torch.from_numpy(kept))
        if self._settings.keep_moments:
            self._restore_moments(_named(private, MOMENT))
        own = _named(private, OWN_VARIATE)
        shapes = {name: tuple(weight.shape) for name, weight in self._corrected_weights().items()}
        self._own_variate = own if {name: t.shape for name, t in own.items()} == shapes else None

    def close(self) -> None:
        """Close the environments."""
        self._sampler.close()

    def _iterate(self, learning_rate: float, proximal: float, on_step: Callable[[], None]) -> TrainingReport:
        start = time.perf_counter()
        self._learner.proximal, self._sampler.on_step = proximal, on_step
        self._learner.figures.clear()
        self._optimizer.param_groups[0]["lr"] = learning_rate
        rollout = self._sampler.collect(self._steps)
        batch = self._batch(rollout)
        for minibatch in batches.minibatches(batch, self._settings.minibatch, self._settings.epochs):
            data = TrainingData(batch=MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(minibatch)}, 1))
            self._learner.update(training_data=data, _no_metrics_reduce=True)
        return TrainingReport(
            int(rollout.real.sum()),
            time.perf_counter() - start,
            tuple(self._sampler.returns),
            tuple(self._sampler.successes),
            self._figures(),
        )

    @torch.no_grad()
    def _batch(self, rollout: Rollout) -> dict[str, Tensor]:
        known = rollout.truths if rollout.truths.shape[-1] else rollout.memories
        columns: dict[str, NDArray[np.float32]] = {
            Columns.OBS: rollout.observations,
            MEMORY: rollout.memories,
            SEEN: np.concatenate((rollout.observations, known), axis=-1),
            Columns.ACTIONS: rollout.actions,
            Columns.ACTION_LOGP: rollout.log_probabilities,
        }
        everything = {name: torch.from_numpy(column) for name, column in columns.items()}
        values = self._module.compute_values(everything).numpy()
        gained = advantages(rollout, values, self._settings.discount, self._settings.trace)
        columns[Postprocessing.VALUE_TARGETS] = gained + values[:-1]
        real = gained[rollout.real]
        columns[Postprocessing.ADVANTAGES] = (gained - real.mean()) / (real.std() + 1e-8)
        if self._module.critic is None:
            del columns[SEEN]
        shape = batches.sequences if self._net.recurrent else batches.steps
        return shape(rollout, columns)

    def _figures(self) -> dict[str, float]:
        figures = {name: float(value) for name, value in self._learner.figures.items()}
        count = figures.pop("count", 1.0)
        return {name: value / count for name, value in figures.items()}

    @property
    def _optimizer(self) -> torch.optim.Optimizer:
        every = self._learner._named_optimizers.values()  # noqa: SLF001 - RLlib has no other way to it
        (optimizer,) = every
        found: torch.optim.Optimizer = optimizer
        return found

    def _at_home(self) -> dict[str, nn.Parameter]:
        """The critic's parameters, where it stays at home."""
        if self._module.critic is not None:
            return dict(self._module.critic.named_parameters())
        if self._shares_critic:
            return {}
        return {name: weight for name, weight in self._net.by_name().items() if is_training(name)}

    def _corrected_weights(self) -> dict[str, nn.Parameter]:
        """All that acts, but for the spread: that one is averaged as it is."""
        return {n: w for n, w in self._net.by_name().items() if not is_training(n) and n != "log_std"}

    def _corrected(self, tensors: Tensors) -> Correction:
        before = self._learner.correction
        own = self._own_variate if before is None else before.noted()
        self._own_variate = None
        # A mean of clipped gradients is no longer than 1: what a liar makes longer is shortened.
        guild = dict(clip(_named(tensors, VARIATE), 1.0))
        return Correction(self._corrected_weights(), own, guild or None)

    def _forget_moments(self) -> None:
        self._optimizer.state.clear()

    def _moments(self) -> dict[str, Tensor]:
        """Adam's state by parameter and kind; empty before its first step."""
        state = self._optimizer.state
        return {
            f"{name}.{kind}": state[weight][kind]
            for name, weight in self._module.named_parameters()
            if weight in state
            for kind in state[weight]
        }

    def _restore_moments(self, kept: Tensors) -> None:
        for name, weight in self._module.named_parameters():
            shapes = {"step": (), "exp_avg": tuple(weight.shape), "exp_avg_sq": tuple(weight.shape)}
            found = {kind: kept[each] for kind in shapes if (each := f"{name}.{kind}") in kept}
            if {kind: each.shape for kind, each in found.items()} == shapes:
                self._optimizer.state[weight] = {k: torch.from_numpy(t.copy()) for k, t in found.items()}


def _learner(env: Any, network: Network, settings: Ppo, critic: int | None) -> PpoLearner:
    module = RLModuleSpec(module_class=SkillModule, model_config={"network": network, "critic": critic})
    config = (
        PPOConfig()
        .learners(learner_class=PpoLearner)
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
    spaces = {DEFAULT_MODULE_ID: (env.single_observation_space, env.single_action_space)}
    learner: PpoLearner = config.build_learner(spaces=spaces)
    return learner


def _named(tensors: Tensors, prefix: str) -> Tensors:
    """Those whose name begins so, by the rest of it."""
    return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}


def _zeros(network: Network) -> Tensors:
    return {name: np.zeros(shape, np.float32) for name, shape in network.shapes().items()}
