"""Which robot can run which skill: what a robot says it can serve, and a manifest held to that, in words.

Pure, and from manifests alone: nobody needs the skill's file. Robots tell the hub by
`PUT /robots/me/abilities`; which robots one sees is `hub.access.visibility`'s, and where a robot's contracts
come from `fleet.abilities`'s.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from skills.manifest import Contract, Digest, Manifest, Name
from skills.messages.base import Message

__all__ = ["TASKS_LIMIT", "Abilities", "Ability", "Fit", "RobotFit", "differences", "fit_of"]

SILENT = "it has not said what it serves; a robot does with its next `zunft robot run` or `use`"
NETWORKS = ("mlp",)
"""Kinds that `skills.policy` runs."""
TASKS_LIMIT = 256
MOST = 20
"""Differences that are told; a contract may have hundreds of channels."""


class Ability(Message):
    """One task that a robot can practise: the contract that it serves there, and its copy of the bundle."""

    task: Name
    task_digest: Digest | None = None
    contract: Contract


class Abilities(Message):
    """All that a robot can serve, and the kinds of network that its software runs."""

    abilities: tuple[Ability, ...] = Field(default=(), max_length=TASKS_LIMIT)
    networks: tuple[Name, ...] = Field(default=NETWORKS, max_length=16)


class Fit(Message):
    """Whether a version of a skill runs on a robot; `unknown` of one that has never said what it serves."""

    fits: Literal["yes", "no", "unknown"]
    differences: tuple[str, ...] = ()


class RobotFit(Fit):
    """A robot, and whether it can run the version that was asked about."""

    robot_id: str
    name: str
    organisation: str
    embodiment: str


def fit_of(manifest: Manifest, said: Abilities | None, embodiment: str) -> Fit:
    """Hold a version to what a robot said of itself.

    Args:
        manifest: Of the version.
        said: The robot's own words; None where it never said any.
        embodiment: Which robot it is, for the words.
    """
    if said is None:
        return Fit(fits="unknown", differences=(SILENT,))
    found = []
    if manifest.network.kind not in said.networks:
        known = ", ".join(said.networks) or "none"
        found.append(f"network of kind {manifest.network.kind} instead of {known}")
    served = [each for each in said.abilities if each.task == manifest.task]
    if not served:
        tasks = ", ".join(sorted(each.task for each in said.abilities)) or "none"
        found.append(f"this {embodiment} does not serve task {manifest.task}; it serves {tasks}")
    else:
        # It may have several bundles of one task: that which comes nearest counts.
        all_found = [differences(manifest, each.contract, each.task_digest) for each in served]
        nearest = min(all_found, key=len)
        found += nearest
    told = found[:MOST] + ([f"and {len(found) - MOST} more"] if len(found) > MOST else [])
    return Fit(fits="no" if found else "yes", differences=tuple(told))


def differences(manifest: Manifest, contract: Contract, task_digest: str | None) -> list[str]:
    """Say in words why a skill does not run where `contract` is served; empty when it does.

    Args:
        manifest: Of the skill.
        contract: What the robot senses and obeys.
        task_digest: The robot's task bundle; None compares no bundles.
    """
    found = contract.differences(manifest.contract)
    if not found and None not in {task_digest, manifest.task_digest} and task_digest != manifest.task_digest:
        found.append(f"made for another bundle of task {manifest.task}")
    return found
