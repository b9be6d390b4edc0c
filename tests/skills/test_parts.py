"""The parts of a skill: which tensors act, which are carried, and what a round's delta has of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from skills.delta import Delta, DeltaHeader, EncodedDelta, apply, learned, norm, shapes_of_delta
from skills.errors import ArtefactError
from skills.manifest import Manifest
from skills.messages.plans import TrainingPlan
from skills.parts import CARRIED, LONGEST_CHANGE, is_training, network_of, part_of, policy_of
from skills.skill import Skill
from tests.skills.samples import small_manifest, small_skill

Tensors = dict[str, NDArray[Any]]

PLAIN = TrainingPlan()
VARIATES = TrainingPlan(variates=True, share="policy")
MOMENTS = TrainingPlan(variates=True, moments=True)
POLICY = [
    "actor.0.weight",
    "actor.0.bias",
    "actor.1.weight",
    "actor.1.bias",
    "actor.2.weight",
    "actor.2.bias",
]


def carrying(*parts: str, fill: float = 0.25) -> Skill:
    """The small skill, which carries the same number everywhere."""
    manifest = small_manifest(carries=parts)
    rest = {name: np.full(shape, fill, np.float32) for name, shape in manifest.shapes().items()}
    return Skill(manifest, rest | small_skill().tensors)


def after_a_round(base: Skill, plan: TrainingPlan, seed: int = 1) -> Tensors:
    """What a robot has then: all weights, and what the plan asks for beside them."""
    rng = np.random.default_rng(seed)
    shapes = base.manifest.network.shapes() | shapes_of_delta(base.manifest, plan)
    return {name: rng.normal(size=shape).astype(np.float32) * 0.01 for name, shape in shapes.items()}


def encoded(tensors: Any, codec: str = "raw") -> bytes:
    header = DeltaHeader(base=small_skill().digest, round_id="r1", robot_id="ada", codec=codec, samples=1)
    return Delta(header, tensors).to_bytes()


def test_what_acts_is_the_policy() -> None:
    shapes = carrying(*CARRIED).manifest.shapes()
    assert list(policy_of(shapes)) == [*POLICY, "log_std"]
    assert [name for name in shapes if is_training(name)] == [
        name for name in shapes if name.startswith(("critic.", "training."))
    ]
    assert network_of(shapes) == small_skill().manifest.network.shapes()
    assert {part_of(name) for name in shapes} == {"network", *CARRIED}


def test_each_tensor_of_the_policy_and_none_of_the_critic_has_a_variate() -> None:
    manifest = small_manifest(carries=("variate",))
    policy = policy_of(manifest.network.shapes())
    carried = {name: shape for name, shape in manifest.shapes().items() if part_of(name) == "variate"}
    assert carried == {f"training.variate.{name}": shape for name, shape in policy.items()}


def test_a_skill_that_carries_nothing_has_the_bytes_that_it_always_had() -> None:
    skill = small_skill()
    assert b"carries" not in skill.to_bytes()
    assert Manifest.model_validate_json(skill.manifest.model_dump_json()).carries == ()


@pytest.mark.parametrize("parts", [("variate",), CARRIED])
def test_what_a_skill_carries_survives_its_file(parts: tuple[str, ...]) -> None:
    again = Skill.from_bytes(carrying(*parts).to_bytes())
    assert again.manifest.carries == parts
    assert (again.tensors["training.variate.log_std"] == 0.25).all()


def test_a_skill_has_exactly_what_its_manifest_says_that_it_carries() -> None:
    whole = carrying("variate")
    with pytest.raises(ArtefactError, match="lacks this tensor"):
        Skill(small_manifest(carries=CARRIED), whole.tensors)
    with pytest.raises(ArtefactError, match="does not know"):
        Skill(small_manifest(), whole.tensors)
    with pytest.raises(ValidationError, match="carries"):
        small_manifest(carries=("third",))


def test_a_root_of_a_moment_below_zero_is_refused() -> None:
    carrying(*CARRIED, fill=0.0)
    with pytest.raises(ArtefactError, match="or below 0") as caught:
        carrying(*CARRIED, fill=-1e-9)
    assert str(caught.value.where).startswith("training.second.")


def test_a_delta_has_what_the_plan_asks_for_whatever_the_base_carries() -> None:
    network = small_skill().manifest.network.shapes()
    for base in (small_skill(), carrying("variate"), carrying(*CARRIED)):
        assert shapes_of_delta(base.manifest, PLAIN) == network
        assert shapes_of_delta(base.manifest, MOMENTS) == carrying(*CARRIED).manifest.shapes()
        asked = shapes_of_delta(base.manifest, VARIATES)
        assert not any(name.startswith("critic.") for name in asked)
        assert {part_of(name) for name in asked} == {"network", "variate"}


@pytest.mark.parametrize("plan", [PLAIN, VARIATES, MOMENTS])
@pytest.mark.parametrize("base", [small_skill(), carrying("variate"), carrying(*CARRIED)])
def test_base_and_delta_make_what_the_robot_has_bit_for_bit(plan: TrainingPlan, base: Skill) -> None:
    mine = after_a_round(base, plan)
    sent = learned(mine, base, plan)
    begun = {name: base.tensors.get(name, np.zeros(part.shape, np.float32)) for name, part in sent.items()}
    found = apply(begun, sent)
    assert all(found[name].tobytes() == mine[name].tobytes() for name in found)
    assert list(found) == list(shapes_of_delta(base.manifest, plan))


def test_only_weights_are_clipped() -> None:
    base = carrying("variate", fill=0.0)
    mine = after_a_round(base, VARIATES)
    sent = learned(mine, base, VARIATES.model_copy(update={"clip_norm": 0.1}))
    assert norm(network_of(sent)) == pytest.approx(0.1)
    assert np.array_equal(sent["training.variate.log_std"], mine["training.variate.log_std"])


def test_a_robot_that_lacks_what_the_plan_asks_for_is_told_so() -> None:
    with pytest.raises(ArtefactError, match="lacks this tensor"):
        learned(small_skill(1).tensors, small_skill(), VARIATES)


@pytest.mark.parametrize("codec", ["raw", "fp16", "int8", "int8+zstd"])
def test_a_delta_with_all_parts_survives_its_file_and_knows_their_lengths(codec: str) -> None:
    base = carrying(*CARRIED)
    sent = learned(after_a_round(base, MOMENTS), base, MOMENTS)
    opened = EncodedDelta.from_bytes(encoded(sent, codec), shapes_of_delta(base.manifest, MOMENTS))
    assert opened.norms() == pytest.approx(
        {
            part: norm({name: sent[name] for name in sent if part_of(name) == part})
            for part in ("network", *CARRIED)
        },
        rel=0.01,
    )


@pytest.mark.parametrize(
    ("sent", "asked", "where", "words"),
    [
        (VARIATES, PLAIN, "critic", "lacks a critic, for which its round asks"),
        (PLAIN, VARIATES, "critic", "has a critic, for which its round does not ask"),
        (PLAIN, TrainingPlan(variates=True), "training.variate", "lacks control variates"),
        (TrainingPlan(variates=True), PLAIN, "training.variate", "has control variates"),
        (MOMENTS, TrainingPlan(variates=True), "training.first", "has first moments"),
        (TrainingPlan(variates=True), MOMENTS, "training.first", "lacks first moments"),
    ],
)
@pytest.mark.parametrize("codec", ["raw", "int8"])
def test_what_was_not_asked_for_and_what_lacks_is_refused_in_words(
    sent: TrainingPlan, asked: TrainingPlan, where: str, words: str, codec: str
) -> None:
    base = small_skill()
    data = encoded(learned(after_a_round(base, sent), base, sent), codec)
    with pytest.raises(ArtefactError, match=words) as caught:
        EncodedDelta.from_bytes(data, shapes_of_delta(base.manifest, asked))
    assert (caught.value.where, caught.value.code) == (where, "wrong_shape")
    assert caught.value.remedy


def test_no_honest_part_is_longer_than_admission_lets_it_be() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        gradients = rng.standard_normal((2, 40))
        mine, theirs = gradients / np.maximum(1, np.linalg.norm(gradients, axis=1, keepdims=True))
        assert np.linalg.norm(mine - theirs) <= LONGEST_CHANGE
        root = np.sqrt(0.99 * mine**2 + 0.01 * theirs**2)
        assert np.linalg.norm(root) <= 1 + 1e-9
