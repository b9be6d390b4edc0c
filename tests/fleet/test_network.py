from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.network import ActorCritic
from skills.errors import ArtefactError
from skills.initial import initial_tensors
from skills.manifest import Channel, Contract, Manifest, Network
from skills.policy import Policy
from skills.skill import Skill

networks = st.builds(
    Network,
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 8),
    hidden=st.lists(st.integers(1, 64), max_size=3).map(tuple),
    activation=st.sampled_from(["tanh", "relu"]),
)


def skill_of(network: Network, seed: int, scale: float) -> Skill:
    random = np.random.default_rng(seed)
    tensors = {
        name: (scale * random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in network.shapes().items()
    }
    contract = Contract(
        observation=(Channel(name="all", size=network.inputs, unit="1", scale=1),),
        action=(Channel(name="all", size=network.outputs, unit="1", scale=1),),
        control_hz=50,
    )
    return Skill(Manifest(name="any", version=1, task="any", contract=contract, network=network), tensors)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks, st.integers(0, 2**32 - 1), st.floats(0.01, 3), st.integers(1, 9))
def test_torch_and_numpy_give_the_same_action(network: Network, seed: int, scale: float, count: int) -> None:
    skill = skill_of(network, seed, scale)
    observation = np.random.default_rng(seed).uniform(-10, 10, (count, network.inputs)).astype(np.float32)
    net = ActorCritic(network)
    net.load(skill.tensors)
    with torch.no_grad():
        mean = net.mean(torch.from_numpy(observation)).clamp(-1, 1).numpy()
    np.testing.assert_allclose(mean, Policy(skill).act(observation), rtol=0, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(networks, st.integers(0, 2**32 - 1))
def test_weights_survive_the_way_into_torch_and_back(network: Network, seed: int) -> None:
    tensors = skill_of(network, seed, 1.0).tensors
    net = ActorCritic(network)
    net.load(tensors)
    back = net.tensors()
    assert list(back) == list(network.shapes())
    assert all(np.array_equal(back[name], tensors[name]) for name in tensors)


def test_the_weights_given_out_do_not_change_with_the_network() -> None:
    network = Network(inputs=3, outputs=2, hidden=(4,))
    net = ActorCritic(network)
    net.load(initial_tensors(network, seed=0, log_std=-1, first_layer=1))
    before = net.tensors()
    with torch.no_grad():
        net.log_std.add_(1.0)
    assert np.all(before["log_std"] == -1)


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape", "nan"])
def test_strange_weights_are_refused(fault: str) -> None:
    network = Network(inputs=3, outputs=2, hidden=(4,))
    tensors = initial_tensors(network, seed=0, log_std=-1, first_layer=1)
    if fault == "missing":
        del tensors["log_std"]
    elif fault == "unknown":
        tensors["extra"] = np.zeros(1, np.float32)
    elif fault == "shape":
        tensors["actor.0.weight"] = tensors["actor.0.weight"].T
    else:
        tensors["critic.1.bias"][0] = np.nan
    with pytest.raises(ArtefactError):
        ActorCritic(network).load(tensors)
