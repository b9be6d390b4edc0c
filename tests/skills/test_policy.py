"""The numpy policy: batch and single agree, actions stay in the box, wrong observations are named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from skills.errors import ArtefactError, ContractError
from skills.policy import Policy
from skills.skill import Skill
from tests.skills.samples import small_manifest, small_skill


def test_batch_and_single_observation_agree() -> None:
    policy = Policy(small_skill())
    batch = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    np.testing.assert_allclose(policy.act(batch), [policy.act(row) for row in batch], atol=1e-6)


def test_actions_stay_in_the_box() -> None:
    skill = small_skill()
    loud = Skill(skill.manifest, {name: tensor * 1000 for name, tensor in skill.tensors.items()})
    action = Policy(loud).act(np.random.default_rng(0).standard_normal((100, 5)) * 100)
    assert action.dtype == np.float32
    assert np.abs(action).max() == 1.0


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_it_computes_the_network_that_the_manifest_describes(activation: str) -> None:
    network = {"inputs": 5, "outputs": 2, "hidden": (8, 8), "activation": activation}
    skill = Skill(small_manifest(network=network), small_skill(3).tensors)
    x = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    f = np.tanh if activation == "tanh" else lambda z: np.maximum(z, 0)
    t = skill.tensors
    for layer in range(2):
        x = f(t[f"actor.{layer}.weight"] @ x + t[f"actor.{layer}.bias"])
    x = t["actor.2.weight"] @ x + t["actor.2.bias"]
    np.testing.assert_allclose(Policy(skill).act(np.array([1.0, -2.0, 0.5, 0.0, 3.0])), x, atol=1e-6)


def test_a_wrong_observation_is_named() -> None:
    with pytest.raises(ContractError, match="instead of 5 numbers"):
        Policy(small_skill()).act(np.zeros(6))


def test_using_a_skill_needs_neither_torch_nor_ray_nor_a_simulator() -> None:
    program = (
        "import sys, skills.policy, skills.skill, skills.delta, skills.signing, skills.messages;"
        "print({'torch', 'ray', 'mujoco', 'gymnasium', 'fastapi'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_no_action_follows_from_what_is_no_number(number: float, activation: str) -> None:
    network = {"inputs": 5, "outputs": 2, "hidden": (8, 8), "activation": activation}
    policy = Policy(Skill(small_manifest(network=network), small_skill().tensors))
    observation = np.zeros((3, 5))
    observation[1, 2] = number
    with pytest.raises(ContractError, match="NaN or infinite") as caught:
        policy.act(observation)
    assert caught.value.where == "observation"


def test_a_network_that_overflows_moves_no_robot() -> None:
    network = {"inputs": 5, "outputs": 2, "hidden": (8,) * 8, "activation": "relu"}
    manifest = small_manifest(network=network)
    tensors = {n: np.full(s, 1e6, np.float32) for n, s in manifest.network.shapes().items()}
    with pytest.raises(ArtefactError, match="overflows"):
        Policy(Skill(manifest, tensors)).act(np.ones(5))
