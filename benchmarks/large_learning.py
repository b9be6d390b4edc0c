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

__all__ = ["learning", "of_seed", "table"]

Array = NDArray[np.float32]
TRADES = ("iron-cloth", "place-part", "polish-surface", "hover-inspect", "insert-peg")
SIXTH, MASTER = "weld-seam", "pd-look-ahead"
FAMILIES = ("straight", "arc", "corner", "weave", "sloped")
WIDTH, LAYERS, HISTORY = 128, 4, 8
RANK, ROUNDS, STEPS, TRADE_STEPS = 8, 10, 12, 60
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
    """Success on the families to which robots are blind, and on those that they know, means over robots.

    `sent` are bytes of a delta, `seconds` of a processor, measuring included.
    """

    who: str
    blind: float
    known: float
    sent: int
    seconds: float


@dataclass(frozen=True)
class Seed:
    """What came of one: mean success of the trunk in its five trades, seconds of that, and the sixth."""

    number: int
    trades: float
    seconds: float
    found: tuple[Found, ...]


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


def drawn(jobs: Jobs, generator: torch.Generator, size: int = MINIBATCH) -> Iterator[Jobs]:
    """Endless minibatches."""
    while True:
        for rows in torch.randperm(len(jobs.seen), generator=generator).split(size):  # type: ignore[no-untyped-call]
            yield jobs.of(rows)


def trunk_of_five(seed: int) -> tuple[Tensors, float]:
    """What the five trades have in common: the blocks, by the skill's names; and success in these trades."""
    torch.manual_seed(seed)
    nets: list[TransformerNetwork] = []
    streams, steps = [], TRADE_STEPS
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
    common = {name: each for name, each in nets[0].tensors().items() if name.startswith(inside)}
    done = []
    for name, net in zip(TRADES, nets, strict=True):
        task = load_task(name)
        skill = first_of(net.tensors(), task, seed)
        shop = fresh_workshop(task.file, task.file.embodiments[0], seed)
        done.append(evaluate(Policy(skill), task, shop, 16, 77).score)
    return common, float(np.mean(done))


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


def federated(base: Skill, robots: Sequence[Jobs], seed: int, size: int = MINIBATCH) -> tuple[Skill, int]:
    """The skill after all rounds of these robots, and bytes of a delta; of one, what it learns alone."""
    generator = torch.Generator().manual_seed(seed)
    streams, sent = [drawn(each, generator, size) for each in robots], 0
    for number in range(ROUNDS):
        rate = RATE * (1 - 0.9 * number / ROUNDS)
        deltas = {}
        for robot, stream in enumerate(streams):
            delta, sent = practised(base, stream, robot, rate)
            norm = delta.norms(matrices_of_delta(base.manifest, PLAN))["network"]
            deltas[f"{robot}"] = Received(1000, None, norm, 0, delta.tensors, base=base.digest)
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
    return base, sent


def of_seed(seed: int) -> Seed:
    """Lone robots, the guild, and one with everybody's jobs, who sees as many of them at each step."""
    torch.set_num_threads(1)
    began = time.process_time()
    trunk, trades = trunk_of_five(seed)
    taken, task = time.process_time() - began, load_task(SIXTH)
    shops = shops_of(task, seed)
    others = [[name for name in FAMILIES if name != blind] for blind in FAMILIES]
    places = zip(shops, others, strict=True)
    jobs = [recorded(task, with_seams(shop, known), JOBS, seed) for shop, known in places]
    base, found = first_of(trunk, task, seed), []
    for who in ("alone", "guild", "pooled"):
        started = time.process_time()
        if who == "alone":
            made = [federated(base, [each], seed) for each in jobs]
        elif who == "guild":
            made = [federated(base, jobs, seed)] * len(jobs)
        else:
            made = [federated(base, [joined(jobs)], seed, len(jobs) * MINIBATCH)] * len(jobs)
        policies = [Policy(skill) for skill, _ in made]
        blind = [
            evaluate(policy, task, with_seams(shop, [family]), EPISODES, 77).score
            for policy, shop, family in zip(policies, shops, FAMILIES, strict=True)
        ]
        known = [
            evaluate(policy, task, with_seams(shop, other), EPISODES, 78).score
            for policy, shop, other in zip(policies, shops, others, strict=True)
        ]
        seconds = time.process_time() - started
        found.append(Found(who, float(np.mean(blind)), float(np.mean(known)), made[0][1], seconds))
        print(seed, found[-1], [f"{each:.2f}" for each in blind], flush=True)
    return Seed(seed, trades, taken, tuple(found))


def table(seeds: Sequence[Seed]) -> list[str]:
    """Lines of the page."""
    network = sizes(load_task(SIXTH))
    count = sum(int(np.prod(shape)) for shape in network.shapes().values())
    sent = seeds[0].found[0].sent
    trades = np.mean([seed.trades for seed in seeds])
    robots = f"{len(FAMILIES)} robots, rank {RANK}, {ROUNDS} rounds of {STEPS} steps"
    size = f"a delta has {sent / 1e3:.0f} kB, {sent / 4 / count:.1%} of the model"
    lines = [
        f"{network.in_words()}: {count / 1e6:.2f} million weights. {robots}; {size}.",
        f"The trunk did {trades:.2f} of the jobs in its five trades.",
        "",
        "| seed | who | the family to which a robot is blind | families that it knows | processor seconds |",
        "|---|---|---|---|---|",
    ]
    for seed in seeds:
        lines += [
            f"| {seed.number} | {each.who} | {each.blind:.2f} | {each.known:.2f} | {each.seconds:.0f} |"
            for each in seed.found
        ]
    means = [np.mean([[s.found[i].blind, s.found[i].known] for s in seeds], axis=0) for i in range(3)]
    for (blind, known), each in zip(means, seeds[0].found, strict=True):
        lines.append(f"| mean | {each.who} | {blind:.2f} | {known:.2f} | |")
    gain, share = means[1][0] - means[0][0], means[1][0] / means[2][0]
    lines += [
        "",
        f"On the blind family the guild is {gain:+.2f} above lone robots, and {share:.2f} of pooled.",
    ]
    return lines


def learning(seeds: int) -> list[str]:
    """All of it, one seed after the other."""
    return table([of_seed(seed) for seed in range(seeds)])
