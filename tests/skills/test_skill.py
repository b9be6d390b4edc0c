"""The artefact: one file, immutable, named by its digest."""

from __future__ import annotations

import json
import mmap
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.container import digest_of, pack
from skills.errors import ArtefactError
from skills.manifest import Channel, Contract, Manifest
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.skills.samples import small_contract, small_manifest, small_skill


def test_bytes_round_trip_to_the_same_digest_and_tensors() -> None:
    skill = small_skill()
    again = Skill.from_bytes(skill.to_bytes(), digest=skill.digest)
    assert again.digest == skill.digest == digest_of(again.to_bytes())
    assert again.manifest == skill.manifest
    assert all(np.array_equal(again.tensors[name], tensor) for name, tensor in skill.tensors.items())


def test_equal_content_gives_equal_bytes_whatever_the_order_of_tensors() -> None:
    skill = small_skill()
    backwards = Skill(skill.manifest, dict(reversed(skill.tensors.items())))
    assert backwards.to_bytes() == skill.to_bytes()


def test_save_and_load(tmp_path: Path) -> None:
    skill = small_skill()
    skill.save(tmp_path / "deep" / "a.skill")
    assert Skill.load(tmp_path / "deep" / "a.skill").digest == skill.digest
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.skill"]


def test_a_loaded_skill_is_its_mapped_file_which_may_be_deleted(tmp_path: Path) -> None:
    skill = small_skill()
    skill.save(tmp_path / "a.skill")
    loaded = Skill.load(tmp_path / "a.skill", digest=skill.digest)
    (tmp_path / "a.skill").unlink()
    for name, tensor in loaded.tensors.items():
        backing: Any = tensor
        while isinstance(backing, np.ndarray):
            backing = backing.base
        assert isinstance(backing.obj, mmap.mmap)
        assert np.array_equal(tensor, skill.tensors[name])
    assert (loaded.blob, loaded.size) == (skill.to_bytes(), len(skill.to_bytes()))


def test_a_file_of_another_writer_keeps_its_digest_also_in_another_process(tmp_path: Path) -> None:
    skill = small_skill()
    header, tensors = skill.to_bytes().split(b'"log_std"')
    other = (
        header.replace(b'{"__metadata__"', b'{ "__metadata__"').removesuffix(b",") + b',"log_std"' + tensors
    )
    (tmp_path / "a.skill").write_bytes(struct.pack("<Q", struct.unpack("<Q", other[:8])[0] + 1) + other[8:])
    loaded = Skill.load(tmp_path / "a.skill")
    assert loaded.digest != skill.digest
    assert pickle.loads(pickle.dumps(loaded)).digest == loaded.digest  # noqa: S301


def test_fields_of_a_newer_writer_survive_a_round_trip() -> None:
    skill = small_skill()
    document = json.loads(skill.manifest.model_dump_json()) | {"colour": "blue"}
    newer = Skill.from_bytes(pack(json.dumps(document), skill.tensors))
    assert json.loads(newer.manifest.model_dump_json())["colour"] == "blue"
    assert Skill.from_bytes(newer.to_bytes()).digest == newer.digest


@given(cut=st.integers(0, 10_000))
def test_every_truncation_is_refused(cut: int) -> None:
    data = small_skill().to_bytes()
    with pytest.raises(ArtefactError):
        Skill.from_bytes(data[: cut % len(data)])


@given(data=st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ArtefactError):
        Skill.from_bytes(data)


@given(
    header=st.recursive(
        st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_any_json_header_is_refused(header: object) -> None:
    text = json.dumps({"__metadata__": {"zunft": header}}).encode()
    with pytest.raises(ArtefactError):
        Skill.from_bytes(struct.pack("<Q", len(text)) + text)


def test_a_header_that_claims_to_be_huge_is_refused_before_reading() -> None:
    with pytest.raises(ArtefactError, match="not a skill"):
        Skill.from_bytes(struct.pack("<Q", 2**60) + b"{}")


def test_another_digest_is_refused_with_a_remedy() -> None:
    with pytest.raises(ArtefactError, match="fetch it again") as caught:
        Skill.from_bytes(small_skill(0).to_bytes(), digest=small_skill(1).digest)
    assert caught.value.code == "wrong_digest"


@pytest.mark.parametrize(
    ("name", "tensor", "code"),
    [
        ("actor.0.weight", np.zeros((8, 4), np.float32), "wrong_shape"),
        ("actor.9.weight", np.zeros((8, 5), np.float32), "wrong_shape"),
        ("actor.0.bias", np.full(8, np.nan, np.float32), "not_finite"),
        ("actor.0.bias", np.full(8, np.inf, np.float32), "not_finite"),
        ("actor.0.bias", np.zeros(8, np.float64), "bad_artefact"),
    ],
)
def test_wrong_tensors_are_refused_by_name(name: str, tensor: np.ndarray, code: str) -> None:
    skill = small_skill()
    data = pack(skill.manifest.model_dump_json(), {**skill.tensors, name: tensor})
    with pytest.raises(ArtefactError) as caught:
        Skill.from_bytes(data)
    assert (caught.value.code, caught.value.where) == (code, name)


def test_a_missing_tensor_is_named() -> None:
    skill = small_skill()
    fewer = {name: tensor for name, tensor in skill.tensors.items() if name != "log_std"}
    with pytest.raises(ArtefactError, match="log_std: the skill lacks"):
        Skill(skill.manifest, fewer)


def test_a_bad_manifest_names_its_field() -> None:
    skill = small_skill()
    document = json.loads(skill.manifest.model_dump_json()) | {"version": 0}
    with pytest.raises(ArtefactError) as caught:
        Skill.from_bytes(pack(json.dumps(document), skill.tensors))
    assert caught.value.where == "manifest.version"


def test_a_network_that_does_not_fit_the_contract_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        small_manifest(network=Mlp(inputs=6, outputs=2))


def test_shapes_list_actor_critic_and_log_std() -> None:
    shapes = Mlp(inputs=5, outputs=2, hidden=(8,)).shapes()
    assert shapes == {
        "actor.0.weight": (8, 5), "actor.0.bias": (8,), "actor.1.weight": (2, 8), "actor.1.bias": (2,),
        "critic.0.weight": (8, 5), "critic.0.bias": (8,), "critic.1.weight": (1, 8), "critic.1.bias": (1,),
        "log_std": (2,),
    }  # fmt: skip


def test_contracts_say_in_words_how_they_differ() -> None:
    contract = small_contract()
    assert contract.differences(contract) == []
    wrench = Channel(name="wrench", size=6, unit="N", scale=10)
    other = Contract(observation=(*contract.observation, wrench), action=contract.action, control_hz=100)
    assert contract.differences(other) == [
        "control rate 100.0 Hz instead of 50.0 Hz",
        "observation has unknown wrench (6 x N)",
    ]
    swapped = contract.model_copy(update={"observation": contract.observation[::-1]})
    assert contract.differences(swapped) == ["observation channels are in another order"]


def test_manifest_is_immutable() -> None:
    manifest: Manifest = small_manifest()
    with pytest.raises(ValueError, match="frozen"):
        manifest.version = 2  # type: ignore[misc]
