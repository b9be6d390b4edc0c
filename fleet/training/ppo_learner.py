"""RLlib's PPO learner for a skill's network: loss, gradient and step as a robot of a guild needs them.

Loss and step replace RLlib's, which gather statistics of each minibatch and pass over the gradients three
times more: a quarter of an iteration. Which data it sees is left to `fleet.training.ppo`.
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor, nn

from fleet.training.batches import MASK
from fleet.training.module import SkillModule
from fleet.training.sampler import log_probability
from fleet.training.variates import Correction

__all__ = ["PpoLearner"]


class PpoLearner(PPOTorchLearner):  # type: ignore[misc]
    """PPO (Schulman et al. 2017, eq. 7 and 9), with FedProx's term (Li et al. 2020, eq. 2) where wanted.

    Attributes:
        base: The weights to stay close to, by parameter name.
        proximal: FedProx's mu.
        correction: Control variates, where the campaign has them.
        figures: Sums over the steps since they were last emptied, and their `count`.
    """

    base: dict[str, Tensor]
    proximal: float = 0.0
    correction: Correction | None = None

    def build(self) -> None:
        """No connectors: what comes in is ready."""
        super().build()
        self.figures: dict[str, Tensor | float] = {}

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:  # noqa: ARG002
        """One fused Adam without a schedule of RLlib's: the campaign sets the learning rate."""
        parameters = self.get_parameters(self._module[module_id])
        optimizer = torch.optim.Adam(parameters, eps=1e-5, fused=True)
        self.register_optimizer(module_id=module_id, optimizer=optimizer, params=parameters)

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """Clipped surrogate, value error, entropy bonus and mu / 2 * |weights - base|^2."""
        module: SkillModule = self.module[module_id]
        mean, log_std = fwd_out[Columns.ACTION_DIST_INPUTS].chunk(2, dim=-1)
        change = log_probability(mean, log_std, batch[Columns.ACTIONS]) - batch[Columns.ACTION_LOGP]
        ratio = torch.exp(change)
        clipped = ratio.clamp(1 - config.clip_param, 1 + config.clip_param)
        advantage = batch[Postprocessing.ADVANTAGES]
        gains = torch.minimum(ratio * advantage, clipped * advantage)
        errors = (module.compute_values(batch) - batch[Postprocessing.VALUE_TARGETS]).square()
        surrogate, error, kl = (_mean(each, batch) for each in (gains, errors, ratio - 1 - change))
        # Up to a constant, the entropy of a Gaussian is the sum of its log standard deviations.
        entropy = module.net.spread().sum()
        loss: Tensor = config.vf_loss_coeff * error - surrogate - config.entropy_coeff * entropy
        self._note(policy_loss=-surrogate, value_error=error, kl=kl, entropy=entropy)
        return loss + self.proximal / 2 * self._distance(module) if self.proximal else loss

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """Clip to one Euclidean norm over all parameters; with control variates the actor's for itself."""
        limit = self.config.grad_clip
        if self.correction is None:
            nn.utils.clip_grad_norm_(self._params.values(), limit, foreach=True)
            return gradients_dict
        corrected = {id(each) for each in self.correction.parameters}
        others = [each for each in self._params.values() if id(each) not in corrected]
        nn.utils.clip_grad_norm_(others, limit, foreach=True)
        nn.utils.clip_grad_norm_(self.correction.parameters, limit, foreach=True)
        self.correction.apply()
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:  # noqa: ARG002
        """One Adam step; the gradients are where `backward` put them."""
        for optimizer in self._named_optimizers.values():
            optimizer.step()

    def _distance(self, module: SkillModule) -> Tensor:
        squares = [(weight - self.base[name]).square().sum() for name, weight in module.net.by_name().items()]
        return torch.stack(squares).sum()

    def _note(self, **figures: Tensor) -> None:
        for name, figure in figures.items():
            self.figures[name] = self.figures.get(name, 0.0) + figure.detach()
        self.figures["count"] = self.figures.get("count", 0.0) + 1


def _mean(numbers: Tensor, batch: dict[str, Tensor]) -> Tensor:
    if MASK not in batch:
        return numbers.mean()
    return (numbers * batch[MASK]).sum() / batch[MASK].sum()
