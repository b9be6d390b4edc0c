"""What each override of RLlib's code saves: `python -m benchmarks.overrides`.

Each row is an iteration (PPO) or an update of 256 steps (SAC) with RLlib's own code in one place against
ours: processor time of one thread, the best of several turns. What saves nothing is to be taken out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.algorithms.sac.torch.sac_torch_learner import SACTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.replay_buffers.episode_replay_buffer import EpisodeReplayBuffer

from benchmarks.training import BASE, NETWORK, describe_machine, make_env
from fleet.training.learner import SkillLearner
from fleet.training.ppo import PpoTrainer
from fleet.training.ppo_learner import PpoLearner
from fleet.training.sac import SacTrainer
from fleet.training.sac_learner import SacLearner
from fleet.training.sac_module import WIDTH
from fleet.training.sampler import Rollout
from skills.messages.training import Ppo, Sac

TURNS, UPDATES = 9, 40
SETTINGS = Sac(batch=6400, begin=1, updates=1)


def main() -> None:
    """Print all rows."""
    torch.set_num_threads(1)
    print(describe_machine())
    ppo = PpoTrainer(make_env, NETWORK, Ppo(), seed=0)
    ppo.take(BASE)
    sac = SacTrainer(make_env, NETWORK, SETTINGS, seed=0)
    sac.take(BASE)
    sac.train(1, 1e-4)
    learn, draw = sac._learner.learn, sac._replay.draw  # noqa: SLF001 - it is their time that counts

    def iterate() -> None:
        ppo.train(1, 1e-4)

    def update() -> None:
        for _ in range(UPDATES):
            learn(draw(SETTINGS.minibatch))
        sac._learner.take_figures()  # noqa: SLF001

    steps = ("postprocess_gradients", "apply_gradients")
    compare("PPO: loss", iterate, swapped(PpoLearner, compute_loss_for_module=rllib_loss))
    theirs = {name: getattr(TorchLearner, name) for name in steps}
    compare("PPO: clip and step", iterate, swapped(SkillLearner, **theirs))
    compare("SAC: clip and step", update, swapped(SkillLearner, **theirs), UPDATES)
    for title, name in (
        ("one backward pass", "compute_gradients"),
        ("targets", "after_gradient_based_update"),
    ):
        own = swapped(SacLearner, **{name: getattr(SACTorchLearner, name)})
        compare(f"SAC: {title}", update, own, UPDATES)
    plain = rllib_sac(sac._sampler.collect(SETTINGS.batch))  # noqa: SLF001
    print_row("SAC: RLlib's learner, module and buffer", best_of(plain, update), UPDATES)


def compare(title: str, work: Callable[[], None], theirs: Any, count: int = 1) -> None:
    """Time work with RLlib's code in a place, and with ours, in turn."""

    def swapped_in() -> None:
        with theirs():
            work()

    print_row(title, best_of(swapped_in, work), count)


def best_of(*works: Callable[[], None]) -> list[float]:
    """The shortest time of each, taken in turn so that a busy moment hits all of them."""
    best = [np.inf] * len(works)
    for _ in range(TURNS):
        for index, work in enumerate(works):
            start = time.process_time()
            work()
            best[index] = min(best[index], time.process_time() - start)
    return best


def print_row(title: str, times: list[float], count: int) -> None:
    """One line."""
    milliseconds = [each / count * 1e3 for each in times]
    print(
        "{:40} RLlib {:7.2f} ms, ours {:7.2f} ms, {:.2f} x".format(title, *milliseconds, times[0] / times[1])
    )


def swapped(owner: type, **methods: Any) -> Any:
    """A context in which a class has these methods."""

    @contextmanager
    def context() -> Iterator[None]:
        before = {name: owner.__dict__[name] for name in methods}
        for name, method in methods.items():
            setattr(owner, name, method)
        try:
            yield
        finally:
            for name, method in before.items():
                setattr(owner, name, method)

    return context


def rllib_loss(learner: Any, *, module_id: str, config: Any, batch: Any, fwd_out: Any) -> Any:
    """RLlib's PPO loss, which also wants to know what the policy was."""
    batch[Columns.ACTION_DIST_INPUTS] = fwd_out[Columns.ACTION_DIST_INPUTS].detach()
    return PPOTorchLearner.compute_loss_for_module(
        learner, module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
    )


def rllib_sac(rollout: Rollout) -> Callable[[], None]:
    """Updates as RLlib makes them: its buffer of episodes, its connectors, its module of the same widths."""
    env = make_env(0)
    model = DefaultModelConfig(fcnet_hiddens=[WIDTH], head_fcnet_hiddens=[WIDTH])
    config = SACConfig().rl_module(model_config=model)
    spaces = {DEFAULT_MODULE_ID: (env.single_observation_space, env.single_action_space)}
    learner = config.build_learner(spaces=spaces)
    buffer = EpisodeReplayBuffer(capacity=100_000)
    for place in range(env.num_envs):
        buffer.add(episodes_of(rollout, place))

    def update() -> None:
        for _ in range(UPDATES):
            episodes = buffer.sample(num_items=SETTINGS.minibatch, n_step=1, gamma=0.95, sample_episodes=True)
            learner.update(training_data=TrainingData(episodes=episodes), _no_metrics_reduce=True)
        learner.metrics.reduce()

    return update


def episodes_of(rollout: Rollout, place: int) -> list[SingleAgentEpisode]:
    """All whole episodes of one environment."""
    found: list[SingleAgentEpisode] = []
    start = 0
    for end in (np.flatnonzero(rollout.done[:, place]) + 1).tolist():
        rows = slice(start + int(not rollout.real[start, place]), end)
        found.append(
            SingleAgentEpisode(
                observations=list(rollout.observations[rows.start : end + 1, place]),
                actions=list(np.clip(rollout.actions[rows, place], -1, 1)),
                rewards=rollout.rewards[rows, place].tolist(),
                terminated=bool(rollout.terminated[end - 1, place]),
                truncated=bool(rollout.truncated[end - 1, place]),
                len_lookback_buffer=0,
            )
        )
        start = end
    return found


if __name__ == "__main__":
    main()
