"""From deltas to a candidate: weights, the merge, the server optimiser, and the new version's manifest.

Same deltas, same bits, whichever process merges them on the same kind of device: deltas are taken in the
order of their digests. What a skill carries beside its network (`skills.parts`) is moved by the merged delta
as it is, past the server optimiser: so the skill's variate is the mean of its robots'. What comes out is
written piece by piece into files that the caller gives. Where deltas come from and where those files go is
`hub.workers.merger`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, prod, sqrt
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hub.merging import Chain, Engine, Merged, make_chain, merge
from hub.merging.optimiser import Adaptive, Optimiser, ServerMomentum
from hub.merging.stack import Update
from skills.bounds import bounded
from skills.container import PIECE, Spec, Tensors, TensorWriter, check_shapes, unpack
from skills.delta import norm, shapes_of_delta
from skills.document import Parameters
from skills.files import Blob
from skills.manifest import Manifest
from skills.messages.plans import MergePlan, TrainingPlan
from skills.parts import is_carried, network_of
from skills.skill import Skill

__all__ = ["Received", "chain_of", "discount", "length_of_sum", "write_candidate"]


@dataclass(frozen=True)
class Received:
    """One admitted delta.

    Attributes:
        samples: Environment steps behind it.
        success: What its robot reported.
        norm: Euclidean length of its network's weights.
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
    training: TrainingPlan,
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
        training: Which tensors they have, and what the version carries; the network's others stay the base's.
        plan: Weights, rule and server optimiser.
        version: Number of the new version.
        round_id: Goes into its manifest.
        optimiser_state: After the round that made `base`; None at the start. That of another kind of
            optimiser is left aside.
        engine: What computes.
        root: For `fltrust`: a factor for each delta; the root update is their sum.

    Returns:
        Metrics: `cosine` (mean over pairs of deltas), `norm` of the step - both of the network's weights -
        and `success` (mean of what robots reported), as far as they are defined.

    Raises:
        MergeError: No deltas, or too few for the rule.
        ArtefactError, StoreError: A delta cannot be read.
    """
    digests = sorted(deltas)
    received = [deltas[digest] for digest in digests]
    updates = [each.tensors for each in received]
    weights = [min(each.samples, plan.sample_cap) * discount(each.staleness) for each in received]
    shapes = shapes_of_delta(base.manifest, training)
    factors = None if root is None else [root[digest] for digest in digests]
    optimiser = optimiser_of(plan)
    before = _state_for(optimiser, optimiser_state, network_of(shapes))
    length, gram = _write(
        skill,
        state,
        _manifest(base, received, training, version, round_id),
        base.tensors,
        # As large as the skill: nobody here keeps it.
        merge(updates, weights, chain_of(plan), engine=engine, shapes=shapes, root=factors),
        optimiser,
        before,
    )
    metrics = {"norm": length, **_cosine(received, gram, engine)}
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


def length_of_sum(updates: Sequence[Update], factors: Sequence[float], engine: Engine) -> float:
    """Euclidean length of the sum of factor * update, in one pass, of their networks' weights.

    Factors are 0 or more, not all 0.
    """
    networks = [network_of(each) for each in updates]
    mean = merge(networks, factors, make_chain("mean"), engine=engine).tensors
    return norm(mean) * sum(factors)


def _manifest(
    base: Skill, received: Sequence[Received], training: TrainingPlan, version: int, round_id: str
) -> Manifest:
    return base.manifest.model_copy(
        update={
            "version": version,
            "parents": (base.digest,),
            "origin": "merge",
            "round_id": round_id,
            "contributors": len(received),
            "samples": sum(each.samples for each in received),
            "carries": training.carries,
        }
    )


def _state_for(optimiser: Optimiser, data: Blob | None, shapes: Parameters) -> Tensors:
    """The state, as far as it is one of this kind of optimiser and of these tensors."""
    if data is None:
        return {}
    kind, state = unpack(data, "optimiser state")
    if kind != optimiser.kind:
        return {}
    # A campaign before this one may have left the critic at home, or not.
    known = {name: shape for name, shape in shapes.items() if optimiser.moments(name)[0] in state}
    expected = {moment: shape for name, shape in known.items() for moment in optimiser.moments(name)}
    found = {name: state[name] for name in expected if name in state}
    check_shapes(found, expected, "optimiser state")
    return found


def _write(
    skill: BinaryIO,
    state: BinaryIO,
    manifest: Manifest,
    base: Tensors,
    merged: Merged,
    optimiser: Optimiser,
    before: Tensors,
) -> tuple[float, NDArray[np.float64] | None]:
    """Let the optimiser make a step of the mean, piece by piece; its length, and the merge's Gram matrix."""
    shapes = manifest.shapes()
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    weights = TensorWriter(
        skill, manifest.model_dump_json(), {name: Spec(single, shape) for name, shape in shapes.items()}
    )
    stepping = network_of(merged.tensors)
    specs = {each: Spec(double, shapes[name]) for name in stepping for each in optimiser.moments(name)}
    moments = TensorWriter(state, optimiser.kind, specs)
    lengths = []
    for name, here in _pieces(shapes):
        old = _piece(base, name, here) if name in base else np.zeros(1, single)
        new = old
        if name in stepping:
            past = _cut(before, optimiser.moments(name), here)
            after, step = optimiser.update(past or None, _cut(merged.tensors, [name], here))
            for moment, numbers in after.items():
                moments.write(moment, numbers, here.start)
            lengths.append(norm(step))
            new = old + step[name]
        elif is_carried(name):
            new = old + _piece(merged.tensors, name, here).astype(np.float64)
        weights.write(name, bounded(name, new), here.start)
    return hypot(*lengths), merged.gram


def _pieces(shapes: Parameters) -> Iterator[tuple[str, slice]]:
    for name, shape in shapes.items():
        for start in range(0, prod(shape), PIECE):
            yield name, slice(start, start + PIECE)


def _piece(tensors: Tensors, name: str, here: slice) -> NDArray[Any]:
    return tensors[name].reshape(-1)[here]


def _cut(tensors: Tensors, names: Sequence[str], here: slice) -> Tensors:
    return {name: _piece(tensors, name, here) for name in names if name in tensors}


def _cosine(
    received: Sequence[Received], gram: NDArray[np.float64] | None, engine: Engine
) -> dict[str, float]:
    """Mean cosine over all pairs of deltas: |sum of unit vectors|^2 = n + sum over pairs of cosines."""
    inverse = np.array([1 / each.norm if each.norm else 0.0 for each in received])
    n = np.count_nonzero(inverse)
    if n < 2:
        return {}
    if gram is None:
        square = length_of_sum([each.tensors for each in received], list(inverse), engine) ** 2
    else:
        square = float(inverse @ gram @ inverse)
    return {"cosine": (square - n) / (n * (n - 1))}


def discount(staleness: int) -> float:
    """Factor on the weight of a delta that comes so many rounds late."""
    return 1 / sqrt(1 + staleness)
