"""PPO: collect with the present policy, learn from it a few times, throw it away."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

from fleet.training import batches
from fleet.training.advantages import advantages
from fleet.training.batches import MEMORY
from fleet.training.learner import build_learner
from fleet.training.module import SEEN, SkillModule, critic_input, seen_by_critic
from fleet.training.ppo_learner import PpoLearner
from fleet.training.sampler import MakeEnv, Rollout
from fleet.training.skill_trainer import SkillTrainer
from skills.messages.training import Ppo
from skills.networks.base import Network

__all__ = ["PpoTrainer"]


class PpoTrainer(SkillTrainer[Ppo]):
    """RLlib's PPO for one robot; see `SkillTrainer`."""

    def __init__(
        self, make_env: MakeEnv, network: Network, settings: Ppo | None = None, **options: Any
    ) -> None:
        super().__init__(make_env, network, settings or Ppo(), **options)

    def _build(self, env: Any) -> PpoLearner:
        settings = self._settings
        config = (
            PPOConfig()
            .learners(learner_class=PpoLearner)
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
        critic = critic_input(env, self._network, shares_critic=self._shares_critic)
        learner: PpoLearner = build_learner(config, SkillModule, env, network=self._network, critic=critic)
        return learner

    def _learn(self) -> int:
        rollout = self._sampler.collect(self._settings.batch)
        batch = self._batch(rollout)
        for minibatch in batches.minibatches(batch, self._settings.minibatch, self._settings.epochs):
            self._learner.learn(minibatch)
        return int(rollout.real.sum())

    @torch.no_grad()
    def _batch(self, rollout: Rollout) -> dict[str, Tensor]:
        columns: dict[str, NDArray[np.float32]] = {
            Columns.OBS: rollout.observations,
            MEMORY: rollout.memories,
            SEEN: seen_by_critic(rollout),
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
