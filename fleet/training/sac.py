"""SAC: learn from all that is remembered, many times; critics, temperature and memory stay at home.

How its actor is a skill's policy is said in `fleet.training.sac_module`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.core.columns import Columns

from fleet.training.batches import MEMORY
from fleet.training.learner import build_learner
from fleet.training.module import SEEN, input_at_home
from fleet.training.replay import Replay
from fleet.training.sac_learner import SacLearner
from fleet.training.sac_module import NEXT, SacModule
from fleet.training.sampler import MakeEnv, Rollout
from fleet.training.skill_trainer import SkillTrainer
from skills.errors import ContractError
from skills.messages.training import Sac
from skills.networks.base import Network

__all__ = ["SacTrainer", "transitions"]


class SacTrainer(SkillTrainer[Sac]):
    """RLlib's SAC for one robot; see `SkillTrainer`. A network's own critic, if any, is left as it is.

    Raises:
        ContractError: The network learns from sequences.
    """

    def __init__(self, make_env: MakeEnv, network: Network, settings: Sac, **options: Any) -> None:
        super().__init__(make_env, network, settings, **options)
        if self._net.recurrent:
            raise ContractError(
                f"SAC learns from single steps, and a network of kind {network.kind} from sequences.",
                where="training.algorithm",
                remedy="Order PPO or imitation, or choose an mlp with a history.",
            )
        self._replay = Replay(settings.buffer)

    def _build(self, env: Any) -> SacLearner:
        settings = self._settings
        config = (
            SACConfig()
            .learners(learner_class=SacLearner)
            .training(
                gamma=settings.discount,
                tau=settings.tau,
                initial_alpha=settings.temperature,
                target_entropy=settings.target_entropy * self._network.outputs,
                grad_clip=settings.gradient_norm,
            )
        )
        critic = input_at_home(env, self._network)
        learner: SacLearner = build_learner(config, SacModule, env, network=self._network, critic=critic)
        return learner

    def _learn(self) -> int:
        settings = self._settings
        rollout = self._sampler.collect(settings.batch)
        self._replay.add(transitions(rollout))
        if len(self._replay) >= settings.begin:
            for _ in range(settings.updates):
                self._learner.learn(self._replay.draw(settings.minibatch))
        return int(rollout.real.sum())


def transitions(rollout: Rollout) -> dict[str, NDArray[np.float32]]:
    """All real steps, each with what followed it: columns as `SacModule` and RLlib's loss want them."""
    real = rollout.real
    states = {Columns.OBS: rollout.observations, MEMORY: rollout.memories}
    if rollout.truths.shape[-1]:
        states[SEEN] = rollout.truths
    before = {name: column[:-1][real] for name, column in states.items()}
    after = {NEXT + name: column[1:][real] for name, column in states.items()}
    one = np.ones(int(real.sum()), np.float32)
    return {
        **before,
        **after,
        Columns.ACTIONS: np.clip(rollout.actions[real], -1, 1),
        Columns.REWARDS: rollout.rewards[real],
        Columns.TERMINATEDS: rollout.terminated[real].astype(np.float32),
        "weights": one,
        "n_step": one,
    }
