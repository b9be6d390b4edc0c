"""Kinds of network: what a manifest says of them, how they begin, and what the numpy side remembers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from skills.errors import ArtefactError, ContractError
from skills.initial import initial_skill
from skills.manifest import Manifest
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.networks.transformer import Transformer
from skills.policy import Policy
from skills.skill import Skill
from tests.skills.samples import small_manifest, small_skill

KINDS: list[Network] = [
    Gru(inputs=5, outputs=2, memory=8, hidden=4),
    Transformer(inputs=5, outputs=2, width=8, layers=2, heads=2, hidden=16, history=3),
    Mlp(inputs=5, outputs=2, hidden=(8,), history=3),
    Mlp(inputs=5, outputs=2, hidden=(8,)),
]
REMEMBERING = KINDS[:3]


def skill_with(network: Network, seed: int = 0) -> Skill:
    untrained = initial_skill(small_manifest(network=network), seed=seed)
    # The action head begins near zero: louder, so that what is remembered shows.
    loud = {name: t * 20 if "action" in name else t for name, t in untrained.tensors.items()}
    return Skill(untrained.manifest, loud)


def seen(steps: int, count: int = 3, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((steps, count, 5)).astype(np.float32)


@pytest.mark.parametrize("network", KINDS, ids=lambda each: each.in_words())
def test_a_manifest_brings_back_the_kind_that_was_written(network: Network) -> None:
    skill = skill_with(network)
    read = Skill.from_bytes(skill.to_bytes())
    assert type(read.manifest.network) is type(network)
    assert read.manifest == skill.manifest
    assert set(read.tensors) == set(network.shapes())


def test_a_network_without_history_is_written_as_before_there_was_one() -> None:
    written = json.loads(small_skill().manifest.model_dump_json())["network"]
    assert set(written) == {"kind", "inputs", "outputs", "hidden", "activation"}
    del written["kind"]  # the oldest files
    again = json.loads(small_skill().manifest.model_dump_json()) | {"network": written}
    assert Manifest.model_validate(again).network == small_skill().manifest.network


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    document = json.loads(small_skill().manifest.model_dump_json())
    document["network"]["kind"] = "lstm"
    with pytest.raises(ValueError, match="no network of kind 'lstm' here; known are gru, mlp, transformer"):
        Manifest.model_validate(document)


@pytest.mark.parametrize("network", KINDS, ids=lambda each: each.in_words())
def test_equal_seeds_begin_with_equal_bits(network: Network) -> None:
    assert skill_with(network, 4).digest == skill_with(network, 4).digest != skill_with(network, 5).digest


@pytest.mark.parametrize("network", REMEMBERING, ids=lambda each: each.kind)
def test_what_was_seen_before_changes_the_action(network: Network) -> None:
    first, second = seen(2)
    policy = Policy(skill_with(network))
    told, fresh = policy.begin(), policy.begin()
    told.act(first)
    assert abs(told.act(second) - fresh.act(second)).max() > 1e-4


@pytest.mark.parametrize("network", REMEMBERING, ids=lambda each: each.kind)
def test_a_new_job_begins_without_a_memory_of_the_last(network: Network) -> None:
    policy = Policy(skill_with(network))
    before = [policy.act(each) for each in seen(4)]
    again = policy.begin()
    assert all(np.array_equal(again.act(each), action) for each, action in zip(seen(4), before, strict=True))


@pytest.mark.parametrize("network", REMEMBERING, ids=lambda each: each.kind)
def test_one_job_and_many_side_by_side_are_the_same(network: Network) -> None:
    many, one = Policy(skill_with(network)), Policy(skill_with(network))
    for each in seen(5):
        np.testing.assert_allclose(one.act(each[1]), many.act(each)[1], atol=1e-6)


def test_a_history_is_the_last_observations_with_zeros_before_them() -> None:
    network = Mlp(inputs=5, outputs=2, hidden=(8,), history=3)
    plain = Mlp(inputs=15, outputs=2, hidden=(8,))
    tensors = skill_with(network).tensors
    actor, flat = network.actor(tensors), plain.actor(tensors)
    memory = np.zeros((1, 10), np.float32)
    frames = [np.zeros((1, 5), np.float32)] * 2
    for each in seen(4, count=1):
        frames.append(each)
        mean, memory = actor.mean(each, memory)
        expected, _ = flat.mean(np.concatenate(frames[-3:], axis=1), np.zeros((1, 0), np.float32))
        np.testing.assert_array_equal(mean, expected)


def test_another_number_of_jobs_without_a_new_beginning_is_named() -> None:
    policy = Policy(skill_with(REMEMBERING[0]))
    policy.act(seen(1)[0])
    with pytest.raises(ContractError, match="2 observations after 3"):
        policy.act(seen(1)[0][:2])


def test_a_memory_that_overflows_moves_no_robot() -> None:
    network = Mlp(inputs=5, outputs=2, hidden=(8,) * 8, activation="relu", history=2)
    manifest = small_manifest(network=network)
    tensors = {name: np.full(shape, 1e6, np.float32) for name, shape in network.shapes().items()}
    with pytest.raises(ArtefactError, match="overflows"):
        Policy(Skill(manifest, tensors)).act(np.ones(5))
