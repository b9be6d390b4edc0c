"""Environment steps/s of our loop against plain torch and Stable-Baselines3: `python -m benchmarks.training`.

Same task, workshop, network, batches and gradient steps for all; one process, one thread. Collecting and
learning are both counted; then the same with a network that remembers. Learning curves are
`benchmarks/federation.py`'s business.
"""

from __future__ import annotations

import importlib.util
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from benchmarks.training_memory import PlainMemory
from envs.task import load_task
from envs.vector import make_vector_env
from envs.workshop import FLEET, load_workshop
from fleet.networks.mlp import MlpNetwork
from fleet.training.ppo import PpoTrainer
from fleet.training.sampler import log_probability
from skills.messages.training import Ppo
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from zunft.new_skill import new_skill

COPIES, ITERATIONS, REPEATS = 32, 2, 4
TASK = load_task("weld-seam")
FIRST = new_skill(TASK.name, seed=0)
NETWORK, BASE = cast("Mlp", FIRST.manifest.network), FIRST.tensors
WITH_MEMORY = new_skill(TASK.name, seed=0, network={"kind": "gru"})
REMEMBERING = cast("Gru", WITH_MEMORY.manifest.network)
SETTINGS = Ppo()
LEARNING_RATE = 1e-3
NOTHING = torch.zeros(0)  # remembered


def main() -> None:
    """Time all loops in turn, several times, and print each one's best against plain torch."""
    torch.set_num_threads(1)
    print(describe_machine())
    loops = {"plain torch": plain_torch(), "Zunft (RLlib)": ours()}
    if importlib.util.find_spec("stable_baselines3"):
        loops["Stable-Baselines3"] = stable_baselines()
    else:
        print("Stable-Baselines3 is not installed: pip install stable-baselines3")
    compare("a perceptron", loops)
    compare("a GRU", {"plain torch": plain_memory(), "Zunft (RLlib)": ours_with_memory()})


def compare(what: str, loops: dict[str, Callable[[], object]]) -> None:
    """Print each loop's best of several times against plain torch's."""
    best = dict.fromkeys(loops, 0.0)
    for _ in range(REPEATS):  # in turn, so that a busy moment of the machine hits all of them
        for name, loop in loops.items():
            best[name] = max(best[name], steps_per_second(loop))
    print(f"with {what}:")
    for name, speed in best.items():
        print(f"  {name:18} {speed:8,.0f} steps/s {speed / best['plain torch']:5.2f} x plain torch")


def steps_per_second(loop: Callable[[], object]) -> float:
    """Environment steps per second of one call."""
    start = time.perf_counter()
    loop()
    return ITERATIONS * SETTINGS.batch / (time.perf_counter() - start)


def make_env(seed: int) -> VectorEnv[Any, Any, Any]:
    """The first robot's workshop."""
    return make_vector_env(TASK, load_workshop(FLEET[0]), COPIES, seed)


def ours() -> Callable[[], object]:
    """The robots' own trainer."""
    trainer = PpoTrainer(make_env, NETWORK, SETTINGS, seed=0)
    trainer.take(BASE)
    trainer.train(1, LEARNING_RATE)
    return lambda: trainer.train(ITERATIONS, LEARNING_RATE)


def ours_with_memory() -> Callable[[], object]:
    """The same with a GRU: sequences through time."""
    trainer = PpoTrainer(make_env, REMEMBERING, SETTINGS, seed=0)
    trainer.take(WITH_MEMORY.tensors)
    trainer.train(1, LEARNING_RATE)
    return lambda: trainer.train(ITERATIONS, LEARNING_RATE)


def plain_memory() -> Callable[[], object]:
    """See `benchmarks.training_memory`; a batch is one episode of each copy, as many steps as ours."""
    loop = PlainMemory(make_env, REMEMBERING, WITH_MEMORY.tensors, SETTINGS, TASK.horizon, LEARNING_RATE)
    loop.iterate()

    def several() -> None:
        for _ in range(ITERATIONS):
            loop.iterate()

    return several


def plain_torch() -> Callable[[], object]:
    """PPO as one would write it by hand, after CleanRL's `ppo_continuous_action.py`."""
    env, net = make_env(0), MlpNetwork(NETWORK)
    net.load(BASE)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, eps=1e-5, fused=True)
    state = [env.reset(seed=0)[0]]

    def loop() -> None:
        for _ in range(ITERATIONS):
            learn(net, optimizer, *collect(env, net, state))

    loop()
    return loop


@torch.no_grad()
def collect(env: VectorEnv[Any, Any, Any], net: MlpNetwork, state: list[Any]) -> tuple[Tensor, ...]:
    """One batch: observations, actions, log probabilities, advantages and value targets."""
    length = SETTINGS.batch // COPIES
    rows: list[tuple[Any, ...]] = []
    for _ in range(length):
        observation = torch.from_numpy(state[0])
        mean = net.means(observation, NOTHING)
        action = torch.normal(mean, net.spread().exp().expand_as(mean))
        state[0], reward, terminated, truncated, _ = env.step(action.clamp(-1, 1).numpy())
        logp, value = log_probability(mean, net.spread(), action), net.value(observation, NOTHING)
        rows.append(
            (observation, action, logp, value, *map(torch.as_tensor, (reward, terminated, truncated)))
        )
    observations, actions, logp, values, rewards, terminated, truncated = map(
        torch.stack, zip(*rows, strict=True)
    )
    following = torch.cat((values[1:], net.value(torch.from_numpy(state[0]), NOTHING)[None]))
    errors = rewards.float() + SETTINGS.discount * following * ~terminated - values
    advantages, last = torch.zeros_like(errors), torch.zeros(COPIES)
    for step in reversed(range(length)):
        last = errors[step] + SETTINGS.discount * SETTINGS.trace * ~(terminated | truncated)[step] * last
        advantages[step] = last
    columns = (observations, actions, logp, advantages, advantages + values)
    return tuple(column.flatten(0, 1) for column in columns)


def learn(
    net: MlpNetwork, optimizer: torch.optim.Optimizer, observations: Tensor, actions: Tensor,
    old: Tensor, advantages: Tensor, targets: Tensor,
) -> None:  # fmt: skip
    """All epochs over one batch."""
    advantages = (advantages - advantages.mean()) / advantages.std()
    for _ in range(SETTINGS.epochs):
        for rows in torch.split(torch.randperm(len(actions)), SETTINGS.minibatch):
            mean = net.means(observations[rows], NOTHING)
            ratio = torch.exp(log_probability(mean, net.spread(), actions[rows]) - old[rows])
            clipped = ratio.clamp(1 - SETTINGS.clip, 1 + SETTINGS.clip)
            surrogate = torch.minimum(ratio * advantages[rows], clipped * advantages[rows]).mean()
            error = (net.value(observations[rows], NOTHING) - targets[rows]).square().mean()
            optimizer.zero_grad()
            (SETTINGS.value_weight * error - surrogate).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), SETTINGS.gradient_norm)
            optimizer.step()


def stable_baselines() -> Callable[[], object]:
    """Stable-Baselines3's PPO; it also learns from the reset steps, which costs it no time."""
    from stable_baselines3 import PPO  # noqa: PLC0415 - optional
    from stable_baselines3.common.vec_env import VecEnv  # noqa: PLC0415

    class Adapter(VecEnv):  # type: ignore[misc] # untyped library
        def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
            super().__init__(COPIES, env.single_observation_space, env.single_action_space)
            self.inner = env

        def reset(self) -> Any:
            return self.inner.reset(seed=0)[0]

        def step_async(self, actions: Any) -> None:
            self.actions = actions

        def step_wait(self) -> tuple[Any, ...]:
            observation, reward, terminated, truncated, _ = self.inner.step(self.actions)
            infos: list[dict[str, Any]] = [{} for _ in range(COPIES)]
            return observation, np.asarray(reward, np.float32), terminated | truncated, infos

        def close(self) -> None:
            self.inner.close()

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:  # noqa: ARG002
            return [None] * COPIES

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None: ...

        def env_method(self, *_: Any, **__: Any) -> list[Any]:
            return [None] * COPIES

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
            return [False] * COPIES

    model = PPO(
        "MlpPolicy",
        Adapter(make_env(0)),
        learning_rate=LEARNING_RATE,
        n_steps=SETTINGS.batch // COPIES,
        batch_size=SETTINGS.minibatch,
        n_epochs=SETTINGS.epochs,
        gamma=SETTINGS.discount,
        gae_lambda=SETTINGS.trace,
        max_grad_norm=SETTINGS.gradient_norm,
        policy_kwargs={"net_arch": list(NETWORK.hidden), "activation_fn": nn.Tanh},
        device="cpu",
    )
    model.learn(SETTINGS.batch)
    return lambda: model.learn(ITERATIONS * SETTINGS.batch, reset_num_timesteps=True)


def describe_machine() -> str:
    """Processor, cores and versions."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    found = [f"{name} {version(name)}" for name in ("ray", "torch", "mujoco", "gymnasium")]
    return (
        f"{models[0] if models else platform.processor()}, {len(models)} cores, one thread used; "
        f"Python {platform.python_version()}, {', '.join(found)}"
    )


if __name__ == "__main__":
    main()
