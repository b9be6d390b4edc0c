"""The law of halls: with the mean and raw deltas a tree of halls merges to what all robots at once would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.halls.share import OwnRound, Share, share_of
from hub.merging import choose_engine
from hub.workers.job import DeltaPart
from hub.workers.merge_round import Received, write_candidate
from skills.container import digest_of, unpack
from skills.delta import Delta, DeltaHeader, EncodedDelta, norm
from skills.messages.plans import MergePlan, TrainingPlan
from tests.hub.conftest import tiny_skill

ENGINE = choose_engine("cpu")
BASE = tiny_skill()
PLAIN = TrainingPlan(codec="raw")
CAP = 1000
SUM = MergePlan(step=1.0, sample_cap=CAP)


@dataclass(frozen=True)
class Leaf:
    """A robot: where its numbers come from, how large they are, and its steps."""

    seed: int
    scale: float
    samples: int


Tree = Leaf | list[Any]
leaves = st.builds(
    Leaf,
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([1e-6, 1e-2, 1.0, 1e3]),
    samples=st.integers(1, 3 * CAP),  # some boast of more than counts
)
trees = st.recursive(leaves, lambda below: st.lists(below, min_size=1, max_size=4), max_leaves=14)


def merged(shares: list[Share], plan: MergePlan) -> OwnRound:
    """What a hub makes of what was sent to it, through files as they travel."""
    received: dict[str, Received] = {}
    for number, each in enumerate(shares):
        header = DeltaHeader(
            base=BASE.digest,
            round_id="c-1",
            robot_id=f"r-{number}",
            codec="raw",
            samples=each.samples,
            robots=each.robots,
        )
        data = Delta(header, each.tensors).to_bytes()
        opened = EncodedDelta.from_bytes(data, BASE.manifest.network.shapes())
        said = opened.header
        received[digest_of(data)] = Received(
            said.samples, None, norm(dict(each.tensors)), 0, opened.tensors, said.robots
        )
    state = BytesIO()
    write_candidate(
        BytesIO(),
        state,
        BASE,
        received,
        PLAIN,
        plan,
        version=2,
        round_id="c-1",
        optimiser_state=None,
        engine=ENGINE,
    )
    parts = [
        DeltaPart(
            digest=digest,
            size=1,
            samples=it.samples,
            success=None,
            norm=it.norm,
            staleness=0,
            robots=it.robots,
        )
        for digest, it in received.items()
    ]
    return OwnRound(parts, PLAIN, plan, unpack(state.getvalue(), "state")[1])


def robot(leaf: Leaf) -> Share:
    rng = np.random.default_rng(leaf.seed)
    tensors = {name: leaf.scale * rng.normal(size=each.shape) for name, each in BASE.tensors.items()}
    return Share(tensors, 1, leaf.samples)


def handed_up(tree: Tree) -> Share:
    return robot(tree) if isinstance(tree, Leaf) else share_of([merged([handed_up(it) for it in tree], SUM)])


def robots_in(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Leaf):
        yield tree
    else:
        for each in tree:
            yield from robots_in(each)


def numbers(mean: Any) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(mean[name]).reshape(-1) for name in sorted(mean)])


@settings(deadline=None, max_examples=60)
@given(st.lists(trees, min_size=1, max_size=4))
def test_a_tree_of_halls_merges_to_what_all_robots_at_once_do(below: list[Tree]) -> None:
    robots = [leaf for each in below for leaf in robots_in(each)]
    tree, flat = (merged([handed_up(it) for it in them], SUM) for them in (below, robots))
    largest = max(float(np.abs(numbers(robot(leaf).tensors)).max()) for leaf in robots)
    # Each level sums at most 14 numbers and divides once: a few units of the last place of the largest.
    assert np.abs(numbers(tree.mean) - numbers(flat.mean)).max() <= 100 * np.finfo(np.float64).eps * largest
    assert sum(part.robots for part in tree.deltas) == len(robots)
    assert share_of([tree]).samples == share_of([flat]).samples == sum(min(it.samples, CAP) for it in robots)


def test_a_hall_that_says_less_of_its_robots_counts_less() -> None:
    hall = handed_up([Leaf(1, 1.0, CAP), Leaf(2, 1.0, CAP), Leaf(3, 1.0, CAP)])
    modest, other = Share(hall.tensors, 1, hall.samples), robot(Leaf(4, 1.0, CAP))
    said, unsaid = merged([hall, other], SUM), merged([modest, other], SUM)
    assert numbers(said.mean) == pytest.approx((3 * numbers(hall.tensors) + numbers(other.tensors)) / 4)
    assert numbers(unsaid.mean) == pytest.approx((numbers(hall.tensors) + numbers(other.tensors)) / 2)


def test_several_rounds_are_handed_up_as_the_sum_of_their_steps() -> None:
    rounds = [merged([robot(Leaf(seed, 1.0, 10))], SUM.model_copy(update={"step": 1.5})) for seed in (1, 2)]
    found = share_of(rounds)
    expected = 1.5 * sum(numbers(each.mean) for each in rounds)
    assert numbers({name: found.tensors[name] for name in found.tensors}) == pytest.approx(expected)
    assert (found.robots, found.samples) == (1, 20)
