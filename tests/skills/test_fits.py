"""Whether a skill runs on a robot, by manifests alone."""

from __future__ import annotations

import pytest

from skills.fits import MOST, NETWORKS, Abilities, Ability, Fit, differences, fit_of
from skills.manifest import Channel, Contract, Manifest
from skills.networks.mlp import Mlp
from tests.skills.samples import small_contract, small_manifest

DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
MANIFEST = small_manifest()


def serving(contract: Contract, task: str = MANIFEST.task, digest: str | None = None) -> Abilities:
    return Abilities(abilities=(Ability(task=task, task_digest=digest, contract=contract),))


def test_a_robot_that_serves_the_contract_fits() -> None:
    assert fit_of(MANIFEST, serving(small_contract()), "ur5e") == Fit(fits="yes")


def test_a_robot_that_said_nothing_is_unknown_and_not_refused() -> None:
    found = fit_of(MANIFEST, None, "ur5e")
    assert found.fits == "unknown"
    assert "has not said" in found.differences[0]


def test_a_robot_without_the_task_says_what_it_serves() -> None:
    found = fit_of(MANIFEST, serving(small_contract(), "fold-shirt"), "quadrotor")
    wanted = f"this quadrotor does not serve task {MANIFEST.task}; it serves fold-shirt"
    assert found == Fit(fits="no", differences=(wanted,))
    assert fit_of(MANIFEST, Abilities(), "quadrotor").differences[0].endswith("it serves none")


def test_each_difference_is_said_in_words() -> None:
    contract = small_contract()
    first, *others = contract.observation
    changed = contract.model_copy(
        update={"observation": (first.model_copy(update={"scale": 2.5}), *others), "control_hz": 20.0}
    )
    found, size = fit_of(MANIFEST, serving(changed), "ur5e"), f"{first.size} x {first.unit}"
    assert found.fits == "no"
    assert found.differences == (
        f"control rate {contract.control_hz} Hz instead of 20.0 Hz",
        f"observation has {first.name} as {size} over {first.scale:g} instead of {size} over 2.5",
    )


def test_a_network_that_the_robots_software_does_not_run() -> None:
    said = serving(small_contract()).model_copy(update={"networks": ("spiking",)})
    assert fit_of(MANIFEST, said, "ur5e").differences == ("network of kind mlp instead of spiking",)


def test_this_release_runs_what_it_describes() -> None:
    assert Mlp(inputs=1, outputs=1).kind in NETWORKS


@pytest.mark.parametrize(("mine", "fits"), [(None, True), (DIGEST, True), (OTHER, False)])
def test_a_bundle_that_both_name_must_be_the_same(mine: str | None, fits: bool) -> None:
    manifest = MANIFEST.model_copy(update={"task_digest": DIGEST})
    assert (differences(manifest, small_contract(), mine) == []) == fits


def test_hundreds_of_differences_are_cut_short() -> None:
    channels = tuple(Channel(name=f"c{n}", size=1, unit="1", scale=1) for n in range(100))
    manifest: Manifest = small_manifest()
    found = fit_of(manifest, serving(small_contract().model_copy(update={"observation": channels})), "ur5e")
    assert len(found.differences) == MOST + 1
    assert found.differences[-1].startswith("and ")
