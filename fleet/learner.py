"""RLlib's module and learner for a skill's network: PPO with an optional pull towards the base.

Which data they see is left to `fleet.sampler`, how long they train to `fleet.trainer`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

from fleet.network import ActorCritic
from skills.manifest import Network

__all__ = ["SkillLearner", "SkillModule", "log_probability"]

LEARNED_FROM = (
    Columns.OBS,
    Columns.ACTIONS,
    Columns.ACTION_LOGP,
    Postprocessing.ADVANTAGES,
    Postprocessing.VALUE_TARGETS,
)


class SkillModule(TorchRLModule, ValueFunctionAPI):  # type: ignore[misc]
    """`ActorCritic` behind RLlib's interface; `model_config={"network": Network}`."""

    def setup(self) -> None:
        """Build the network; called by RLlib."""
        network: Network = self.model_config["network"]
        self.net = ActorCritic(network)

    def train(self, mode: bool = True) -> SkillModule:
        """Nothing to switch: no layer acts differently in training. RLlib asks before each minibatch."""
        self.training = mode
        return self

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        mean = self.net.mean(batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: torch.cat((mean, self.net.spread().expand_as(mean)), dim=-1)}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:  # noqa: ARG002
        """Value of each observation of the batch, (n,)."""
        return self.net.value(batch[Columns.OBS])


class KeepRealSteps(ConnectorV2):  # type: ignore[misc]
    """Drop the artificial step that RLlib adds to each chunk, and shuffle before the first epoch.

    RLlib normalises advantages over the artificial steps too and shuffles only after the first
    epoch, whose minibatches would each come from a handful of episodes.
    """

    def __call__(self, *, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Shorten each module's columns to what the loss reads, in random order."""
        return {module: _real_steps(columns) for module, columns in batch.items()}


class SkillLearner(PPOTorchLearner):  # type: ignore[misc]
    """PPO (Schulman et al. 2017, eq. 7 and 9), with FedProx's term (Li et al. 2020, eq. 2) where wanted.

    Loss and gradient step replace RLlib's, which gather statistics of each minibatch and pass over
    the gradients three times more: a quarter of an iteration.

    Attributes:
        base: The weights to stay close to, by parameter name.
        proximal: FedProx's mu.
    """

    base: dict[str, Tensor]
    proximal: float = 0.0

    def build(self) -> None:
        """Append our last connector to RLlib's."""
        super().build()
        self._learner_connector.append(KeepRealSteps())

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:  # noqa: ARG002
        """One fused Adam without a schedule of RLlib's: the campaign sets the learning rate."""
        parameters = self.get_parameters(self._module[module_id])
        optimizer = torch.optim.Adam(parameters, eps=1e-5, fused=True)
        self.register_optimizer(module_id=module_id, optimizer=optimizer, params=parameters)

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """Clipped surrogate, value error, entropy bonus and mu / 2 * |weights - base|^2."""
        net: ActorCritic = self.module[module_id].net
        logp = log_probability(fwd_out[Columns.ACTION_DIST_INPUTS], batch[Columns.ACTIONS])
        ratio = torch.exp(logp - batch[Columns.ACTION_LOGP])
        clipped = ratio.clamp(1 - config.clip_param, 1 + config.clip_param)
        advantage = batch[Postprocessing.ADVANTAGES]
        surrogate = torch.minimum(ratio * advantage, clipped * advantage).mean()
        error = (net.value(batch[Columns.OBS]) - batch[Postprocessing.VALUE_TARGETS]).square().mean()
        # Up to a constant, the entropy of a Gaussian is the sum of its log standard deviations.
        loss: Tensor = config.vf_loss_coeff * error - surrogate - config.entropy_coeff * net.spread().sum()
        return loss + self.proximal / 2 * self._distance(net) if self.proximal else loss

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """Clip to one Euclidean norm over all parameters."""
        torch.nn.utils.clip_grad_norm_(self._params.values(), self.config.grad_clip, foreach=True)
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:  # noqa: ARG002
        """One Adam step; the gradients are where `backward` put them."""
        for optimizer in self._named_optimizers.values():
            optimizer.step()

    def _distance(self, net: ActorCritic) -> Tensor:
        squares = [(weight - self.base[name]).square().sum() for name, weight in net.named_parameters()]
        return torch.stack(squares).sum()


def log_probability(inputs: Tensor, actions: Tensor) -> Tensor:
    """Log density (n,) of actions (n, k) under Gaussians given as means and log deviations (n, 2 k)."""
    mean, log_std = inputs.chunk(2, dim=-1)
    deviation = (actions - mean) * torch.exp(-log_std)
    constant = 0.5 * math.log(2 * math.pi) * actions.shape[-1]
    return -0.5 * deviation.square().sum(-1) - log_std.sum(-1) - constant


def _real_steps(columns: dict[str, Tensor]) -> dict[str, Tensor]:
    rows = torch.nonzero(columns[Columns.LOSS_MASK]).squeeze(-1)
    rows = rows[torch.randperm(len(rows))]
    kept = {name: columns[name][rows] for name in LEARNED_FROM}
    advantages = kept[Postprocessing.ADVANTAGES]
    kept[Postprocessing.ADVANTAGES] = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return kept
