"""Swing-load by somebody who knows the physics: an adaptive controller, beside the bundle's own two.

A bank of pendulums, one for each pair of a cable's length and a delay, is driven by the hook's velocity;
those that swing as the sensor says count. Gains come from the oracle's tables by what is so estimated. It
observes what a policy observes, and has a memory: it says what a policy with one can reach.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import Player, evaluate
from envs.scripted import controller, proof
from envs.task import Task, load_task
from envs.workshop import Workshop, fresh_workshop
from skills.manifest import Channel

__all__ = ["Adaptive"]

Floats = NDArray[np.float64]

LENGTHS = np.linspace(0.18, 0.85, 15)
DELAYS = np.arange(4)
SIGHT = 0.1
"""The cable's angle is seen so far below the hook, m."""
GRAVITY, DAMPING, SUBSTEPS = 9.81, 0.1, 4
SPREAD = 0.02
"""Of what a pendulum of the right length and delay misses by, rad."""
FIRST_SEED, JOBS, SEED = 200, 32, 7


class Adaptive:
    """For one run of episodes side by side, from their first step on."""

    def __init__(self, task: Task) -> None:
        oracle = proof(task)
        if oracle is None:
            raise LookupError(task.name)
        self._oracle, self._task = oracle, task
        self._told = _columns(task.twin, "length", "delay")
        self._seen = _columns(task.contract.observation, "tool_velocity", "swing")
        self._swing = self._rate = np.zeros(0)
        self._past: list[Floats] = []

    def begin(self) -> Adaptive:
        """The same without an estimate yet."""
        return Adaptive(self._task)

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Go on estimating, then act as the oracle would who was told so."""
        velocity, sight = (observation[:, part].astype(np.float64) * scale for part, scale in self._seen)
        swing = sight[:, None] / SIGHT
        if not self._past:
            self._begin(velocity, swing)
        else:
            self._follow(velocity, swing)
        least = self._missed.min(axis=(1, 2), keepdims=True)
        weight = np.exp((least - self._missed) / (2 * SPREAD**2))
        weight /= weight.sum(axis=(1, 2), keepdims=True)
        estimates = (weight.sum(axis=2) @ LENGTHS, weight.sum(axis=1) @ DELAYS)
        told = np.zeros((len(observation), self._task.twin_size))
        for (part, scale), estimate in zip(self._told, estimates, strict=True):
            told[:, part] = estimate[:, None] / scale
        return self._oracle.act(np.hstack([observation, told]))

    def _begin(self, velocity: Floats, swing: Floats) -> None:
        self._velocity, self._swing = velocity, np.repeat(swing, len(LENGTHS), axis=1)
        self._rate = np.zeros_like(self._swing)
        self._past = [self._swing.copy() for _ in DELAYS]
        self._missed = np.zeros((len(swing), len(LENGTHS), len(DELAYS)))

    def _follow(self, velocity: Floats, swing: Floats) -> None:
        dt, length = self._task.dt / SUBSTEPS, LENGTHS[None, :, None]
        pushed = ((velocity - self._velocity) / self._task.dt)[:, None]
        self._velocity = velocity
        for _ in range(SUBSTEPS):
            self._rate -= dt * ((GRAVITY * self._swing + pushed) / length + DAMPING * self._rate)
            self._swing += dt * self._rate
        # A velocity that was measured over a step is half a step old.
        now = self._swing + self._task.dt / 2 * self._rate
        self._past = [now, *self._past[:-1]]
        for delay in DELAYS:
            self._missed[:, :, delay] += ((self._past[delay] - swing) ** 2).sum(axis=2)


def _columns(channels: Sequence[Channel], *names: str) -> list[tuple[slice, float]]:
    found, begin = {}, 0
    for channel in channels:
        found[channel.name] = (slice(begin, begin + channel.size), channel.scale)
        begin += channel.size
    return [found[name] for name in names]


def main() -> None:
    """Score the three in drawn workshops and print shares of jobs done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workshops", type=int, default=72)
    count = parser.parse_args().workshops
    task = load_task("swing-load")
    robots = task.file.embodiments
    shops = [
        fresh_workshop(task.file, robots[number % len(robots)], FIRST_SEED + number, held_out=True)
        for number in range(count)
    ]
    players: dict[str, Callable[[], Player | None]] = {
        "feedback": lambda: controller("feedback", task),
        "adaptive": lambda: Adaptive(task),
        "oracle": lambda: proof(task),
    }
    print(f"{count} workshops, {JOBS} jobs each; quarters of the workshops by where their cables begin")
    print(f"{'':9} {'mean':>5} {'worst':>6}  quartiles        delays 0-1  1-2  2-3   short .. long")
    for name, make in players.items():
        print(f"{name:9} {_line(task, shops, make)}", flush=True)


def _line(task: Task, shops: Sequence[Workshop], make: Callable[[], Player | None]) -> str:
    scores = []
    for shop in shops:
        player = make()
        if player is not None:
            scores.append(evaluate(player, task, shop, JOBS, SEED).score)
    done = np.array(scores)
    begins, delays = (np.array([shop.figures[name][0] for shop in shops]) for name in ("length", "delay"))  # type: ignore[index]
    quarter = np.searchsorted(np.quantile(begins, [0.25, 0.5, 0.75]), begins)
    parts = [
        " ".join(f"{share:.2f}" for share in np.quantile(done, [0.25, 0.5, 0.75])),
        " ".join(f"{done[delays == delay].mean():.2f}" for delay in range(3)),
        " ".join(f"{done[quarter == each].mean():.2f}" for each in range(4)),
    ]
    return f"{done.mean():5.2f} {done.min():6.2f}  " + "    ".join(parts)


if __name__ == "__main__":
    main()
