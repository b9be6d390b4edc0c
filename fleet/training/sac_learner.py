"""RLlib's SAC learner for a skill's network."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.sac.torch.sac_torch_learner import SACTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from torch import Tensor, nn

from fleet.training.learner import SkillLearner
from skills.parts import is_training

__all__ = ["SacLearner"]


class SacLearner(SkillLearner, SACTorchLearner):  # type: ignore[misc]
    """SAC (Haarnoja et al. 2018, with the temperature of its section 5), with FedProx's term where wanted."""

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """The temperature, too, which RLlib keeps outside of the module."""
        return {**super().named_parameters(), "temperature": self.curr_log_alpha[DEFAULT_MODULE_ID]}

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:  # noqa: ARG002
        """An Adam each for actor, critics and temperature; a network's own critic of states is left aside."""
        actor = [weight for name, weight in self.net.by_name().items() if not is_training(name)]
        self.register_adam(module_id, actor, optimizer_name="policy")
        for name, critic in zip(("qf", "qf_twin"), self.module[module_id].critics, strict=True):
            self.register_adam(module_id, list(critic.parameters()), optimizer_name=name)
        self.register_adam(module_id, [self.curr_log_alpha[module_id]], optimizer_name="alpha")

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """RLlib's, FedProx's term, and the squared distance of mean actions from the box.

        Outside of it critics say nothing of where to go (Abdolmaleki et al. 2020 penalise it alike).
        """
        loss = super().compute_loss_for_module(
            module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
        )
        mean = fwd_out[Columns.ACTION_DIST_INPUTS]
        outside = (mean - mean.clamp(-1, 1)).square().sum(-1).mean()
        self.note(loss=loss, value=fwd_out["q_curr"].mean(), temperature=self.curr_log_alpha[module_id].exp())
        found: Tensor = loss + outside + self.pull()
        return found

    def compute_gradients(self, loss_per_module: dict[str, Tensor], **_: Any) -> dict[Any, Tensor]:
        """One pass over the sum, for each loss has parameters of its own; RLlib makes a pass for each."""
        self._temp_losses.clear()
        gradients: dict[Any, Tensor] = TorchLearner.compute_gradients(self, loss_per_module)
        return gradients

    @torch.no_grad()
    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:  # noqa: ARG002
        """Let the copies follow; RLlib's way is by two dictionaries of names."""
        for main, slow in self.module[DEFAULT_MODULE_ID].get_target_network_pairs():
            torch._foreach_lerp_(list(slow.parameters()), list(main.parameters()), self.config.tau)
