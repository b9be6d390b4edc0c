"""From what a plan orders to the trainer that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.episodes import Episodes
from fleet.training.imitation import ImitationTrainer
from fleet.training.ppo import PpoTrainer
from fleet.training.sac import SacTrainer
from fleet.training.sampler import MakeEnv
from fleet.training.trainer import Trainer
from skills.errors import ContractError
from skills.messages.low_rank import LowRank
from skills.messages.training import Algorithm, Ppo, Sac
from skills.networks.base import Network
from skills.player import Player

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
    low_rank: LowRank | None = None,
    teacher: Callable[[], Player | Episodes | None] = lambda: None,
) -> Trainer:
    """The trainer of an algorithm; what all of them take is explained in `SkillTrainer`.

    `teacher` is whom or what to imitate; other algorithms need none.

    Raises:
        ContractError: Environment, network and algorithm do not fit together, or a teacher is missing.
    """
    common: dict[str, Any] = {
        "seed": seed,
        "shares_critic": shares_critic,
        "variates": variates,
        "moments": moments,
        "low_rank": low_rank,
    }
    if isinstance(algorithm, Ppo):
        return PpoTrainer(make_env, network, algorithm, **common)
    if isinstance(algorithm, Sac):
        return SacTrainer(make_env, network, algorithm, **common)
    master = teacher()
    if master is None:
        raise ContractError(
            "a lesson is asked for, and this robot has no master yet.",
            where="training.learner",
            remedy="Train or name one: zunft robot master. It joins the next round then.",
        )
    return ImitationTrainer(make_env, network, algorithm, teacher=master, **common)
