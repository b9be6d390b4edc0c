"""Imitation: the robot learns from lessons, by RLlib's MARWIL, which without `beta` is behaviour cloning.

The mean action moves, not the spread of the exploration: with a deviation of 1 in RLlib's loss this is half
the squared error, up to a constant. Who teaches, somebody who can be asked or a recording, is left to
whoever makes the trainer.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from ray.rllib.algorithms.marwil import MARWILConfig
from ray.rllib.algorithms.marwil.torch.marwil_torch_learner import MARWILTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

from fleet.episodes import Episodes
from fleet.training import batches
from fleet.training.advantages import advantages
from fleet.training.batches import MASK, MEMORY
from fleet.training.learner import SkillLearner, build_learner
from fleet.training.lessons import LessonSampler
from fleet.training.module import SEEN, SkillModule, critic_input, seen_by_critic
from fleet.training.recorded import RecordedSampler
from fleet.training.sampler import MakeEnv, Rollout
from fleet.training.skill_trainer import SkillTrainer
from skills.container import Tensors
from skills.messages.training import Imitation
from skills.networks.base import Network
from skills.player import Player

__all__ = ["ImitationTrainer"]

LESSONS, SQUARE = "lessons", "mean-square-advantage"
Array = NDArray[np.float32]


class ImitationTrainer(SkillTrainer[Imitation]):
    """RLlib's behaviour cloning and MARWIL for one robot; see `SkillTrainer`.

    The last lessons stay in memory only: after a restart the next ones take their place. Of a recording only
    the last is kept, for the next one is drawn from the same episodes.

    Args:
        teacher: Whom it imitates, or episodes that were recorded here.
    """

    _sampler: LessonSampler | RecordedSampler

    def __init__(
        self,
        make_env: MakeEnv,
        network: Network,
        settings: Imitation,
        *,
        teacher: Player | Episodes,
        **options: Any,
    ) -> None:
        self._teacher = teacher
        super().__init__(make_env, network, settings, **options)
        self._lessons = 0
        keep = 1 if isinstance(teacher, Episodes) else settings.keep
        self._kept: deque[tuple[Rollout, Array]] = deque(maxlen=keep)

    def private(self) -> Tensors:
        """Beside what all keep, how many lessons there were, and by what MARWIL divides advantages."""
        own = {LESSONS: self._lessons, SQUARE: float(self._squares[DEFAULT_MODULE_ID])}
        return super().private() | {name: np.array(each, np.float32) for name, each in own.items()}

    def restore(self, private: Tensors) -> None:
        """See `Trainer.restore`."""
        super().restore(private)
        if all(name in private and private[name].shape == () for name in (LESSONS, SQUARE)):
            self._lessons = int(private[LESSONS])
            self._squares[DEFAULT_MODULE_ID] = torch.tensor(float(private[SQUARE]))

    def leave(self) -> None:
        """See `Trainer.leave`."""
        super().leave()
        if self._kept:
            rollout, labels = self._kept.pop()
            self._kept.append((rollout.left(), np.concatenate((labels, labels[-1:]))))

    def _build(self, env: Any) -> SkillLearner:
        settings = self._settings
        config = (
            MARWILConfig()
            .learners(learner_class=_Learner)
            .training(
                beta=settings.beta,
                # RLlib's rate takes a hundred million steps to forget its start, which is 100.
                moving_average_sqd_adv_norm_update_rate=0.01,
                grad_clip=settings.gradient_norm,
            )
        )
        told = not self._shares_critic and not isinstance(self._teacher, Episodes)
        seen = critic_input(env, self._network, shares_critic=not told) if settings.beta else None
        learner: SkillLearner = build_learner(config, _Student, env, network=self._network, critic=seen)
        return learner

    def _collecting(self, env: VectorEnv[Any, Any, Any], seed: int) -> LessonSampler | RecordedSampler:
        if isinstance(self._teacher, Episodes):
            return RecordedSampler(env, self._net, seed, self._teacher)
        return LessonSampler(env, self._net, seed, self._teacher, self._settings.noise)

    def _learn(self) -> int:
        settings = self._settings
        if isinstance(self._sampler, LessonSampler):
            self._sampler.share = settings.teachers_share(self._lessons)
        rollout = self._sampler.collect(settings.batch)
        labels = np.clip(rollout.actions, -1, 1) if settings.beta else self._sampler.labels
        self._kept.append((rollout, labels))
        self._lessons += 1
        several = batches.minibatches(self._batch(), settings.minibatch, epochs=settings.steps)
        for minibatch in islice(several, settings.steps):
            self._learner.learn(minibatch)
        return int(rollout.real.sum())

    @torch.no_grad()
    def _batch(self) -> dict[str, Tensor]:
        # Joined before they are cut, so that a job which went on in the next lesson is one sequence.
        rollout = Rollout.joined([each for each, _ in self._kept])
        columns = {
            Columns.OBS: rollout.observations,
            MEMORY: rollout.memories,
            Columns.ACTIONS: np.concatenate([labels for _, labels in self._kept]),
        }
        if self._settings.beta:
            columns[SEEN] = seen_by_critic(rollout)
            everything = {name: torch.from_numpy(column) for name, column in columns.items()}
            values = self._module.compute_values(everything).numpy()
            returns = advantages(rollout, values, self._settings.discount, 1.0) + values[:-1]
            columns[Postprocessing.VALUE_TARGETS] = returns
        if not self._net.recurrent:
            return batches.steps(rollout, columns)
        batch = batches.sequences(rollout, columns)
        return batch | {Columns.LOSS_MASK: batch[MASK].bool()}

    @property
    def _squares(self) -> Any:
        return self._learner.moving_avg_sqd_adv_norms_per_module


class _Student(SkillModule):
    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        mean = self.net.means(batch[Columns.OBS], batch[MEMORY])
        return {Columns.ACTION_DIST_INPUTS: torch.cat((mean, torch.zeros_like(mean)), dim=-1)}


class _Learner(SkillLearner, MARWILTorchLearner):  # type: ignore[misc]
    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """RLlib's, and FedProx's term."""
        loss = super().compute_loss_for_module(
            module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
        )
        means, _ = fwd_out[Columns.ACTION_DIST_INPUTS].chunk(2, dim=-1)
        error = (means.detach() - batch[Columns.ACTIONS]).square().sum(-1)
        self.note(loss=loss, action_error=batches.mean(error, batch))
        found: Tensor = loss + self.pull()
        return found
