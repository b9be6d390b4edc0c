"""The first version of a skill is made from a seed, bit for bit."""

from __future__ import annotations

import numpy as np

from skills.networks.mlp import Mlp
from skills.policy import Policy
from tests.skills.samples import small_skill

NETWORK = Mlp(inputs=5, outputs=2, hidden=(8, 8))


def test_same_seed_same_digest_and_another_seed_another() -> None:
    assert small_skill(4).digest == small_skill(4).digest != small_skill(5).digest


def test_the_first_policy_hardly_moves() -> None:
    observation = np.random.default_rng(0).standard_normal((50, 5))
    assert np.abs(Policy(small_skill()).act(observation)).max() < 0.05


def test_hidden_layers_are_orthogonal_and_exploration_is_as_asked() -> None:
    tensors = NETWORK.initial(np.random.default_rng(0), log_std=-0.5, first_layer=1.0)
    middle = tensors["critic.1.weight"].astype(np.float64)
    np.testing.assert_allclose(middle @ middle.T, 2 * np.eye(8), atol=1e-5)
    assert (tensors["log_std"] == np.float32(-0.5)).all()
