"""What goes wrong: each fault is done to a world, lasts a moment, and is taken back."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.chaos.proxy import Mode, Proxy
from tests.chaos.world import Process, World

__all__ = ["FAULTS", "Fault"]

Undo = Callable[[], object]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        says: What happens, for the table.
        begin: Does it; returns how it is taken back.
        longest: Seconds that it lasts at most.
    """

    says: str
    begin: Callable[[World, np.random.Generator], Undo]
    longest: float


def _die(choose: Callable[[World], list[Process]], number: signal.Signals) -> Callable[..., Undo]:
    def begin(world: World, rng: np.random.Generator) -> Undo:
        victim = _one(choose(world), rng)
        victim.send(number)
        return victim.start

    return begin


def _freeze(world: World, rng: np.random.Generator) -> Undo:
    victim = _one(world.hubs, rng)
    victim.send(signal.SIGSTOP)
    return lambda: victim.send(signal.SIGCONT)


def _mode(choose: Callable[[World], Proxy], mode: Mode) -> Callable[..., Undo]:
    def begin(world: World, _: np.random.Generator) -> Undo:
        proxy = choose(world)
        proxy.mode = mode
        if mode != "slow":
            proxy.break_connections()
        return lambda: setattr(proxy, "mode", "pass")

    return begin


def _crash_database(world: World, _: np.random.Generator) -> Undo:
    world.postgres.crash()
    return world.postgres.start


def _jump(world: World, rng: np.random.Generator) -> Undo:
    # Within the skew that a robot's signed request may have; beyond it a robot waits for its clock.
    world.clock.write_text(str(round(float(rng.uniform(-200, 200)), 1)))
    return lambda: world.clock.write_text("0")


def _one(processes: list[Process], rng: np.random.Generator) -> Process:
    return processes[int(rng.integers(len(processes)))]


FAULTS: dict[str, Fault] = {
    "hub killed": Fault("SIGKILL at any moment", _die(lambda world: world.hubs, signal.SIGKILL), 2),
    "hub stopped": Fault("SIGTERM, started again", _die(lambda world: world.hubs, signal.SIGTERM), 1),
    "hub frozen": Fault("SIGSTOP, longer than its lease", _freeze, 8),
    "robot killed": Fault("SIGKILL at any moment", _die(lambda world: world.robots, signal.SIGKILL), 1),
    "network cut": Fault("robots' connections break", _mode(lambda world: world.front, "down"), 1),
    "answers cut": Fault("the hub's answers end half-way", _mode(lambda world: world.front, "cut"), 1),
    "store down": Fault("S3 refuses connections", _mode(lambda world: world.store_proxy, "down"), 2),
    "store slow": Fault("S3 answers late", _mode(lambda world: world.store_proxy, "slow"), 3),
    "store errors": Fault("S3 answers 503", _mode(lambda world: world.store_proxy, "errors"), 2),
    "store cut": Fault("S3's answers end half-way", _mode(lambda world: world.store_proxy, "cut"), 2),
    "database crashed": Fault("PostgreSQL dies, recovers", _crash_database, 1),
    "database cut": Fault("its connections break", _mode(lambda world: world.database_proxy, "down"), 1),
    "clock jumped": Fault("up to 200 s, either way", _jump, 2),
}
