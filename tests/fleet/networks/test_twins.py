from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns

from fleet.networks.registry import torch_network
from fleet.training.batches import MEMORY
from fleet.training.module import SkillModule
from skills.bounds import LOG_STD
from skills.errors import ArtefactError, ContractError
from skills.manifest import Channel, Contract, Manifest
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.networks.transformer import Transformer
from skills.policy import Policy
from skills.skill import Skill

Array = NDArray[Any]
UNIT = 2.0**-24  # of rounding in float32

networks = st.builds(
    Mlp,
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


def rounding_bound(skill: Skill, observation: Array) -> Array:
    """How far an action computed in float32, in any order of summation, may lie from the exact one.

    Layer by layer: a sum of n products has an error of at most gamma_n = n u / (1 - n u) times the sum of
    their absolute values (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); the error of
    the layer before is multiplied by the absolute weights, and by the steepest slope of the activation within
    reach. tanh itself is within 4 units in the last place in both libraries, that is 8 u.
    """
    network = skill.manifest.network
    assert isinstance(network, Mlp)
    exact, error = observation.astype(np.float64), np.zeros(observation.shape)
    for layer in range(len(network.hidden)):
        exact, error = affine(skill, layer, exact, error)
        if network.activation == "tanh":
            nearest_to_zero = np.maximum(abs(exact) - error, 0)
            exact, error = np.tanh(exact), error / np.cosh(nearest_to_zero) ** 2 + 8 * UNIT
        else:
            exact = np.maximum(exact, 0)
    return affine(skill, len(network.hidden), exact, error)[1]


def affine(skill: Skill, layer: int, exact: Array, error: Array) -> tuple[Array, Array]:
    """A layer's exact sums, and how far computed ones may be from them."""
    weight = skill.tensors[f"actor.{layer}.weight"].astype(np.float64).T
    bias = skill.tensors[f"actor.{layer}.bias"].astype(np.float64)
    terms = (len(weight) + 1) * UNIT
    sizes = (abs(exact) + error) @ abs(weight) + abs(bias)
    return exact @ weight + bias, error @ abs(weight) + terms / (1 - terms) * sizes


def torch_action(skill: Skill, observation: Array) -> Array:
    net = torch_network(skill.manifest.network)
    net.load(skill.tensors)
    with torch.no_grad():
        found: Array = (
            net.means(torch.from_numpy(observation), torch.zeros(len(observation), 0)).clamp(-1, 1).numpy()
        )
    return found


def observed(network: Mlp, seed: int, count: int) -> Array:
    return np.random.default_rng(seed).uniform(-10, 10, (count, network.inputs)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(networks, st.integers(0, 2**32 - 1), st.floats(0.01, 3), st.integers(1, 9))
def test_torch_and_numpy_give_the_same_action(network: Mlp, seed: int, scale: float, count: int) -> None:
    skill, observation = skill_of(network, seed, scale), observed(network, seed, count)
    difference = abs(torch_action(skill, observation).astype(float) - Policy(skill).act(observation))
    assert (difference <= 2 * rounding_bound(skill, observation)).all()


remembering: list[Network] = [
    Gru(inputs=6, outputs=3, memory=16, hidden=8),
    Mlp(inputs=6, outputs=3, hidden=(16,), history=4),
    Transformer(inputs=6, outputs=3, width=16, layers=3, heads=4, hidden=24, history=4),
]


@pytest.mark.parametrize("network", remembering, ids=lambda network: network.kind)
def test_torch_and_numpy_remember_the_same(network: Network) -> None:
    skill = skill_of(network, 0, 1.0)
    net, policy = torch_network(network), Policy(skill).begin()
    net.load(skill.tensors)
    seen = np.random.default_rng(1).standard_normal((5, 9, 6)).astype(np.float32)
    memory = torch.zeros(5, net.memory_size)
    rows, stepwise = [], []
    with torch.no_grad():
        for step in range(9):
            rows.append(memory)
            mean, memory = net.step(torch.from_numpy(seen[:, step]), memory)
            stepwise.append(mean)
            assert abs(mean.clamp(-1, 1).numpy() - policy.act(seen[:, step])).max() < 1e-5
        if net.recurrent:
            learned = net.means(torch.from_numpy(seen), rows[0])
        else:
            flat = torch.from_numpy(seen).transpose(0, 1).reshape(45, 6)
            learned = net.means(flat, torch.cat(rows)).reshape(9, 5, 3).transpose(0, 1)
    assert torch.allclose(learned, torch.stack(stepwise, dim=1), atol=1e-6)


@pytest.mark.parametrize("network", remembering, ids=lambda network: network.kind)
def test_weights_of_networks_with_memory_survive_the_way_into_torch_and_back(network: Network) -> None:
    tensors = skill_of(network, 3, 1.0).tensors
    net = torch_network(network)
    net.load(tensors)
    assert list(net.tensors()) == list(network.shapes())
    assert all(np.array_equal(net.tensors()[name], tensors[name]) for name in tensors)


def test_a_kind_without_a_twin_is_named() -> None:
    class Strange(Mlp):
        kind: Literal["strange"] = "strange"  # type: ignore[assignment]

    with pytest.raises(ContractError, match="nothing here trains networks of kind strange"):
        torch_network(Strange(inputs=1, outputs=1))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("fault", ["one weight", "bias", "activation"])
def test_the_bound_is_close_enough_to_notice_another_network(
    activation: Literal["tanh", "relu"], fault: str
) -> None:
    network = Mlp(inputs=37, outputs=5, hidden=(64, 64), activation=activation)
    skill, observation = skill_of(network, 0, 0.3), observed(network, 0, 9)
    tensors, other = {name: tensor.copy() for name, tensor in skill.tensors.items()}, network
    if fault == "one weight":
        tensors["actor.1.weight"][3, 5] += 0.05
    elif fault == "bias":
        tensors["actor.1.bias"] *= 0.99
    else:
        other = network.model_copy(update={"activation": "relu" if activation == "tanh" else "tanh"})
    changed = Skill(skill.manifest.model_copy(update={"network": other}), tensors)
    difference = abs(torch_action(changed, observation).astype(float) - Policy(skill).act(observation))
    assert (difference > 2 * rounding_bound(skill, observation)).any()


@settings(max_examples=20, deadline=None)
@given(networks, st.integers(0, 2**32 - 1))
def test_weights_survive_the_way_into_torch_and_back(network: Mlp, seed: int) -> None:
    tensors = skill_of(network, seed, 1.0).tensors
    net = torch_network(network)
    net.load(tensors)
    back = net.tensors()
    assert list(back) == list(network.shapes())
    assert all(np.array_equal(back[name], tensors[name]) for name in tensors)


def test_the_weights_given_out_do_not_change_with_the_network() -> None:
    network = Mlp(inputs=3, outputs=2, hidden=(4,))
    net = torch_network(network)
    net.load(network.initial(np.random.default_rng(0), log_std=-1, first_layer=1))
    before = net.tensors()
    with torch.no_grad():
        net.log_std.add_(1.0)
    assert np.all(before["log_std"] == -1)


@pytest.mark.parametrize("said", [-1e6, -5.0, -0.7, 0.0, 1e6])
def test_the_exploration_stays_within_its_bounds_whatever_a_skill_says(said: float) -> None:
    network = Mlp(inputs=3, outputs=2, hidden=(4,))
    net = torch_network(network)
    net.load(network.initial(np.random.default_rng(0), log_std=said, first_layer=1))
    assert net.spread().tolist() == pytest.approx([min(max(said, LOG_STD[0]), LOG_STD[1])] * 2)
    module = SkillModule(model_config={"network": network, "critic": None})
    module.net.load(net.tensors())
    batch = {Columns.OBS: torch.zeros(5, 3), MEMORY: torch.zeros(5, 0)}
    inputs = module.forward_exploration(batch)[Columns.ACTION_DIST_INPUTS]
    assert torch.equal(inputs[:, 2:], net.spread().expand(5, 2))


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape", "nan"])
def test_strange_weights_are_refused(fault: str) -> None:
    network = Mlp(inputs=3, outputs=2, hidden=(4,))
    tensors = network.initial(np.random.default_rng(0), log_std=-1, first_layer=1)
    if fault == "missing":
        del tensors["log_std"]
    elif fault == "unknown":
        tensors["extra"] = np.zeros(1, np.float32)
    elif fault == "shape":
        tensors["actor.0.weight"] = tensors["actor.0.weight"].T
    else:
        tensors["critic.1.bias"][0] = np.nan
    with pytest.raises(ArtefactError):
        torch_network(network).load(tensors)
