"""Skills merged as files: what each learned beyond a common base, by any rule. No campaign, no robots.

The rules are `hub.merging`'s; publishing the result is its owner's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.merging import Chain, Engine, MergeError, merge
from skills.delta import apply, subtract
from skills.errors import ContractError
from skills.manifest import Manifest
from skills.parts import network_of
from skills.skill import Skill

__all__ = ["merge_skills"]


def merge_skills(
    skills: Sequence[Skill], base: Skill, chain: Chain, weights: Sequence[float] | None, *, engine: Engine
) -> Skill:
    """Base + merge of (skill - base).

    Args:
        skills: With one task, contract and network.
        base: What differences are taken from; the mean and the median do not depend on it.
        chain: Clipping and rule.
        weights: One for each skill; None: equal.
        engine: What computes.

    Returns:
        A skill of the first one's name; its version follows the newest, its parents are the skills' digests.

    Raises:
        ContractError: The skills do not belong together.
        MergeError: See `hub.merging.merge`.
    """
    for number, skill in enumerate(skills, start=1):
        _check_same(skill.manifest, base.manifest, f"file {number}")
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
