"""From deltas to a candidate: weights, the merge, server momentum, and the new version's manifest.

Pure apart from the `load` calls that bring one delta at a time. Same deltas, same bits, whichever
process merges them: they are added in the order of their digests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hub.merging import Contribution, ServerMomentum, merge_mean
from skills.container import pack, unpack
from skills.delta import Delta, apply, norm
from skills.messages import MergePlan
from skills.skill import Skill

__all__ = ["Candidate", "Received", "make_candidate"]


@dataclass(frozen=True)
class Received:
    """One admitted delta: its samples, the success that its robot reported, and how to read it."""

    samples: int
    success: float | None
    load: Callable[[], Delta]


@dataclass(frozen=True)
class Candidate:
    """What a round made.

    Attributes:
        momentum: State of the server optimiser after this round, as a file.
        metrics: `cosine` (mean over pairs of deltas), `norm` of the step, `success` (mean of what robots
            reported), as far as they are defined.
    """

    skill: Skill
    momentum: bytes
    metrics: dict[str, float]


def make_candidate(
    base: Skill,
    deltas: Mapping[str, Received],
    plan: MergePlan,
    *,
    version: int,
    round_id: str,
    momentum: bytes | None,
) -> Candidate:
    """Merge a round's deltas into the next version.

    Args:
        base: What all deltas start from.
        deltas: By digest.
        plan: Weights and server optimiser.
        version: Number of the new version.
        round_id: Goes into its manifest.
        momentum: State of the server optimiser after the round that made `base`; None at the start.

    Raises:
        MergeError: No deltas.
        ArtefactError, StoreError: A delta cannot be read.
    """
    cosines = _Cosines()
    contributions = {
        digest: Contribution(min(each.samples, plan.sample_cap), partial(cosines.watch, each.load))
        for digest, each in deltas.items()
    }
    mean = merge_mean(base.manifest.network.shapes(), contributions)
    before = unpack(momentum, "momentum")[1] if momentum is not None else None
    after, step = ServerMomentum(plan.momentum, plan.step).update(before, mean)
    manifest = base.manifest.model_copy(
        update={
            "version": version,
            "parents": (base.digest,),
            "origin": "merge",
            "round_id": round_id,
            "contributors": len(deltas),
            "samples": sum(each.samples for each in deltas.values()),
        }
    )
    reported = [each.success for each in deltas.values() if each.success is not None]
    metrics = {"norm": norm(step), **cosines.metrics()}
    if reported:
        metrics["success"] = sum(reported) / len(reported)
    return Candidate(Skill(manifest, apply(base.tensors, step)), pack("momentum", after), metrics)


class _Cosines:
    """Mean cosine over all pairs in one pass: |sum of unit vectors|^2 = n + sum over pairs of cosines."""

    def __init__(self) -> None:
        self._sum: dict[str, NDArray[np.float64]] = {}
        self._count = 0

    def watch(self, load: Callable[[], Delta]) -> dict[str, NDArray[np.float64]]:
        """Read a delta and note its direction on the way."""
        tensors = load().tensors
        length = norm(tensors)
        if length > 0:
            self._count += 1
            for name, tensor in tensors.items():
                self._sum[name] = self._sum.get(name, np.zeros(tensor.shape)) + tensor / length
        return tensors

    def metrics(self) -> dict[str, float]:
        """`cosine`, when there were two directions at least."""
        n = self._count
        return {"cosine": (norm(self._sum) ** 2 - n) / (n * (n - 1))} if n > 1 else {}
