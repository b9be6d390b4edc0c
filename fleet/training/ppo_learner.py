"""RLlib's PPO learner for a skill's network, with a loss of its own.

RLlib's builds two distributions and gathers ten figures of each minibatch (docs/adr/0019 has the times).
Which data it sees is left to `fleet.training.ppo`.
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

from fleet.training.batches import mean
from fleet.training.learner import SkillLearner
from fleet.training.module import SkillModule
from fleet.training.sampler import log_probability

__all__ = ["PpoLearner"]


class PpoLearner(SkillLearner, PPOTorchLearner):  # type: ignore[misc]
    """PPO (Schulman et al. 2017, eq. 7 and 9), with FedProx's term where wanted."""

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """Clipped surrogate, value error, entropy bonus and FedProx's term."""
        module: SkillModule = self.module[module_id]
        center, log_std = fwd_out[Columns.ACTION_DIST_INPUTS].chunk(2, dim=-1)
        change = log_probability(center, log_std, batch[Columns.ACTIONS]) - batch[Columns.ACTION_LOGP]
        ratio = torch.exp(change)
        clipped = ratio.clamp(1 - config.clip_param, 1 + config.clip_param)
        advantage = batch[Postprocessing.ADVANTAGES]
        gains = torch.minimum(ratio * advantage, clipped * advantage)
        errors = (module.compute_values(batch) - batch[Postprocessing.VALUE_TARGETS]).square()
        surrogate, error, kl = (mean(each, batch) for each in (gains, errors, ratio - 1 - change))
        # Up to a constant, the entropy of a Gaussian is the sum of its log standard deviations.
        entropy = module.net.spread().sum()
        self.note(policy_loss=-surrogate, value_error=error, kl=kl, entropy=entropy)
        loss: Tensor = config.vf_loss_coeff * error - surrogate - config.entropy_coeff * entropy
        return loss + self.pull()
