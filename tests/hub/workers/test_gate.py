from __future__ import annotations

import numpy as np
import pytest

from envs.task import load_task
from hub.workers.gate import HeldOutGate
from skills.errors import ContractError
from skills.initial import initial_skill
from skills.manifest import Manifest
from skills.messages.plans import GatePlan
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.hub.conftest import tiny_skill

PLAN = GatePlan(embodiments=("ur5e", "panda"), episodes=2, most=2)


def weld_skill(seed: int) -> Skill:
    task = load_task("weld-seam")
    contract = task.contract
    network = Mlp(inputs=contract.observation_size, outputs=contract.action_size, hidden=(8,))
    manifest = Manifest(
        name="weld-seam", version=1, task=task.name, contract=contract, network=network, origin="initial"
    )
    return initial_skill(manifest, seed=seed)


def test_the_real_gate_measures_both_on_every_arm_and_twice_the_same() -> None:
    first = HeldOutGate()(weld_skill(0), weld_skill(1), PLAN)
    again = HeldOutGate()(weld_skill(0), weld_skill(1), PLAN)
    assert set(first.by_embodiment) == {"ur5e", "panda"}
    assert first.candidate.episodes == 4
    assert first.current is not None
    returns = [arm.mean_return for arm in first.by_embodiment.values() if arm.mean_return is not None]
    assert first.candidate.mean_return == pytest.approx(sum(returns) / 2)
    assert first.candidate.mean_return != first.current.mean_return
    assert first.model_copy(update={"seconds": 0}) == again.model_copy(update={"seconds": 0})


def test_arms_measured_side_by_side_score_as_each_alone() -> None:
    together = HeldOutGate()(weld_skill(0), None, PLAN).by_embodiment
    for arm in PLAN.embodiments:
        plan = PLAN.model_copy(update={"embodiments": (arm,)})
        assert HeldOutGate()(weld_skill(0), None, plan).by_embodiment[arm] == together[arm]


def noisy(skill: Skill, log_std: float) -> Skill:
    spread = np.full_like(skill.tensors["log_std"], log_std)
    return Skill(skill.manifest, {**skill.tensors, "log_std": spread})


def test_the_gate_says_how_the_exploring_policy_does() -> None:
    quiet = HeldOutGate()(noisy(weld_skill(0), -5), noisy(weld_skill(0), 0), PLAN)
    assert quiet.exploring is not None
    assert quiet.current_exploring is not None
    assert quiet.current is not None
    assert quiet.candidate.mean_return == quiet.current.mean_return  # without noise they are one
    assert quiet.exploring.episodes == 4
    assert (quiet.exploring.mean_return or 0) > (quiet.current_exploring.mean_return or 0)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ContractError, match="reach"):
        HeldOutGate()(tiny_skill(), None, PLAN)


def test_a_skill_with_another_contract_is_refused() -> None:
    with pytest.raises(ContractError, match="does not fit"):
        HeldOutGate()(tiny_skill(task="weld-seam"), None, PLAN)


def test_arms_that_cannot_be_simulated_are_refused_when_none_is_left() -> None:
    plan = PLAN.model_copy(update={"embodiments": ("my-own-arm",)})
    with pytest.raises(ContractError, match="my-own-arm"):
        HeldOutGate()(weld_skill(0), None, plan)
