"""What is collected, what it is worth, and how it is cut for a learner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fleet.networks.registry import torch_network
from fleet.training.advantages import advantages
from fleet.training.batches import MASK, MEMORY, minibatches, sequences, steps
from fleet.training.sampler import Rollout, Sampler
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from tests.fleet.toys import ACTION, HORIZON, OBSERVATION, PointCopies

PLAIN = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(4,))
RECURRENT = Gru(inputs=OBSERVATION, outputs=ACTION, memory=4, hidden=4)
HISTORY = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(4,), history=3)


def sampler(network: Network = PLAIN) -> Sampler:
    torch.manual_seed(0)
    return Sampler(PointCopies(8, 3), torch_network(network), seed=3)


def rollout(**changes: Any) -> Rollout:
    """Two steps of one environment, after which its time is over."""
    fields: dict[str, Any] = {
        "observations": np.zeros((3, 1, 1), np.float32),
        "memories": np.zeros((3, 1, 0), np.float32),
        "truths": np.zeros((3, 1, 0), np.float32),
        "actions": np.zeros((2, 1, 1), np.float32),
        "log_probabilities": np.zeros((2, 1), np.float32),
        "rewards": np.ones((2, 1), np.float32),
        "terminated": np.zeros((2, 1), bool),
        "truncated": np.array([[False], [True]]),
        "real": np.ones((2, 1), bool),
    }
    return Rollout(**{**fields, **changes})


def test_every_real_step_counts_once_and_no_reset_does() -> None:
    sampled = sampler()
    ended = 0
    for _ in range(3):
        found = sampled.collect(8 * 30)
        counted = found.observations[:-1, :, -1]
        assert found.rewards[found.real].max() < 1000
        assert (found.rewards[~found.real] == 1000).all()
        assert (counted[~found.real] >= HORIZON // 2).all()  # the last observation of the job before
        assert not (found.done & ~found.real).any()
        ended += int(found.done.sum())
        assert len(sampled.returns) == found.done.sum()
    assert ended > 8


@pytest.mark.parametrize("network", [RECURRENT, HISTORY], ids=lambda each: each.kind)
def test_memories_are_carried_along_and_empty_where_a_job_begins(network: Network) -> None:
    sampled = sampler(network)
    net, before = sampled._network, None
    for _ in range(2):  # the second goes on where the first ended
        found = sampled.collect(8 * 30)
        if before is not None:
            assert np.array_equal(found.memories[0], before)
        before = found.memories[-1]
        begins = found.observations[:-1, :, -1] == 0
        assert begins.any()
        assert (found.memories[:-1][begins] == 0).all()
        for step in range(29):
            seen, memory = (torch.from_numpy(each[step]) for each in (found.observations, found.memories))
            with torch.no_grad():
                _, after = net.step(seen, memory)
            on = found.real[step]
            assert np.allclose(found.memories[step + 1][on], after.numpy()[on], atol=1e-6)


def test_who_is_called_away_goes_on_where_it_stood() -> None:
    sampled, steps = sampler(), iter(range(5))
    sampled.on_step = lambda: None if next(steps, None) is not None else stop()
    with pytest.raises(InterruptedError):
        sampled.collect(8 * 30)
    sampled.on_step = lambda: None
    env: Any = sampled.env
    assert (env.state[:, -1] == 5).all()
    before = env.state.copy()
    assert np.array_equal(sampled.collect(8).observations[0], before)


def stop() -> None:
    raise InterruptedError


@pytest.mark.parametrize("network", [RECURRENT, HISTORY], ids=lambda each: each.kind)
def test_who_leaves_begins_new_jobs_and_counts_no_half_ones(network: Network) -> None:
    sampled = sampler(network)
    before = sampled.collect(8 * 5)
    sampled.env.step(np.ones((8, ACTION)))  # somebody else's
    sampled.leave()
    found = sampled.collect(8 * (HORIZON + 1))
    assert (found.observations[0, :, -1] == 0).all()
    assert (found.observations[0, :, 0] != before.observations[0, :, 0]).all()
    assert (found.memories[0] == 0).all()
    whole = np.where(found.real, found.rewards, 0)[: HORIZON // 2].sum(axis=0)
    half_way = found.terminated[HORIZON // 2 - 1]
    assert sampled.returns[: half_way.sum()] == pytest.approx(whole[half_way].tolist())


def test_nothing_follows_jobs_that_were_given_up() -> None:
    sampled = sampler(RECURRENT)
    first = sampled.collect(8 * 5).left()
    sampled.leave()
    both = Rollout.joined([first, sampled.collect(8 * 5)])
    cut = sequences(both, columns(both))
    assert len(cut["seen"]) == 16
    assert (cut[MASK].sum(1) == 5).all()
    assert (cut["seen"][:, 0, -1] == 0).all()
    # What the last of them promised still counts, as where a job's time is over.
    gained = advantages(both, np.full((12, 8), 8.0, np.float32), discount=0.5, trace=1.0)
    assert np.allclose(gained[4], both.rewards[4] + 0.5 * 8 - 8)


def test_what_only_the_twin_knows_comes_with_the_observation_that_it_belongs_to() -> None:
    class Knowing(PointCopies):
        def reset(self, **options: Any) -> Any:
            observation, infos = super().reset(**options)
            return observation, infos | {"twin": observation[:, :2] * 2}

        def step(self, actions: Any) -> Any:
            observation, *rest, infos = super().step(actions)
            return observation, *rest, infos | {"twin": observation[:, :2] * 2}

    found = Sampler(Knowing(8, 3), torch_network(PLAIN), seed=3).collect(8 * 30)
    np.testing.assert_array_equal(found.truths, found.observations[..., :2] * 2)


def test_values_look_beyond_a_time_that_is_over_but_not_beyond_a_failure() -> None:
    worth = np.full((3, 1), 8.0, np.float32)  # every observation
    over = advantages(rollout(), worth, discount=0.5, trace=1.0)
    assert (over + worth[:-1])[:, 0] == pytest.approx([3.5, 5.0])
    failed = rollout(terminated=np.array([[False], [True]]), truncated=np.zeros((2, 1), bool))
    assert (advantages(failed, worth, 0.5, 1.0) + worth[:-1])[:, 0] == pytest.approx([1.5, 1.0])


def test_nothing_is_gained_by_a_reset_nor_through_it() -> None:
    reset = rollout(
        real=np.array([[True], [False]]),
        truncated=np.array([[True], [False]]),
        rewards=np.array([[1.0], [1000.0]], np.float32),
    )
    found = advantages(reset, np.zeros((3, 1), np.float32), discount=0.9, trace=0.9)
    assert found[:, 0].tolist() == [1.0, 0.0]


def test_advantages_are_the_sum_of_the_formula() -> None:
    random = np.random.default_rng(0)
    rewards, values = random.standard_normal((6, 2)), random.standard_normal((7, 2))
    shape = (6, 2)
    found = advantages(
        rollout(
            rewards=rewards.astype(np.float32),
            terminated=np.zeros(shape, bool),
            truncated=np.zeros(shape, bool),
            real=np.ones(shape, bool),
        ),
        values.astype(np.float32),
        discount=0.9,
        trace=0.8,
    )
    errors = rewards + 0.9 * values[1:] - values[:-1]
    expected = [sum((0.9 * 0.8) ** later * errors[t + later] for later in range(6 - t)) for t in range(6)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def columns(found: Rollout) -> dict[str, Any]:
    return {"seen": found.observations, MEMORY: found.memories, "gained": found.rewards}


def test_single_steps_are_all_real_ones() -> None:
    found = sampler().collect(8 * 50)
    cut = steps(found, columns(found))
    assert len(cut["seen"]) == found.real.sum()
    assert torch.equal(cut["gained"], torch.from_numpy(found.rewards[found.real]))


def test_sequences_hold_every_real_step_once_in_its_order_and_begin_with_their_memory() -> None:
    found = sampler(RECURRENT).collect(8 * 50)
    cut = sequences(found, columns(found))
    mask = cut[MASK].bool()
    assert mask.sum() == found.real.sum()
    for row, length in enumerate(mask.sum(1).tolist()):
        counted = cut["seen"][row, :length, -1]
        assert torch.equal(counted, torch.arange(length) + counted[0])  # one job, without a gap
        assert mask[row, :length].all()
        assert (cut[MEMORY][row] == 0).all() == (counted[0] == 0)
        assert (cut["gained"][row, length:] == 0).all()


@pytest.mark.parametrize("size", [7, 40, 10_000])
def test_each_epoch_takes_every_row_once(size: int) -> None:
    found = sampler(RECURRENT).collect(8 * 50)
    for batch in (steps(found, columns(found)), sequences(found, columns(found))):
        rows = len(batch["gained"])
        parts = list(minibatches(batch, size, epochs=2))
        assert sum(len(each["gained"]) for each in parts) == 2 * rows
        half = parts[: len(parts) // 2]
        gained = torch.cat([each["gained"].reshape(len(each["gained"]), -1).sum(1) for each in half])
        whole = batch["gained"].reshape(rows, -1).sum(1)
        assert torch.allclose(gained.sort().values, whole.sort().values)
