"""What a robot's trainers have in common: one skill's network that an RLlib learner moves, and whose is what.

The network's weights are the guild's; critics at home, optimisers' moments and this robot's control variate
are its own. What is collected and learned from is each algorithm's.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from ray.rllib.core import DEFAULT_MODULE_ID
from torch import Tensor, nn

from fleet.training.factors import LearnedFactors
from fleet.training.learner import SkillLearner
from fleet.training.moments import HeldMoments, next_moments
from fleet.training.report import TrainingReport
from fleet.training.sampler import MakeEnv, Sampler, check_spaces, vectorise
from fleet.training.trainer import Trainer
from fleet.training.variates import Correction, OwnVariates
from skills.container import Tensors
from skills.delta import clip
from skills.messages.low_rank import LowRank
from skills.messages.training import Imitation, Ppo, Sac
from skills.networks.base import Network
from skills.parts import TRAINING, is_training, network_of, policy_of

__all__ = ["SkillTrainer"]

VARIATE, FIRST, SECOND = (f"{TRAINING}{part}." for part in ("variate", "first", "second"))
AT_HOME, MOMENT = "at-home.", "moment."

Settings = TypeVar("Settings", bound=Imitation | Ppo | Sac)


class SkillTrainer(Trainer, Generic[Settings]):
    """A trainer of one network.

    Args:
        make_env: Builds the robot's environments from a seed; a single `gymnasium.Env` will do.
        network: What is trained; it must fit the environment's spaces.
        settings: The algorithm's knobs.
        seed: Of all its randomness.
        shares_critic: Whether the network's own critic, if it has one, travels; else it stays at home.
        variates: Whether gradients are corrected by control variates, which then travel, too.
        moments: Whether the guild's moments of gradients, once it has some, take the place of Adam's, and
            what this robot has for them travels; needs `variates`.
        low_rank: Of which matrices factors are learned in the place of all numbers.

    Raises:
        ContractError: Environment and network do not fit together.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        network: Network,
        settings: Settings,
        *,
        seed: int,
        shares_critic: bool = True,
        variates: bool = False,
        moments: bool = False,
        low_rank: LowRank | None = None,
    ) -> None:
        super().__init__(seed)
        self._low_rank = low_rank
        self._settings, self._network = settings, network
        self._shares_critic, self._variates, self._holds = shares_critic, variates, moments
        self._own = OwnVariates()
        self._first: Tensors = {}
        self._root: Tensors = {}
        with self._own_randomness():
            env = vectorise(make_env(seed))
            check_spaces(env, network)
            self._learner = self._build(env)
            self._module: Any = self._learner.module[DEFAULT_MODULE_ID]
            self._net = self._learner.net
            self._sampler = self._collecting(env, seed)

    @abstractmethod
    def _build(self, env: VectorEnv[Any, Any, Any]) -> SkillLearner:
        """The algorithm's learner."""

    @abstractmethod
    def _learn(self) -> int:
        """Collect and learn once; how many environment steps were learned from."""

    def _collecting(self, env: VectorEnv[Any, Any, Any], seed: int) -> Sampler:
        """What collects; at first with the network's own exploration."""
        return Sampler(env, self._net, seed)

    def take(self, tensors: Tensors, base: str = "") -> None:
        """See `Trainer.take`."""
        guild = network_of(tensors)
        if not self._shares_critic:
            kept = self._net.tensors()
            guild = {name: kept[name] if is_training(name) else tensor for name, tensor in guild.items()}
        self._net.load(guild)
        self._learner.base = {name: weight.detach().clone() for name, weight in self._net.by_name().items()}
        if not self._settings.keep_moments:
            for optimizer in self._learner.optimizers:
                optimizer.state.clear()
        if self._variates:
            self._correct(tensors)
        if self._low_rank:
            self._learner.factors = LearnedFactors(self._guilds(), self._low_rank, base)

    def shared(self) -> Tensors:
        """See `Trainer.shared`; with control variates they are this robot's c_i of this round.

        Factors stand beside the matrices that they are of.
        """
        guild = self._guilds()
        weights = {name: tensor for name, tensor in self._net.tensors().items() if name in guild}
        if self._learner.factors is not None:
            return weights | self._learner.factors.tensors()
        correction = self._learner.correction
        if correction is None:
            return weights
        nothing = {name: np.zeros_like(tensor) for name, tensor in policy_of(weights).items()}
        variate = nothing | (self._noted() or {})
        found = weights | _prefixed(VARIATE, variate)
        if not self._holds:
            return found
        first, root = next_moments(variate, self._first, self._root, correction.count)
        return found | _prefixed(FIRST, first) | _prefixed(SECOND, root)

    def private(self) -> Tensors:
        """Parameters that stay at home, Adam's moments where they are kept, this robot's control variates."""
        kept = _prefixed(AT_HOME, {name: _copy(weight) for name, weight in self._at_home().items()})
        if self._settings.keep_moments:
            kept |= _prefixed(MOMENT, {name: _copy(moment) for name, moment in self._moments().items()})
        return kept | self._own.tensors(self._noted())

    @torch.no_grad()
    def restore(self, private: Tensors) -> None:
        """See `Trainer.restore`."""
        for name, weight in self._at_home().items():
            kept = private.get(AT_HOME + name)
            if kept is not None and kept.shape == tuple(weight.shape):
                weight.copy_(torch.tensor(kept))
        if self._settings.keep_moments:
            self._restore_moments(_named(private, MOMENT))
        shapes = {name: tuple(weight.shape) for name, weight in self._corrected().items()}
        self._own = OwnVariates.of(private, shapes)
        self._learner.correction = None  # of whatever this trainer did before

    def leave(self) -> None:
        """See `Trainer.leave`."""
        self._sampler.leave()

    def close(self) -> None:
        """Close the environments."""
        self._sampler.close()

    def _iterate(self, learning_rate: float, proximal: float, on_step: Callable[[], None]) -> TrainingReport:
        start = time.perf_counter()
        self._learner.proximal, self._sampler.on_step = proximal, on_step
        for optimizer in self._learner.optimizers:
            optimizer.param_groups[0]["lr"] = learning_rate
        steps = self._learn()
        return TrainingReport(
            steps,
            time.perf_counter() - start,
            tuple(self._sampler.returns),
            tuple(self._sampler.successes),
            self._learner.take_figures(),
        )

    def _guilds(self) -> dict[str, nn.Parameter]:
        """All parameters that the guild has, by the skill's names."""
        named = self._net.by_name()
        return {name: each for name, each in named.items() if self._shares_critic or not is_training(name)}

    def _at_home(self) -> dict[str, nn.Parameter]:
        """All parameters that are not the guild's."""
        guild = {id(weight) for weight in self._guilds().values()}
        named = self._learner.named_parameters()
        return {name: weight for name, weight in named.items() if id(weight) not in guild}

    def _corrected(self) -> dict[str, nn.Parameter]:
        """All that acts, but for the spread: that one is averaged as it is."""
        return {n: w for n, w in self._net.by_name().items() if not is_training(n) and n != "log_std"}

    def _correct(self, tensors: Tensors) -> None:
        """Begin a round with what the skill carries of gradients."""
        self._own.last = self._noted()
        weights = self._corrected()
        # A mean of clipped gradients is no longer than 1: what a liar makes longer is shortened.
        guild = dict(clip(_named(tensors, VARIATE), 1.0))
        own = self._own.begin(guild) if guild else None
        self._learner.correction = Correction(weights, own, guild or None)
        self._first, self._root = _named(tensors, FIRST), _named(tensors, SECOND)
        held = self._holds and bool(self._root)
        self._learner.held = HeldMoments(weights, self._first, self._root) if held else None

    def _noted(self) -> Tensors | None:
        """This robot's c_i: of this round or, as long as that has no step, of its last; None before any."""
        correction = self._learner.correction
        return self._own.last if correction is None or not correction.count else correction.noted()

    def _moments(self) -> dict[str, Tensor]:
        """Adam's state by parameter and kind; empty before its first step."""
        return {
            f"{name}.{kind}": moment
            for name, weight in self._learner.named_parameters().items()
            for optimizer in self._learner.optimizers
            if weight in optimizer.state
            for kind, moment in optimizer.state[weight].items()
        }

    def _restore_moments(self, kept: Tensors) -> None:
        names = {weight: name for name, weight in self._learner.named_parameters().items()}
        for optimizer in self._learner.optimizers:
            for weight in optimizer.param_groups[0]["params"]:
                shapes = {"step": (), "exp_avg": tuple(weight.shape), "exp_avg_sq": tuple(weight.shape)}
                found = {k: kept[each] for k in shapes if (each := f"{names[weight]}.{k}") in kept}
                if {kind: each.shape for kind, each in found.items()} == shapes:
                    optimizer.state[weight] = {k: torch.from_numpy(t.copy()) for k, t in found.items()}


def _copy(tensor: Tensor) -> Any:
    return tensor.detach().numpy().copy()


def _named(tensors: Tensors, prefix: str) -> Tensors:
    """Those whose name begins so, by the rest of it."""
    return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}


def _prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {prefix + name: tensor for name, tensor in tensors.items()}
