"""A small transformer that learned five trades, federated by low rank on a sixth: `--learning`.

The controllers of five tasks are imitated first, with one trunk and a way in and out for each task. Then five
robots learn weld-seam from its controller by factors of rank 8, each blind to one family of seams; beside
them each learns alone, and one has everybody's jobs. What they send is merged as in a campaign. All is plain
imitation of recorded jobs: what learners of campaigns do more is `fleet.training`'s.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.evaluate import evaluate
from envs.scripted import controllers
from envs.task import Task, load_task
from envs.vector import make_vector_env
from envs.workshop import Workshop, fresh_workshop
from fleet.networks.transformer import TransformerNetwork
from fleet.training.factors import LearnedFactors
from hub.merging import choose_engine
from hub.workers.merge_round import Received, write_candidate
from skills.container import Tensors
from skills.delta import Delta, DeltaHeader, EncodedDelta, learned, matrices_of_delta, shapes_of_delta
from skills.manifest import Manifest
from skills.messages.low_rank import LowRank
from skills.messages.plans import MergePlan, TrainingPlan
from skills.networks.transformer import Transformer
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Found", "learn_sixth", "sizes"]

Array = NDArray[np.float32]
TRADES = ("iron-cloth", "place-part", "polish-surface", "hover-inspect", "insert-peg")
SIXTH, MASTER = "weld-seam", "pd-look-ahead"
FAMILIES = ("straight", "arc", "corner", "weave", "sloped")
WIDTH, LAYERS, HISTORY = 128, 4, 8
RANK, ROUNDS, STEPS = 8, 10, 12
LOW_RANK = LowRank(rank=RANK, matrices=("policy.*.attention.*", "policy.*.feed.*"))
PLAN = TrainingPlan(low_rank=LOW_RANK, clip_norm=1e6)
MERGE = MergePlan(step=1.0)
JOBS, EPISODES, NOISE = 24, 40, 0.3
RATE, MINIBATCH = 1e-3, 16
ENGINE = choose_engine("cpu")


@dataclass(frozen=True)
class Jobs:
    """Recorded jobs: observations and what the controller did or would have done, and which steps count."""

    seen: Tensor
    wanted: Tensor
    real: Tensor

    def of(self, rows: Tensor) -> Jobs:
        """Some of them."""
        return Jobs(self.seen[rows], self.wanted[rows], self.real[rows])


@dataclass(frozen=True)
class Found:
    """Success on the families to which robots are blind, and on those that they know, means over robots."""

    who: str
    blind: float
    known: float
    sent: int


def sizes(task: Task) -> Transformer:
    """The network for a task's contract."""
    return Transformer(
        inputs=task.contract.observation_size,
        outputs=task.contract.action_size,
        width=WIDTH,
        layers=LAYERS,
        heads=4,
        hidden=4 * WIDTH,
        history=HISTORY,
    )


def recorded(task: Task, workshop: Workshop, jobs: int, seed: int) -> Jobs:
    """A controller at work, pushed aside now and then, so that it is seen coming back."""
    known = controllers(task)
    player = (known[MASTER] if task.name == SIXTH else [c for c in known.values() if not c.told][-1]).begin()
    rng = np.random.default_rng(seed)
    env = make_vector_env(task, workshop, jobs, seed)
    observation, _ = env.reset()
    seen, wanted, real, running = [], [], [], np.ones(jobs, bool)
    noise = np.zeros((jobs, task.contract.action_size))
    for _ in range(task.horizon):
        told = player.act(observation)
        seen.append(observation.astype(np.float32))
        wanted.append(told)
        real.append(running.copy())
        noise = 0.8 * noise + NOISE * 0.6 * rng.standard_normal(told.shape)
        observation, _, ended, over, _ = env.step(np.clip(told + noise, -1, 1).astype(np.float32))
        running &= ~(ended | over)
        observation = np.nan_to_num(observation)
    env.close()
    columns = (np.stack(each, axis=1) for each in (seen, wanted, real))
    return Jobs(*(torch.from_numpy(each) for each in columns))


def joined(parts: Sequence[Jobs]) -> Jobs:
    """All jobs."""
    return Jobs(*(torch.cat([getattr(p, name) for p in parts]) for name in ("seen", "wanted", "real")))


def loss_of(net: TransformerNetwork, jobs: Jobs) -> Tensor:
    """Mean squared error of actions."""
    mean = net.means(jobs.seen, torch.zeros(len(jobs.seen), net.memory_size))
    errors = (mean - jobs.wanted).square().mean(-1)
    return (errors * jobs.real).sum() / jobs.real.sum()


def drawn(jobs: Jobs, generator: torch.Generator) -> Iterator[Jobs]:
    """Endless minibatches."""
    while True:
        for rows in torch.randperm(len(jobs.seen), generator=generator).split(MINIBATCH):
            yield jobs.of(rows)


def trunk_of_five(seed: int, steps: int) -> Tensors:
    """What the five trades have in common: the blocks, by the skill's names."""
    torch.manual_seed(seed)
    nets, streams = [], []
    generator = torch.Generator().manual_seed(seed)
    for name in TRADES:
        task = load_task(name)
        net = TransformerNetwork(sizes(task))
        net.load(sizes(task).initial(np.random.default_rng(seed), log_std=-1, first_layer=1))
        if nets:
            net.blocks, net.norm = nets[0].blocks, nets[0].norm
        nets.append(net)
        shops = [fresh_workshop(task.file, arm, seed) for arm in task.file.embodiments[:4]]
        streams.append(drawn(joined([recorded(task, shop, 12, seed) for shop in shops]), generator))
    every = {id(p): p for net in nets for p in net.parameters()}
    adam = torch.optim.Adam(every.values(), lr=RATE)
    for step in range(steps):
        adam.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 20, 1.2 * (1 - step / steps))
        adam.zero_grad()
        for net, stream in zip(nets, streams, strict=True):
            loss_of(net, next(stream)).backward()  # type: ignore[no-untyped-call]
        adam.step()
    inside = ("policy.norm", *(f"policy.{block}." for block in range(LAYERS)))
    return {name: each for name, each in nets[0].tensors().items() if name.startswith(inside)}


def shops_of(task: Task, seed: int) -> list[Workshop]:
    """A workshop a robot, with all families."""
    arms = [task.file.embodiments[i % len(task.file.embodiments)] for i in range(len(FAMILIES))]
    return [fresh_workshop(task.file, arm, 1000 * (seed + 1) + i) for i, arm in enumerate(arms)]


def with_seams(shop: Workshop, families: Sequence[str]) -> Workshop:
    """The same robot with these jobs alone."""
    return shop.model_copy(update={"figures": {**shop.figures, "seams": tuple(families)}})


def first_of(trunk: Tensors, task: Task, seed: int) -> Skill:
    """The base: a trunk that knows five trades, a way in and out that knows none."""
    network = sizes(task)
    manifest = Manifest(name=task.name, version=1, task=task.name, contract=task.contract, network=network)
    fresh = network.initial(np.random.default_rng(seed), log_std=-1, first_layer=1)
    return Skill(manifest, fresh | trunk)


def practised(base: Skill, jobs: Iterator[Jobs], number: int, rate: float) -> tuple[EncodedDelta, int]:
    """A round of one robot: its delta as it arrives, and its bytes."""
    net = TransformerNetwork(sizes(load_task(SIXTH)))
    net.load(base.tensors)
    factors = LearnedFactors(net.by_name(), LOW_RANK, base.digest)
    matrices = set(matrices_of_delta(base.manifest, PLAN))
    rest = [p for name, p in net.by_name().items() if name not in matrices and name != "log_std"]
    adam = torch.optim.Adam(rest, lr=rate)
    for _ in range(STEPS):
        for parameter in net.parameters():
            parameter.grad = None
        loss_of(net, next(jobs)).backward()  # type: ignore[no-untyped-call]
        factors.step(rate)
        adam.step()
    child = net.tensors() | factors.tensors()
    header = DeltaHeader(base=base.digest, round_id="r", robot_id=f"{number}", codec=PLAN.codec, samples=1000)
    data = Delta(header, learned(child, base, PLAN)).to_bytes()
    return EncodedDelta.from_bytes(data, shapes_of_delta(base.manifest, PLAN)), len(data)


def federated(base: Skill, robots: Sequence[Jobs], seed: int) -> tuple[Skill, int]:
    """The skill after all rounds of these robots, and bytes of a delta; of one, what it learns alone."""
    generator = torch.Generator().manual_seed(seed)
    streams, size = [drawn(each, generator) for each in robots], 0
    for number in range(ROUNDS):
        rate = RATE * (1 - 0.9 * number / ROUNDS)
        deltas = {}
        for robot, stream in enumerate(streams):
            delta, size = practised(base, stream, robot, rate)
            norm = delta.norms(matrices_of_delta(base.manifest, PLAN))["network"]
            deltas[f"{robot}"] = Received(1000, None, norm, 0, delta.tensors, base.digest)
        made = BytesIO()
        write_candidate(
            made,
            BytesIO(),
            base,
            deltas,
            PLAN,
            MERGE,
            version=number + 2,
            round_id="r",
            optimiser_state=None,
            engine=ENGINE,
        )
        base = Skill.from_bytes(made.getvalue())
    return base, size


def learn_sixth(seed: int, trunk: Tensors) -> list[Found]:
    """Lone robots, the guild, and one with everybody's jobs."""
    task = load_task(SIXTH)
    shops = shops_of(task, seed)
    others = [[name for name in FAMILIES if name != blind] for blind in FAMILIES]
    jobs = [
        recorded(task, with_seams(shop, known), JOBS, seed) for shop, known in zip(shops, others, strict=True)
    ]
    base = first_of(trunk, task, seed)

    def scores(skills: Sequence[Skill]) -> tuple[float, float]:
        policies = [Policy(skill) for skill in skills]
        asked = list(zip(policies, shops, FAMILIES, others, strict=True))
        blind = [evaluate(p, task, with_seams(s, [f]), EPISODES, 77).score for p, s, f, _ in asked]
        known = [evaluate(p, task, with_seams(s, o), EPISODES, 78).score for p, s, _, o in asked]
        print([f"{b:.2f}" for b in blind], [f"{k:.2f}" for k in known], flush=True)
        return float(np.mean(blind)), float(np.mean(known))

    found = []
    for who in ("lone", "guild", "pooled"):
        started = time.process_time()
        if who == "lone":
            made = [federated(base, [each], seed) for each in jobs]
        else:
            made = [federated(base, jobs if who == "guild" else [joined(jobs)], seed)] * len(jobs)
        found.append(Found(who, *scores([skill for skill, _ in made]), made[0][1]))
        print(who, found[-1], f"{time.process_time() - started:.0f} s", flush=True)
    return found
