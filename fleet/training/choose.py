"""From what a plan orders to the trainer that does it."""

from __future__ import annotations

from typing import Any

from envs.evaluate import Player
from fleet.training.imitation import ImitationTrainer
from fleet.training.ppo import PpoTrainer
from fleet.training.sac import SacTrainer
from fleet.training.sampler import MakeEnv
from fleet.training.trainer import Trainer
from skills.errors import ContractError
from skills.messages.training import Algorithm, Ppo, Sac
from skills.networks.base import Network

__all__ = ["make_trainer"]


def make_trainer(
    make_env: MakeEnv,
    network: Network,
    algorithm: Algorithm,
    *,
    seed: int,
    shares_critic: bool = True,
    variates: bool = False,
    moments: bool = False,
    teacher: Player | None = None,
) -> Trainer:
    """The trainer of an algorithm; what all of them take is explained in `SkillTrainer`.

    `teacher` is whom to imitate; other algorithms need none.

    Raises:
        ContractError: Environment, network and algorithm do not fit together, or a teacher is missing.
    """
    common: dict[str, Any] = {
        "seed": seed,
        "shares_critic": shares_critic,
        "variates": variates,
        "moments": moments,
    }
    if isinstance(algorithm, Ppo):
        return PpoTrainer(make_env, network, algorithm, **common)
    if isinstance(algorithm, Sac):
        return SacTrainer(make_env, network, algorithm, **common)
    if teacher is None:
        raise ContractError(
            "there is nobody to imitate.",
            where="training.algorithm",
            remedy="Name a skill or a controller as teacher, or order another algorithm.",
        )
    return ImitationTrainer(make_env, network, algorithm, teacher=teacher, **common)
