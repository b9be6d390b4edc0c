"""FLTrust's root update from the gate's own rollouts: what helped there is what the hub trusts.

For each delta the gate measures base + delta against the base on its held-out jobs: one measurement a delta
and round, as long as that of a candidate. The root is the sum of the deltas' directions, each as heavy as
what it gained, as long as the median delta; where nothing gained it is zero, and so is the step.

Rule: Cao et al. 2021 (`hub.merging.rules.trust`), who train the root on the server's own data.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

import structlog

from hub.merging import Engine
from hub.workers.job import Gate
from hub.workers.merge_round import Received, length_of_sum
from skills.codecs import decode
from skills.delta import apply
from skills.messages.plans import GatePlan
from skills.messages.skills import ScoreView
from skills.skill import Skill

__all__ = ["merit", "root_factors"]

log = structlog.get_logger("zunft.engine")


def root_factors(
    base: Skill, deltas: Mapping[str, Received], gate: Gate, plan: GatePlan, engine: Engine
) -> dict[str, float]:
    """For each delta its factor in the root update, by digest.

    Raises:
        ContractError: The gate cannot measure this task.
    """
    started = time.monotonic()
    before = merit(gate(base, None, plan).candidate)
    factors = {}
    for digest, each in deltas.items():
        tensors = {name: decode(tensor) for name, tensor in each.tensors.items()}
        moved = apply({name: base.tensors[name] for name in tensors}, tensors)
        changed = Skill(base.manifest, base.tensors | moved)
        gain = merit(gate(changed, None, plan).candidate) - before
        factors[digest] = max(0.0, gain) / each.norm if each.norm else 0.0
    log.info("merge.trust", measured=1 + len(deltas), seconds=round(time.monotonic() - started, 3))
    if not any(factors.values()):
        return factors
    # In units of the largest, so that lengths neither over- nor underflow.
    largest = max(factors.values())
    shares = {digest: factor / largest for digest, factor in factors.items()}
    length = length_of_sum([each.tensors for each in deltas.values()], list(shares.values()), engine)
    if not length:
        return dict.fromkeys(factors, 0.0)
    scale = median(each.norm for each in deltas.values()) / length
    return {digest: share * scale for digest, share in shares.items()}


def merit(score: ScoreView) -> float:
    """Mean return: it tells networks apart long before the first success. Without one, the success rate."""
    return score.score if score.mean_return is None else score.mean_return
