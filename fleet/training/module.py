"""A skill's network behind RLlib's interface, with the critic that judges it.

The critic is the network's own where it brings one; else it stays at home, and sees beside the observation
what only the twin knows (asymmetric actor-critic, Pinto et al. 2018) or, without one, what the network
remembers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor

from fleet.networks.base import TorchNetwork
from fleet.networks.mlp import layers, run_layers
from fleet.networks.registry import torch_network
from fleet.training.batches import MEMORY
from fleet.training.sampler import Rollout
from skills.networks.base import Network
from skills.parts import CRITIC

__all__ = ["SEEN", "SkillModule", "critic_input", "input_at_home", "seen_by_critic"]

SEEN = "seen"
"""Column: what a critic at home sees."""
WIDTH = 64


class SkillModule(TorchRLModule, ValueFunctionAPI):  # type: ignore[misc]
    """`model_config={"network": Network, "critic": int | None}`: how much a critic at home sees, or None."""

    def setup(self) -> None:
        """Build network and critic; called by RLlib."""
        self.net: TorchNetwork = torch_network(self.model_config["network"])
        seen = self.model_config["critic"]
        self.critic = None if seen is None else layers((seen, WIDTH, WIDTH, 1))

    def train(self, mode: bool = True) -> SkillModule:
        """Nothing to switch: no layer acts differently in training. RLlib asks before each minibatch."""
        self.training = mode
        return self

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:  # noqa: ARG002
        """Expected discounted return of each step of a batch."""
        if self.critic is None:
            return self.net.value(batch[Columns.OBS], batch[MEMORY])
        return run_layers(self.critic, batch[SEEN], "tanh").squeeze(-1)

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        mean = self.net.means(batch[Columns.OBS], batch[MEMORY])
        return {Columns.ACTION_DIST_INPUTS: torch.cat((mean, self.net.spread().expand_as(mean)), dim=-1)}


def critic_input(env: VectorEnv[Any, Any, Any], network: Network, *, shares_critic: bool) -> int | None:
    """How much a critic of states at home sees; None where the network's own takes its place."""
    brings_one = any(name.startswith(CRITIC) for name in network.shapes())
    twin = bool(getattr(env, "twin_size", 0))
    return None if brings_one and (shares_critic or not twin) else input_at_home(env, network)


def input_at_home(env: VectorEnv[Any, Any, Any], network: Network) -> int:
    """How much a critic at home sees: what is observed, and what only the twin knows, else is remembered."""
    twin = int(getattr(env, "twin_size", 0))
    nothing = {name: np.zeros(shape, np.float32) for name, shape in network.shapes().items()}
    return network.inputs + (twin or network.actor(nothing).memory_size)


def seen_by_critic(rollout: Rollout) -> NDArray[np.float32]:
    """What a critic at home sees of each observation, (steps + 1, envs, ...)."""
    known = rollout.truths if rollout.truths.shape[-1] else rollout.memories
    return np.concatenate((rollout.observations, known), axis=-1)
