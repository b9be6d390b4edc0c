"""Skills merged as files: what each learned beyond a common base, by any rule. No campaign, no robots.

The rules are `hub.merging`'s; publishing the result is its owner's business.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hub.merging import Chain, Engine, MergeError, merge
from skills.container import Tensors
from skills.delta import apply, norm, subtract
from skills.errors import ContractError
from skills.manifest import Manifest
from skills.parts import network_of, policy_of
from skills.skill import Skill

__all__ = ["merge_skills"]

LEAST_ALIKE = 0.2
"""Cosine of two skills' matrices: some .97 after training from one network, 0 within .02 from two."""


def merge_skills(
    skills: Sequence[Skill],
    base: Skill,
    chain: Chain,
    weights: Sequence[float] | None,
    *,
    engine: Engine,
    unrelated: bool = False,
) -> Skill:
    """Base + merge of (skill - base).

    Args:
        skills: With one task, contract and network.
        base: What differences are taken from; the mean and the median do not depend on it.
        chain: Clipping and rule.
        weights: One for each skill; None: equal.
        engine: What computes.
        unrelated: Whether skills that did not begin from one network are merged all the same.

    Returns:
        A skill of the first one's name; its version follows the newest, its parents are the skills' digests.

    Raises:
        ContractError: The skills do not belong together, or are not alike enough to have begun together.
        MergeError: See `hub.merging.merge`.
    """
    for number, skill in enumerate(skills, start=1):
        _check_same(skill.manifest, base.manifest, f"file {number}")
        if not unrelated:
            _check_related(skill, base, f"file {number}")
    if chain.rule.needs_root:
        raise MergeError(
            "fltrust needs the rollouts of a hub's gate.",
            where="rule",
            remedy="Choose another rule here, or fltrust in a campaign.",
        )
    network = network_of(base.tensors)
    updates = [subtract(network_of(skill.tensors), network) for skill in skills]
    merged = merge(updates, weights, chain, engine=engine, shapes=base.manifest.network.shapes())
    manifest = skills[0].manifest.model_copy(
        update={
            "version": 1 + max(skill.manifest.version for skill in skills),
            "parents": tuple(skill.digest for skill in skills),
            "origin": "upload",  # `merge` is what a hub has merged itself, from deltas that it can show
            "round_id": None,
            "carries": (),  # what helps to train one lineage is none of the other's
            "contributors": sum(skill.manifest.contributors for skill in skills),
            "samples": sum(skill.manifest.samples for skill in skills),
        }
    )
    return Skill(manifest, apply(network, merged.tensors))


def _check_same(manifest: Manifest, base: Manifest, where: str) -> None:
    remedy = "Merge only skills of one task that began from one network."
    if manifest.task != base.task:
        raise ContractError(f"its task is {manifest.task}, not {base.task}.", where=where, remedy=remedy)
    differences = base.contract.differences(manifest.contract)
    if differences:
        raise ContractError(f"its contract differs: {'; '.join(differences)}.", where=where, remedy=remedy)
    if manifest.network != base.network:
        raise ContractError(
            f"its network is {manifest.network.in_words()}, not {base.network.in_words()}.",
            where=where,
            remedy=remedy,
        )


def _check_related(skill: Skill, base: Skill, where: str) -> None:
    alike = _alike(skill.tensors, base.tensors)
    if alike < LEAST_ALIKE:
        raise ContractError(
            f"it began from another network: its weights and the base's have a cosine of {alike:.2f}.",
            where=where,
            remedy="Units of networks that began apart mean different things, and their means nothing "
            "(docs/merging.md). Name the common start with --base, or merge all the same with --force.",
        )


def _alike(mine: Tensors, other: Tensors) -> float:
    """Cosine of all matrices that act, as one vector; 1 where one of them is zero."""
    names = [name for name, tensor in policy_of(mine).items() if tensor.ndim > 1]
    inner = sum(float(np.vdot(mine[name], other[name])) for name in names)
    lengths = [norm({name: tensors[name] for name in names}) for tensors in (mine, other)]
    return inner / (lengths[0] * lengths[1]) if all(lengths) else 1.0
