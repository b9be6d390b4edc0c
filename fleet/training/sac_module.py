"""A skill's network behind RLlib's interface for SAC, with two critics of actions and their slow copies.

RLlib's actor squashes by tanh, with a spread that depends on the state; a skill's policy clips its mean, and
has one spread for all states. What is trained must be what is deployed, so here an action is any point, drawn
from a Gaussian as everywhere in Zunft, and it is the environment that clips: a decision process as good as
the other, with the entropy of that Gaussian. The critics see the clipped action. Beyond the box they say
nothing, so the loss pulls the mean back to it (`fleet.training.sac_learner`).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, cast

import torch
from ray.rllib.algorithms.sac.sac_learner import QF_PREDS, QF_TWIN_PREDS
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import QNetAPI, TargetNetworkAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor, nn

from fleet.networks.base import TorchNetwork
from fleet.networks.mlp import layers, run_layers
from fleet.networks.registry import torch_network
from fleet.training.batches import MEMORY
from fleet.training.module import SEEN
from fleet.training.sampler import log_probability

__all__ = ["NEXT", "SacModule"]

NEXT = "next_"
"""How the columns of the following step begin."""
WIDTH = 128


class SacModule(TorchRLModule, QNetAPI, TargetNetworkAPI):  # type: ignore[misc]
    """`model_config={"network": Network, "critic": int}`: how much the critics see beside the action."""

    def setup(self) -> None:
        """Build network and critics; called by RLlib."""
        network = self.model_config["network"]
        self.net: TorchNetwork = torch_network(network)
        widths = (self.model_config["critic"] + network.outputs, WIDTH, WIDTH, 1)
        self.critics = nn.ModuleList(layers(widths) for _ in range(2))

    def make_target_networks(self) -> None:
        """Begin the slow copies; called by RLlib."""
        self.targets = deepcopy(self.critics).requires_grad_(requires_grad=False)

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """The critics, and what follows them."""
        return [(self.critics, self.targets)]

    def compute_q_values(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What the worse of both critics expects of an action."""
        return torch.minimum(*self._judge(self.critics, batch))

    def forward_target(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What the worse of their copies expects of it."""
        return torch.minimum(*self._judge(self.targets, batch))

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        mean, action, density = self._act(batch)
        with torch.no_grad():
            following = {
                name.removeprefix(NEXT): each for name, each in batch.items() if name.startswith(NEXT)
            }
            next_action, next_density = self._act(following)[1:]
            expected = self.forward_target({**following, Columns.ACTIONS: next_action})
        first, twin = self._judge(self.critics, batch)
        self.critics.requires_grad_(requires_grad=False)  # the actor learns through them, not they
        chosen = self.compute_q_values({**batch, Columns.ACTIONS: action})
        self.critics.requires_grad_(requires_grad=True)
        return {
            Columns.ACTION_DIST_INPUTS: mean,
            QF_PREDS: first,
            QF_TWIN_PREDS: twin,
            "logp_resampled": density,
            "q_curr": chosen,
            "logp_next_resampled": next_density,
            "q_target_next": expected,
        }

    def _act(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, an action drawn around it as critics see it, and its log density before it was clipped."""
        mean, spread = self.net.means(batch[Columns.OBS], batch[MEMORY]), self.net.spread()
        drawn = mean + spread.exp() * torch.randn(mean.shape)
        return mean, drawn.clamp(-1, 1), log_probability(mean, spread, drawn)

    def _judge(self, critics: nn.ModuleList, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        state = (batch[SEEN],) if SEEN in batch else (batch[Columns.OBS], batch[MEMORY])
        seen = torch.cat((*state, batch[Columns.ACTIONS]), dim=-1)
        first, twin = (run_layers(cast("nn.ModuleList", each), seen, "relu").squeeze(-1) for each in critics)
        return first, twin
