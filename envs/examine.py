"""The contract checker: everything a bundle must keep before others are asked to practise it.

Reading the bundle has checked its format; here it runs, on every robot it admits. Of a wrapped environment
is checked what makes sense without a scene. What follows from a finding is the caller's business: the command
line shows it, a hub refuses to list the task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np

from envs.effects import without_effect
from envs.embodiment import embodiment_names, own_embodiments
from envs.evaluate import evaluate
from envs.format import TaskFile
from envs.resting import unrest
from envs.scripted import Scripted, controller, controller_names, controllers, proof
from envs.senses import LIMIT
from envs.shortfall import shortfall
from envs.task import Task
from envs.values import Floats
from envs.vector import TaskVectorEnv, make_vector_env
from envs.workshop import Workshop, data_sheet, fresh_workshop
from envs.wrapped import WrappedFile
from envs.wrapped_env import WrappedVectorEnv
from skills.errors import ContractError
from skills.player import Player

__all__ = ["EPISODES", "SEED", "Finding", "Idle", "RandomPolicy", "examine", "loads", "shops_of"]

COPIES = 8
EPISODES = 16
SEED = 4_000
MOST_STEPS = 500
"""Of the runs that are compared number by number; episodes are scored to their end."""
REWARD_LIMIT = 100.0
LEAST_SCRIPTED = 0.5
"""Share of episodes that the best controller must do on each robot."""
MOST_IDLE = 0.2
"""A task that more idle or random episodes solve asks for no skill."""
LEAST_STEPS = 500.0
"""Control steps a second, all copies together."""
SIZE_LIMITS = {"nbody": 200, "ngeom": 500, "njnt": 100, "nsite": 500, "nmeshvert": 200_000}


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        remedy: Empty where all is well; of a check that passed it is advice.
    """

    check: str
    passed: bool
    text: str
    remedy: str = ""


class RandomPolicy:
    """Independent uniform actions."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self._size, self._random = size, np.random.default_rng(seed)

    def begin(self) -> RandomPolicy:
        """Itself."""
        return self

    def act(self, observation: Floats, /) -> Floats:
        """Anything."""
        return self._random.uniform(-1, 1, (len(observation), self._size)).astype(np.float32)


class Idle:
    """Does nothing."""

    def __init__(self, size: int) -> None:
        self._size = size

    def begin(self) -> Idle:
        """Itself."""
        return self

    def act(self, observation: Floats, /) -> Floats:
        """Zeros."""
        return np.zeros((len(observation), self._size), dtype=np.float32)


@dataclass(frozen=True)
class _Run:
    """Some hundred steps under random actions, then the best controller's: observations and rewards."""

    seen: Floats
    gained: Floats
    steps_a_second: float


def examine(task: Task) -> Iterator[Finding]:
    """Run all checks, the quick ones first; what does not even start ends them."""
    try:
        env = make_vector_env(task, data_sheet(task.file, task.file.embodiments[0]), COPIES, SEED)
    except ContractError as error:
        yield _does_not_compile(error)
        return
    yield from _built(task, env)
    env.close()
    if isinstance(task.file, TaskFile):
        starts = [_start(task, robot) for robot in task.file.embodiments]
        yield from starts
        if not all(finding.passed for finding in starts):
            return
    try:
        run, again = _run(task), _run(task)
    except mujoco.FatalError as error:
        yield Finding("steps", passed=False, text=str(error), remedy="Look for figures that MuJoCo refuses.")
        return
    for check in (_finite, _bounded_reward, _informative, _fast_enough):
        yield check(task, run)
    yield _repeats(run, again)
    if isinstance(task.file, TaskFile):
        yield _held_out(task)
        yield _effective(task)
    yield _not_trivial(task)
    if isinstance(task.file, TaskFile):
        yield from _solvable(task)
        yield from _compared(task)


def loads(task: Task) -> Iterator[Finding]:
    """Only what is asked of a task that somebody else has examined: it starts on each robot, and is small."""
    here = {*embodiment_names(), *own_embodiments()}
    for robot in here.intersection(task.bundle.embodiments):
        try:
            env = make_vector_env(task, data_sheet(task.file, robot), 1, SEED)
        except ContractError as error:
            yield _does_not_compile(error)
            return
        env.reset(seed=SEED)
        env.step(np.zeros((1, task.contract.action_size), dtype=np.float32))
        yield from _built(task, env)
        env.close()


def _does_not_compile(error: ContractError) -> Finding:
    return Finding("compiles", passed=False, text=f"{error.where}: {error.message}", remedy=error.remedy)


def _built(task: Task, env: TaskVectorEnv | WrappedVectorEnv) -> Iterator[Finding]:
    if isinstance(env, WrappedVectorEnv):
        sizes = f"{task.contract.observation_size} observed, {task.contract.action_size} acted"
        yield Finding(
            "compiles", passed=True, text=f"{task.title} is installed here; {sizes}, as the task says"
        )
        return
    model = env.cells.model
    yield Finding(
        "compiles", passed=True, text=f"{model.nbody} bodies, {model.ngeom} shapes, {model.nv} axes"
    )
    yield _sizes({name: int(getattr(model, name)) for name in SIZE_LIMITS})


def _start(task: Task, robot: str) -> Finding:
    check = f"start on {robot}"
    try:
        bad = unrest(TaskVectorEnv(task, data_sheet(task.file, robot), COPIES), SEED)
    except ContractError as error:
        return Finding(check, passed=False, text=error.message, remedy=error.remedy)
    remedy = "Put parts where they rest: on what carries them, apart from everything else."
    return _finding(check, bad, "everything lies still and apart", remedy)


def _players(task: Task) -> tuple[Player, Player]:
    """Random actions, and the best controller where there is one."""
    names = controller_names(task)
    random: Player = RandomPolicy(task.contract.action_size)
    return random, controller(names[-1], task) if names else random


def _run(task: Task) -> _Run:
    shop = fresh_workshop(task.file, task.file.embodiments[-1], SEED)
    env = make_vector_env(task, shop, COPIES, SEED)
    steps = min(task.horizon + 2, MOST_STEPS)
    seen = np.zeros((2 * steps, COPIES, task.contract.observation_size))
    gained = np.zeros((2 * steps, COPIES))
    start = time.perf_counter()
    for part, policy in enumerate(_players(task)):
        player = policy.begin()
        observation, _ = env.reset(seed=SEED + part)
        for step in range(steps):
            observation, reward, *_ = env.step(player.act(observation))
            seen[part * steps + step], gained[part * steps + step] = observation, reward
    seconds = time.perf_counter() - start
    env.close()
    return _Run(seen, gained, 2 * steps * COPIES / seconds)


def _sizes(found: dict[str, int]) -> Finding:
    over = [
        f"{name} {count} of {SIZE_LIMITS[name]}" for name, count in found.items() if count > SIZE_LIMITS[name]
    ]
    return _finding("sizes", over, "the scene is small enough", "Leave out or simplify bodies and meshes.")


def _finite(task: Task, run: _Run) -> Finding:
    bad = _channels(task, ~np.isfinite(run.seen).all(axis=(0, 1)))
    return _finding(
        "finite", bad, "every observation is finite", "Look for a division by a figure that may be 0."
    )


def _bounded_reward(task: Task, run: _Run) -> Finding:  # noqa: ARG001
    least, most = float(run.gained.min()), float(run.gained.max())
    bad = (
        []
        if -REWARD_LIMIT <= least <= most <= REWARD_LIMIT
        else [f"{least:.3g} to {most:.3g}, outside of ±{REWARD_LIMIT:g}"]
    )
    return _finding(
        "reward", bad, f"between {least:.2f} and {most:.2f} a step", "Lower weights, slopes or costs."
    )


def _informative(task: Task, run: _Run) -> Finding:
    flat = run.seen.reshape(-1, run.seen.shape[-1])
    constant = _channels(task, np.ptp(flat, axis=0) < 1e-6)
    if isinstance(task.file, WrappedFile) and 0 < len(constant) < flat.shape[-1]:
        # Nobody here can change the environment, and what is constant in it misleads no policy.
        return Finding("informative", passed=True, text=f"constant, and of no use: {', '.join(constant)}")
    bad = constant + [
        f"{each} (always at the limit)"
        for each in _channels(task, (np.abs(flat) >= LIMIT).mean(axis=0) > 0.9)
    ]
    return _finding(
        "informative", bad, "every observation varies within its bounds", "Remove it, or mend its scale."
    )


def _fast_enough(task: Task, run: _Run) -> Finding:  # noqa: ARG001
    asked = f"at least {LEAST_STEPS:.0f} are asked for"
    bad = (
        []
        if run.steps_a_second >= LEAST_STEPS
        else [f"{run.steps_a_second:.0f} control steps a second, {asked}"]
    )
    text = f"{run.steps_a_second:,.0f} control steps a second in {COPIES} copies"
    return _finding("speed", bad, text, "Simplify shapes, or take a longer time step.")


def _repeats(run: _Run, again: _Run) -> Finding:
    same = np.array_equal(run.seen, again.seen) and np.array_equal(run.gained, again.gained)
    return _finding(
        "repeats", [] if same else ["two runs differ"], "same seed, same numbers", "Draw only from `random`."
    )


def _held_out(task: Task) -> Finding:
    kept = [name for name, each in {**task.bundle.robots, **task.bundle.jobs}.items() if each.held_out]
    leaked = []
    for number in range(4):
        shop = fresh_workshop(task.bundle, task.bundle.embodiments[0], number)
        leaked += [name for name in kept if name in shop.figures and _within(task, name, shop)]
    text = f"kept for the gate: {', '.join(kept)}" if kept else "only seeds are kept for the gate"
    return _finding("held out", leaked, text, "Move held_out away from the range that robots train on.")


def _within(task: Task, name: str, shop: Workshop) -> bool:
    variation = {**task.bundle.robots, **task.bundle.jobs}[name]
    given, value = variation.held_out, shop.figures[name]
    if given is None or given.values:
        return given is not None and value in given.values
    low, high = given.bounds
    return bool(np.all((np.atleast_1d(value) > low) & (np.atleast_1d(value) < high)))


def _effective(task: Task) -> Finding:
    """A figure without effect harms nobody, but it is not what its author thinks."""
    robot, steps = task.bundle.embodiments[-1], min(task.horizon, MOST_STEPS)
    idle = without_effect(task, robot, _players(task), steps, SEED)
    if not idle:
        return Finding("figures", passed=True, text="each of robots and jobs changes something")
    return Finding(
        "figures",
        passed=True,
        text=f"whatever {', '.join(idle)} may be, the same is sensed, measured and rewarded on {robot}, "
        "under random actions and the best controller's.",
        remedy="Name it where it is to act - a noise, an offset, a change, a quantity - or leave it out.",
    )


def _not_trivial(task: Task) -> Finding:
    shop = data_sheet(task.file, task.file.embodiments[0])
    size = task.contract.action_size
    policies: dict[str, Player] = {"doing nothing": Idle(size), "random actions": RandomPolicy(size)}
    scores = {name: evaluate(policy, task, shop, EPISODES, SEED).score for name, policy in policies.items()}
    bad = [
        f"{name} succeeds in {score:.0%}, at most {MOST_IDLE:.0%} are allowed"
        for name, score in scores.items()
        if score > MOST_IDLE
    ]
    return _finding("asks for skill", bad, "neither nothing nor noise succeeds", "Tighten success.")


def shops_of(task: TaskFile, robot: str) -> tuple[Workshop, Workshop]:
    """Where it is looked whether a robot can do the task: as its data sheet says, and held out."""
    return data_sheet(task, robot), fresh_workshop(task, robot, 1, held_out=True)


def _solvable(task: Task) -> Iterator[Finding]:
    policy = proof(task)
    if policy is None:
        yield Finding(
            "solvable", passed=False, text="There is no controller.", remedy="Write one: [scripted.NAME]."
        )
        return
    for robot in task.bundle.embodiments:
        yield _solvable_on(task, robot, policy)


def _solvable_on(task: Task, robot: str, policy: Scripted) -> Finding:
    entry = policy.name if policy.told else f"scripted.{policy.name}"
    shops = shops_of(task.bundle, robot)
    scores = [evaluate(policy, task, shop, EPISODES, SEED).score for shop in shops]
    text = f"{policy.name} succeeds in {np.mean(scores):.0%}"
    if np.mean(scores) >= LEAST_SCRIPTED:
        return Finding(f"solvable on {robot}", passed=True, text=text)
    worse = int(np.argmin(scores))
    missed, worst = shortfall(policy, task, shops[worse], EPISODES, SEED)
    where = f"{robot}{' --held-out' if worse else ''}"
    return Finding(
        f"solvable on {robot}",
        passed=False,
        text=" ".join([f"{text} of the episodes; at least {LEAST_SCRIPTED:.0%} are asked for.", *missed]),
        remedy=f"Improve the controller [{entry}] or ease {worst} under [success] or [[failure]]; "
        f"or admit fewer robots or jobs. See it: zunft task trace BUNDLE --embodiment {where} -o trace.png.",
    )


def _compared(task: Task) -> Iterator[Finding]:
    """Of a task with several: what each reaches, so that whoever learns knows what is due to what."""
    found = controllers(task).values()
    if len(found) < 2:
        return
    robot = task.bundle.embodiments[0]
    said = []
    for each in found:
        scores = [evaluate(each, task, shop, EPISODES, SEED).score for shop in shops_of(task.bundle, robot)]
        said.append(f"{each.name} ({each.kind}) {np.mean(scores):.0%}")
    yield Finding("controllers", passed=True, text=f"on {robot}: {', '.join(said)}")


def _finding(check: str, bad: list[str], text: str, remedy: str) -> Finding:
    if bad:
        return Finding(check, passed=False, text=f"{'; '.join(bad)}.", remedy=remedy)
    return Finding(check, passed=True, text=text)


def _channels(task: Task, where: object) -> list[str]:
    names = [
        f"{channel.name}[{number}]" if channel.size > 1 else channel.name
        for channel in task.contract.observation
        for number in range(channel.size)
    ]
    return [name for name, bad in zip(names, np.asarray(where), strict=True) if bad]
