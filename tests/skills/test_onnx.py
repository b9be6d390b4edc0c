"""A skill's ONNX file on ONNX Runtime: the same actions, jobs done and refusals, and who it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest

from envs.bundle import bundle_names
from envs.evaluate import evaluate
from envs.task import load_task
from envs.workshop import fresh_workshop
from skills import onnx_file as exporting
from skills.errors import ArtefactError, ContractError
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.networks.registry import known_networks
from skills.networks.transformer import Transformer
from skills.onnx_file import OPSET, onnx_file
from skills.onnx_policy import OnnxPolicy
from skills.policy import Policy
from skills.skill import Skill
from tests.skills.networks.test_networks import seen, skill_with
from tests.skills.samples import small_manifest, small_skill
from tests.skills.taught import taught

KINDS: list[Network] = [
    Gru(inputs=5, outputs=2, memory=64, hidden=64),
    Transformer(inputs=5, outputs=2),
    Mlp(inputs=5, outputs=2, hidden=(64, 64), activation="relu", history=4),
    Mlp(inputs=5, outputs=2, hidden=(64, 64)),
    Mlp(inputs=5, outputs=2, hidden=()),
]
PARITY = 1e-6


def words(network: Network) -> str:
    return network.in_words()


def loud(network: Network, seed: int = 0) -> Skill:
    """Untrained, but its action head, which begins near zero, as loud as its other layers."""
    tensors = network.initial(np.random.default_rng(seed), log_std=-1, first_layer=1)
    # What a norm lets through is longer than what comes out of tanh.
    by = 30 if isinstance(network, Transformer) else 100
    head = {name: each * by for name, each in tensors.items() if each.ndim == 2 and len(each) == 2}
    return Skill(small_manifest(network=network), tensors | head)


def test_every_kind_is_looked_at() -> None:
    assert {network.kind for network in KINDS} == set(known_networks())


@pytest.mark.parametrize("network", KINDS, ids=words)
def test_actions_are_the_skills_through_a_long_job(network: Network) -> None:
    skill = loud(network)
    ours, theirs = Policy(skill), OnnxPolicy.of_skill(skill)
    actions = []
    for each in seen(500):
        actions.append(ours.act(each))
        np.testing.assert_allclose(theirs.act(each), actions[-1], atol=PARITY, rtol=0)
    assert np.std(actions) > 0.1


@pytest.mark.parametrize("network", KINDS, ids=words)
def test_one_job_begins_anew_and_has_one_row(network: Network) -> None:
    skill = loud(network)
    first, then = OnnxPolicy.of_skill(skill), Policy(skill)
    for each in seen(5):
        first.act(each[0])
    again = first.begin()
    for each in seen(5):
        action = again.act(each[0])
        assert action.shape == (2,)
        np.testing.assert_allclose(action, then.act(each[0]), atol=PARITY, rtol=0)


@pytest.mark.parametrize("network", KINDS, ids=words)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_gives_no_action(network: Network, bad: float) -> None:
    rows = seen(1)[0]
    rows[1, 3] = bad
    with pytest.raises(ArtefactError, match="not finite"):
        OnnxPolicy.of_skill(loud(network)).act(rows)


def test_a_network_that_overflows_gives_no_action() -> None:
    network = Mlp(inputs=5, outputs=2, hidden=(8,) * 8, activation="relu", history=2)
    tensors = {name: np.full(shape, 1e6, np.float32) for name, shape in network.shapes().items()}
    policy = OnnxPolicy.of_skill(Skill(skill_with(network).manifest, tensors))
    with pytest.raises(ArtefactError, match="not finite"):
        policy.act(np.ones(5))


def test_another_size_or_number_is_named() -> None:
    policy = OnnxPolicy.of_skill(loud(KINDS[0]))
    with pytest.raises(ContractError, match=r"shape \(4,\) instead of 5"):
        policy.act(np.ones(4))
    policy.act(seen(1)[0])
    with pytest.raises(ContractError, match="2 observations after 3"):
        policy.act(seen(1)[0][:2])


def test_the_file_says_whose_it_is_and_what_its_numbers_mean() -> None:
    skill = small_skill()
    said = OnnxPolicy.of_skill(skill).metadata
    assert said["zunft.digest"] == skill.digest
    assert (said["zunft.skill"], said["zunft.version"], said["zunft.control_hz"]) == ("weld-seam", "1", "50")
    assert json.loads(said["zunft.contract"]) == skill.manifest.contract.model_dump(mode="json")
    assert said["zunft.observation.scales"] == "0.01,0.01,0.01,1.0,1.0"
    assert said["zunft.action.scales"] == "0.1,0.1"


def test_the_file_has_plain_operators_of_one_opset_and_only_what_acts() -> None:
    model = onnx.load_from_string(onnx_file(loud(KINDS[0])))
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    assert all(not node.domain for node in model.graph.node)
    assert [each.name for each in model.graph.input] == ["observation", "memory"]
    assert [each.name for each in model.graph.output] == ["action", "next_memory"]
    assert not [each.name for each in model.graph.initializer if "critic" in each.name]


def test_equal_skills_give_equal_files() -> None:
    assert onnx_file(loud(KINDS[0], 1)) == onnx_file(loud(KINDS[0], 1)) != onnx_file(loud(KINDS[0], 2))


class Silent(Mlp):
    """Of a package that knows nothing of graphs."""

    def graph(self, *arguments: Any) -> tuple[str, str]:
        return Network.graph(self, *arguments)


def test_a_kind_without_a_graph_says_so() -> None:
    skill = small_skill()
    network = Silent(inputs=5, outputs=2, hidden=(8, 8))
    with pytest.raises(ContractError, match="no form as a graph"):
        onnx_file(Skill(skill.manifest.model_copy(update={"network": network}), skill.tensors))


def test_a_network_beyond_what_the_format_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LARGEST", 100)
    with pytest.raises(ContractError, match="larger than an ONNX file"):
        onnx_file(small_skill())


def networks_for(task: Any) -> list[Network]:
    sizes = {"inputs": task.contract.observation_size, "outputs": task.contract.action_size}
    return [
        Mlp(**sizes, hidden=(128,)),
        Mlp(**sizes, hidden=(128,), history=2),
        Gru(**sizes, memory=64, hidden=128),
        Transformer(**sizes, width=32, layers=1, hidden=64, history=4),
    ]


@pytest.mark.parametrize("name", bundle_names())
def test_as_many_jobs_are_done_as_by_the_skill(name: str) -> None:
    task = load_task(name)
    workshop = fresh_workshop(task.file, task.file.embodiments[0], seed=3)
    done = 0
    for network in networks_for(task):
        skill = taught(task, workshop, network)
        ours = evaluate(Policy(skill), task, workshop, 6, seed=5)
        theirs = evaluate(OnnxPolicy.of_skill(skill), task, workshop, 6, seed=5)
        assert theirs.each == ours.each
        done += ours.successes
    assert done > 0
