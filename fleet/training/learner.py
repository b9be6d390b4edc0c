"""What every learner is to a robot: RLlib's, with gradient steps that heed the guild.

RLlib clips and steps with three more passes over the gradients, which check each for NaN and copy it to
where it is already (docs/adr/0019 has the times); `Trainer.train` looks at the weights once instead. Losses
are left to the class that stands beside this one in a learner's bases.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from torch import Tensor, nn

from fleet.networks.base import TorchNetwork
from fleet.training.adam import PlainAdam
from fleet.training.factors import LearnedFactors
from fleet.training.moments import HeldMoments
from fleet.training.variates import Correction

__all__ = ["SkillLearner", "build_learner"]

# RLlib 2.60 warns of its own use of a deprecated class whenever a module is built.
logging.getLogger("ray._common.deprecation").setLevel(logging.ERROR)


class SkillLearner(TorchLearner):  # type: ignore[misc]
    """Gradient steps on one module, whose `net` is the skill's network.

    Attributes:
        base: The network's weights to stay close to, by the skill's tensor names.
        proximal: FedProx's mu.
        correction: Control variates, where the campaign has them.
        held: Steps with the guild's moments, where it has sent any; Adam moves the other parameters.
        factors: Of matrices that move by a product of low rank alone, where the campaign has them.
        figures: Sums over the steps since they were last emptied, and their `count`.
    """

    base: Mapping[str, Tensor]
    proximal: float = 0.0
    correction: Correction | None = None
    held: HeldMoments | None = None
    factors: LearnedFactors | None = None

    def build(self) -> None:
        """See RLlib."""
        super().build()
        self.figures: dict[str, Tensor | float] = {}

    @property
    def net(self) -> TorchNetwork:
        """The skill's network."""
        net: TorchNetwork = self.module[DEFAULT_MODULE_ID].net
        return net

    @property
    def optimizers(self) -> Iterable[torch.optim.Optimizer]:
        """All of them; RLlib has no other way to them."""
        every: Iterable[torch.optim.Optimizer] = self._named_optimizers.values()
        return every

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """All that the learner moves or keeps, by the module's names."""
        return dict(self.module[DEFAULT_MODULE_ID].named_parameters())

    def learn(self, batch: Mapping[str, Tensor]) -> None:
        """One gradient step."""
        data = TrainingData(batch=MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(batch)}, 1))
        self.update(training_data=data, _no_metrics_reduce=True)

    def take_figures(self) -> dict[str, float]:
        """Means of the figures since the last call; RLlib's own, which grow with each step, are emptied."""
        figures = {name: float(value) for name, value in self.figures.items()}
        self.figures.clear()
        self.metrics.reduce()
        count = figures.pop("count", 1.0)
        return {name: value / count for name, value in figures.items()}

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:  # noqa: ARG002
        """One fused Adam without a schedule of RLlib's: the campaign sets the learning rate."""
        self.register_adam(module_id, self.get_parameters(self._module[module_id]))

    def register_adam(self, module_id: str, parameters: list[nn.Parameter], **name: str) -> None:
        """An Adam of these parameters."""
        optimizer = PlainAdam(parameters, eps=1e-5, fused=True)
        self.register_optimizer(module_id=module_id, optimizer=optimizer, params=parameters, **name)

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """Clip to one Euclidean norm over each optimiser's parameters; what is corrected for itself."""
        limit = self.config.grad_clip
        corrected = [] if self.correction is None else self.correction.parameters
        apart = {id(each) for each in corrected}
        for optimizer in self.optimizers:
            others = [each for each in optimizer.param_groups[0]["params"] if id(each) not in apart]
            nn.utils.clip_grad_norm_(others, limit, foreach=True)
        if self.correction is not None:
            nn.utils.clip_grad_norm_(corrected, limit, foreach=True)
            self.correction.apply()
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:  # noqa: ARG002
        """One step; the gradients are where `backward` put them."""
        if self.held is not None:
            self.held.step(next(iter(self.optimizers)).param_groups[0]["lr"])
        if self.factors is not None:
            self.factors.step(next(iter(self.optimizers)).param_groups[0]["lr"])
        for optimizer in self.optimizers:
            optimizer.step()

    def pull(self) -> Tensor | float:
        """FedProx's term (Li et al. 2020, eq. 2): mu / 2 * |weights - base|^2."""
        if not self.proximal:
            return 0.0
        squares = [(weight - self.base[name]).square().sum() for name, weight in self.net.by_name().items()]
        return self.proximal / 2 * torch.stack(squares).sum()

    def note(self, **figures: Tensor) -> None:
        """Add a step's figures."""
        for name, figure in figures.items():
            self.figures[name] = self.figures.get(name, 0.0) + figure.detach()
        self.figures["count"] = self.figures.get("count", 0.0) + 1


def build_learner(config: AlgorithmConfig, module: type[TorchRLModule], env: Any, **model: Any) -> Any:
    """The learner of a configuration, without a cluster.

    Args:
        config: RLlib's, with the learner's class.
        module: Class of the module.
        env: Vector environment whose spaces count.
        model: The module's `model_config`.
    """
    config.rl_module(rl_module_spec=RLModuleSpec(module_class=module, model_config=model))
    spaces = {DEFAULT_MODULE_ID: (env.single_observation_space, env.single_action_space)}
    return config.build_learner(spaces=spaces)
