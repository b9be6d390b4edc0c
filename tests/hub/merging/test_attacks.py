"""Liars among honest robots: how far each rule's result may be moved, and what the hub does not even let in.

Lengths are in honest spreads: the root mean square distance of the honest updates from their mean. The honest
agree on a direction that is `SIGNAL` spreads long, so f of n updates at -k times the honest mean move a plain
mean by f/n * (1 + k) * SIGNAL: 2.4 spreads for a flipped sign among 3 of 10. One honest update alone is one
spread away from the mean, and `BOUND` allows a robust rule no more than twice that.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.attacks import ATTACKS, flatten, forge, unflatten
from hub.merging import MergeError, merge_arrays
from skills.errors import ArtefactError
from tests.hub.conftest import Hall, ok, tensors_like, tiny_skill

SIGNAL = 4.0
BOUND = 2.0
LIKE = {"actor.0.weight": np.zeros((20, 15)), "log_std": np.zeros(100)}
SEEDS = range(2)
STRONG = ("sign-flip", "scaled", "ipm-2", "gaussian", "huge-norm")

Update = dict[str, NDArray[np.float64]]
Setting = tuple[str, int, int, dict[str, Any]]


def settings() -> list[Any]:
    """Each rule at the largest f that it takes of 10 and of 15 updates."""
    found: list[Setting] = []
    for n, half, third, quarter in ((10, 4, 3, 1), (15, 7, 6, 3)):
        found += [(rule, n, half, {}) for rule in ("median", "geometric-median", "mda")]
        found += [("trimmed-mean", n, half, {"trim": half / n})]
        found += [(rule, n, third, {}) for rule in ("krum", "multi-krum")]
        found += [("bulyan", n, quarter, {})]
        found += [(rule, n, half, {"mixing": True}) for rule in ("median", "geometric-median")]
        found += [("trimmed-mean", n, half, {"trim": half / n, "mixing": True})]
        found += [("krum", n, third, {"mixing": True})]
    return [
        pytest.param(*each, id=f"{each[0]}{'-mixed' if 'mixing' in each[3] else ''}-{each[2]}of{each[1]}")
        for each in found
    ]


def honest_updates(count: int, seed: int) -> list[Update]:
    rng = np.random.default_rng(seed)
    size = sum(tensor.size for tensor in LIKE.values())
    direction = rng.standard_normal(size)
    rows = SIGNAL * direction / np.linalg.norm(direction) + rng.standard_normal((count, size)) / np.sqrt(size)
    return [unflatten(row, LIKE) for row in rows]


def attacked(attack: str, count: int, liars: int, seed: int) -> tuple[list[Update], list[Update]]:
    """The honest updates, and all updates in random order."""
    rng = np.random.default_rng(seed)
    honest = honest_updates(count - liars, seed)
    everybody = [*honest, *forge(attack, honest, liars, rng)]
    return honest, [everybody[i] for i in rng.permutation(count)]


def distance(merged: Update, honest: list[Update]) -> float:
    """From the honest mean, in honest spreads."""
    rows = flatten(honest)
    spread = np.sqrt(np.square(rows - rows.mean(axis=0)).sum(axis=1).mean())
    return float(np.linalg.norm(flatten([merged])[0] - rows.mean(axis=0)) / spread)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("rule", "count", "liars", "options"), settings())
def test_a_robust_rule_stays_with_the_honest(
    rule: str, count: int, liars: int, options: dict[str, Any], attack: str
) -> None:
    for seed in SEEDS:
        honest, updates = attacked(attack, count, liars, seed)
        assert distance(merge_arrays(updates, rule=rule, byzantine=liars, **options), honest) < BOUND


@pytest.mark.parametrize(("rule", "count", "liars", "options"), settings())
def test_one_liar_more_than_the_limit_is_refused(
    rule: str, count: int, liars: int, options: dict[str, Any]
) -> None:
    with pytest.raises(MergeError):
        merge_arrays(honest_updates(count, 0), rule=rule, byzantine=liars + 1, **options)


@pytest.mark.parametrize("attack", STRONG)
def test_a_plain_mean_goes_where_liars_want(attack: str) -> None:
    for seed in SEEDS:
        honest, updates = attacked(attack, 10, 3, seed)
        assert distance(merge_arrays(updates), honest) > BOUND


@pytest.mark.parametrize(("count", "liars"), [(10, 4), (15, 7)])
@pytest.mark.parametrize("attack", ATTACKS)
def test_centred_clipping_is_pulled_no_further_than_its_radius_allows(
    attack: str, count: int, liars: int
) -> None:
    # At rest n - f honest updates, one spread around their mean, hold f clipped ones. With q = f/(n - f)
    # that is q * radius from the mean where the honest are not clipped, q / sqrt(1 - q^2) where they are.
    share = liars / (count - liars)
    for seed in SEEDS:
        honest, updates = attacked(attack, count, liars, seed)
        for radius in (None, 1.5):
            merged = merge_arrays(
                updates, rule="centred-clipping", byzantine=liars, radius=radius, iterations=50
            )
            limit = max(share * (radius or SIGNAL + 1), share / np.sqrt(1 - share**2))
            assert distance(merged, honest) < limit + 0.5


@pytest.mark.parametrize("attack", ATTACKS)
def test_fltrust_believes_whom_its_root_believes(attack: str) -> None:
    for seed in SEEDS:
        honest, updates = attacked(attack, 15, 7, seed)
        root = honest_updates(9, seed)[8]  # the same direction, noise of its own
        assert distance(merge_arrays(updates, rule="fltrust", root=root), honest) < BOUND


@pytest.mark.parametrize(("rule", "count", "liars", "options"), settings())
def test_no_length_is_long_enough(rule: str, count: int, liars: int, options: dict[str, Any]) -> None:
    honest = honest_updates(count - liars, 0)
    mean = flatten(honest).mean(axis=0)
    for length in (1e3, 1e6, 1e10):
        updates = [*honest, *[unflatten(-length * mean, LIKE)] * liars]
        assert distance(merge_arrays(updates, rule=rule, byzantine=liars, **options), honest) < BOUND


def test_clipping_bounds_what_a_long_update_does_to_a_mean() -> None:
    honest, updates = attacked("huge-norm", 10, 3, 0)
    # Three of ten at minus one median length: .3 * (1 + 1) * SIGNAL, and a little for noise in the lengths.
    assert distance(merge_arrays(updates, clip=1.0), honest) < 0.6 * SIGNAL * 1.2
    assert distance(merge_arrays(updates), honest) > 1e5


@pytest.mark.parametrize("rule", ["median", "trimmed-mean", "krum", "multi-krum", "mda", "centred-clipping"])
def test_an_inflated_sample_count_buys_nothing_from_a_rule_that_does_not_weigh(rule: str) -> None:
    _, updates = attacked("ipm-2", 10, 3, 0)
    options: dict[str, Any] = {"trim": 0.3} if rule == "trimmed-mean" else {}
    plain = merge_arrays(updates, rule=rule, byzantine=3, **options)
    for boaster in range(10):
        weights = [1e12 if place == boaster else 1.0 for place in range(10)]
        inflated = merge_arrays(updates, weights, rule=rule, byzantine=3, **options)
        assert all(np.array_equal(plain[name], inflated[name]) for name in plain)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rule", ["mean", "median", "krum", "geometric-median"])
def test_numbers_that_are_none_are_refused_not_merged(rule: str, bad: float) -> None:
    updates = honest_updates(10, 0)
    updates[4]["log_std"][7] = bad
    options: dict[str, Any] = {} if rule == "mean" else {"byzantine": 3}
    with pytest.raises(ArtefactError, match="update 4"):
        merge_arrays(updates, rule=rule, **options)


def test_a_wrong_shape_is_refused_not_merged() -> None:
    updates = honest_updates(10, 0)
    updates[4]["log_std"] = updates[4]["log_std"][:-1]
    with pytest.raises(ArtefactError, match="update 4"):
        merge_arrays(updates, rule="median", byzantine=3)


def test_ipm_turns_a_mean_as_soon_as_its_liars_outweigh_the_honest() -> None:
    for epsilon, backwards in (("ipm-0.1", False), ("ipm-2", True)):
        honest, updates = attacked(epsilon, 10, 4, 0)
        merged = flatten([merge_arrays(updates)])[0]
        assert (merged @ flatten(honest).mean(axis=0) < 0) == backwards


def test_min_max_is_as_far_as_two_honest_updates_are_apart() -> None:
    honest = flatten(honest_updates(7, 0))
    liar = flatten(forge("min-max", honest_updates(7, 0), 1, np.random.default_rng(0)))[0]
    diameter = max(np.linalg.norm(one - other) for one in honest for other in honest)
    assert max(np.linalg.norm(liar - one) for one in honest) == pytest.approx(diameter, rel=1e-9)


def test_alie_moves_each_coordinate_by_the_papers_z() -> None:
    honest = honest_updates(26, 0)
    rows = flatten(honest)
    up, down = (flatten(forge(name, honest, 24, np.random.default_rng(0)))[0] for name in ("alie+", "alie-"))
    z = 1.4261  # 50 robots, 24 of them liars: 2 must be won over, and P(Z < z) = 24/26
    np.testing.assert_allclose(up - rows.mean(axis=0), z * rows.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(rows.mean(axis=0) - down, z * rows.std(axis=0), rtol=1e-4)


@pytest.mark.parametrize("staleness", [0, 2])
def test_a_delta_that_counted_is_not_counted_again(hall: Hall, staleness: int) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    replayer, other = hall.enrol("replayer"), hall.enrol("other")
    hall.start(merge={"max_staleness": staleness})
    hall.turn()
    first, _ = replayer.assignment(), other.assignment()
    assert first is not None
    stale = replayer.delta(first, tensors_like(base, 0.1))
    ok(replayer.push(first.round_id, stale))
    ok(other.push(first.round_id, other.delta(first, tensors_like(base, 0.3))))
    hall.turn()
    second = replayer.assignment()
    assert second is not None
    assert second.number == 2
    again = replayer.push(second.round_id, stale)
    assert again.status_code == 409 or again.json()["status"] == "duplicate"
    assert other.push(second.round_id, stale).status_code == 403  # nor in another robot's name
    assert ok(replayer.push(first.round_id, stale)).json()["status"] == "duplicate"
    assert hall.round(second.round_id).deltas == 0
    assert hall.round(first.round_id).deltas == 2


def test_a_huge_delta_and_an_inflated_count_do_not_pass_the_hub(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = [hall.enrol(name) for name in ("one", "two", "three", "liar")]
    hall.start(quorum=4, merge={"sample_cap": 100, "momentum": 0.0, "step": 1.0})
    hall.turn()
    works = [work for work in (robot.assignment() for robot in robots) if work]
    deltas = [partial(robot.delta, work) for robot, work in zip(robots, works, strict=True)]
    round_id = works[0].round_id
    hall.error(robots[3].push(round_id, deltas[3](tensors_like(base, -1e3))), 422)
    for robot, delta in zip(robots[:3], deltas[:3], strict=True):
        ok(robot.push(round_id, delta(tensors_like(base, 0.1), samples=100)))
    ok(robots[3].push(round_id, deltas[3](tensors_like(base, -0.1), samples=10**12)))
    hall.turn()
    step = hall.skill(2).tensors["log_std"] - base.tensors["log_std"]
    np.testing.assert_allclose(step, (3 * 0.1 - 0.1) / 4, rtol=1e-5)


def test_the_example_on_the_operators_page_runs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "merging.md").read_text()
    examples = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "docs/merging.md", "exec"), {})  # noqa: S102 - our own page
