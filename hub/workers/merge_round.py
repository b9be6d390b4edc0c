"""From deltas to a candidate: weights, the merge, the server optimiser, and the new version's manifest.

Same deltas, same bits, whichever process merges them on the same kind of device: deltas are taken in the
order of their digests. What comes out is written piece by piece into files that the caller gives. Where
deltas come from and where those files go is `hub.workers.merger`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, prod, sqrt
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hub.merging import Chain, Engine, Merged, make_chain, merge
from hub.merging.optimiser import Adaptive, Optimiser, ServerMomentum
from hub.merging.stack import Update
from skills.bounds import bounded
from skills.container import PIECE, Spec, Tensors, TensorWriter, check_shapes, unpack
from skills.delta import apply, norm
from skills.document import Parameters
from skills.files import Blob
from skills.manifest import Manifest
from skills.messages.plans import MergePlan
from skills.skill import Skill

__all__ = ["Received", "chain_of", "discount", "length_of_sum", "write_candidate"]


@dataclass(frozen=True)
class Received:
    """One admitted delta.

    Attributes:
        samples: Environment steps behind it.
        success: What its robot reported.
        norm: Its Euclidean length.
        staleness: Rounds that it came late.
        tensors: Its numbers, as they lie in its file.
    """

    samples: int
    success: float | None
    norm: float
    staleness: int
    tensors: Update


def write_candidate(
    skill: BinaryIO,
    state: BinaryIO,
    base: Skill,
    deltas: Mapping[str, Received],
    plan: MergePlan,
    *,
    version: int,
    round_id: str,
    optimiser_state: Blob | None,
    engine: Engine,
    root: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Merge a round's deltas into the next version.

    Args:
        skill: An empty file for the version.
        state: An empty file for the state of the server optimiser after this round.
        base: What the update is added to.
        deltas: By digest.
        plan: Weights, rule and server optimiser.
        version: Number of the new version.
        round_id: Goes into its manifest.
        optimiser_state: After the round that made `base`; None at the start. That of another kind of
            optimiser is left aside.
        engine: What computes.
        root: For `fltrust`: a factor for each delta; the root update is their sum.

    Returns:
        Metrics: `cosine` (mean over pairs of deltas), `norm` of the step, `success` (mean of what robots
        reported), as far as they are defined.

    Raises:
        MergeError: No deltas, or too few for the rule.
        ArtefactError, StoreError: A delta cannot be read.
    """
    digests = sorted(deltas)
    received = [deltas[digest] for digest in digests]
    updates = [each.tensors for each in received]
    weights = [min(each.samples, plan.sample_cap) * discount(each.staleness) for each in received]
    shapes = base.manifest.network.shapes()
    factors = None if root is None else [root[digest] for digest in digests]
    manifest = _manifest(base, received, version, round_id)
    optimiser = optimiser_of(plan)
    before = _state_for(optimiser, optimiser_state, shapes)
    length, gram = _write(
        skill,
        state,
        manifest,
        base.tensors,
        # As large as the skill: nobody here keeps it.
        merge(updates, weights, chain_of(plan), engine=engine, shapes=shapes, root=factors),
        optimiser,
        before,
    )
    metrics = {"norm": length, **_cosine(received, gram, engine, shapes)}
    reported = [each.success for each in received if each.success is not None]
    if reported:
        metrics["success"] = sum(reported) / len(reported)
    return metrics


def chain_of(plan: MergePlan) -> Chain:
    """The plan's chain.

    Raises:
        MergeError: Options that the rule does not have or that make no sense.
    """
    return make_chain(plan.rule, plan.options, clip=plan.clip, mixing=plan.mixing)


def optimiser_of(plan: MergePlan) -> Optimiser:
    """The plan's server optimiser."""
    if plan.optimiser == "momentum":
        return ServerMomentum(plan.momentum, plan.step)
    return Adaptive(plan.optimiser, plan.learning_rate, plan.beta1, plan.beta2, plan.tau)


def length_of_sum(
    updates: Sequence[Update], factors: Sequence[float], engine: Engine, shapes: Parameters
) -> float:
    """Euclidean length of the sum of factor * update, in one pass; factors are 0 or more, not all 0."""
    mean = merge(updates, factors, make_chain("mean"), engine=engine, shapes=shapes).tensors
    return norm(mean) * sum(factors)


def _manifest(base: Skill, received: Sequence[Received], version: int, round_id: str) -> Manifest:
    return base.manifest.model_copy(
        update={
            "version": version,
            "parents": (base.digest,),
            "origin": "merge",
            "round_id": round_id,
            "contributors": len(received),
            "samples": sum(each.samples for each in received),
        }
    )


def _state_for(optimiser: Optimiser, data: Blob | None, shapes: Parameters) -> Tensors | None:
    """The state, if it is one of this kind of optimiser."""
    if data is None:
        return None
    kind, state = unpack(data, "optimiser state")
    if kind != optimiser.kind:
        return None
    expected = {moment: shape for name, shape in shapes.items() for moment in optimiser.moments(name)}
    check_shapes(state, expected, "optimiser state")
    return state


def _write(
    skill: BinaryIO,
    state: BinaryIO,
    manifest: Manifest,
    base: Tensors,
    merged: Merged,
    optimiser: Optimiser,
    before: Tensors | None,
) -> tuple[float, NDArray[np.float64] | None]:
    """Let the optimiser make a step of the mean, piece by piece; its length, and the merge's Gram matrix."""
    shapes = manifest.network.shapes()
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    weights = TensorWriter(
        skill, manifest.model_dump_json(), {name: Spec(single, shape) for name, shape in shapes.items()}
    )
    specs = {each: Spec(double, shape) for name, shape in shapes.items() for each in optimiser.moments(name)}
    moments = TensorWriter(state, optimiser.kind, specs)
    lengths = []
    for name, shape in shapes.items():
        for start in range(0, prod(shape), PIECE):
            here = slice(start, start + PIECE)
            past = None if before is None else _cut(before, optimiser.moments(name), here)
            after, step = optimiser.update(past, _cut(merged.tensors, [name], here))
            weights.write(name, bounded(name, apply(_cut(base, [name], here), step)[name]), start)
            for moment, numbers in after.items():
                moments.write(moment, numbers, start)
            lengths.append(norm(step))
    return hypot(*lengths), merged.gram


def _cut(tensors: Tensors, names: Sequence[str], here: slice) -> Tensors:
    return {name: tensors[name].reshape(-1)[here] for name in names}


def _cosine(
    received: Sequence[Received], gram: NDArray[np.float64] | None, engine: Engine, shapes: Parameters
) -> dict[str, float]:
    """Mean cosine over all pairs of deltas: |sum of unit vectors|^2 = n + sum over pairs of cosines."""
    inverse = np.array([1 / each.norm if each.norm else 0.0 for each in received])
    n = np.count_nonzero(inverse)
    if n < 2:
        return {}
    if gram is None:
        square = length_of_sum([each.tensors for each in received], list(inverse), engine, shapes) ** 2
    else:
        square = float(inverse @ gram @ inverse)
    return {"cosine": (square - n) / (n * (n - 1))}


def discount(staleness: int) -> float:
    """Factor on the weight of a delta that comes so many rounds late."""
    return 1 / sqrt(1 + staleness)
