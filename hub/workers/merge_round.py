"""From deltas to a candidate: weights, the merge, the server optimiser, and the new version's manifest.

Same deltas, same bits, whichever process merges them on the same kind of device: deltas are taken in the
order of their digests. Each part (`skills.parts`) is merged by itself, by lengths and distances of its own:
who lies in a variate alone does not hide behind honest weights (docs/merging.md). What a skill carries moves
by the merged delta as it is, past the server optimiser: so its variate is the mean of its robots'. What comes
out is written into files that the caller gives (`hub.workers.candidate_files`). Where deltas come from and
where those files go is `hub.workers.merger`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hub.merging import Chain, Engine, Merged, MergeError, make_chain, merge
from hub.merging.low_rank import Products
from hub.merging.optimiser import Adaptive, Optimiser, ServerMomentum
from hub.merging.stack import Update
from hub.workers.candidate_files import CandidateFiles
from hub.workers.weights import weight_of
from skills.delta import matrices_of_delta, norm, shapes_of_delta
from skills.document import Parameters
from skills.files import Blob
from skills.low_rank import A, B, factors_of
from skills.manifest import Manifest
from skills.messages.plans import MergePlan, TrainingPlan
from skills.parts import by_part, network_of
from skills.skill import Skill

__all__ = ["Received", "chain_of", "check_low_rank", "length_of_sum", "write_candidate"]


@dataclass(frozen=True)
class Received:
    """One admitted delta.

    Attributes:
        samples: Environment steps behind it.
        success: What its robot reported.
        norm: Euclidean length of its network's weights.
        staleness: Rounds that it came late.
        tensors: Its numbers, as they lie in its file.
        robots: How many are behind it.
        base: Digest of what it was made from, which says how factors began.
    """

    samples: int
    success: float | None
    norm: float
    staleness: int
    tensors: Update
    robots: int = 1
    base: str = ""


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
        optimiser_state: After the round that made `base`; None at the start, and after another learner:
            then what `base` carries counts as nothing.
        engine: What computes.
        root: For `fltrust`: a factor for each delta; the root update is their sum.

    Returns:
        Metrics: `cosine` (mean over pairs of deltas), `norm` of the step - both of the network's weights -
        and `success` (mean of what robots reported), as far as they are defined.

    Raises:
        MergeError, ArtefactError, StoreError: Too few deltas for the rule, or one cannot be read.
    """
    received = [deltas[digest] for digest in sorted(deltas)]
    weights = [weight_of(each.samples, each.staleness, plan, training, each.robots) for each in received]
    factors = None if root is None else [root[digest] for digest in sorted(deltas)]
    matrices = matrices_of_delta(base.manifest, training)
    parts = _dense_parts(base, training, matrices)
    made = _manifest(base, received, training, version, round_id)
    before = network_of(base.tensors) if optimiser_state is None else base.tensors
    files = CandidateFiles(skill, state, made, before, optimiser_of(plan), optimiser_state, parts["network"])
    chain, metrics = chain_of(plan), {}
    for part, shapes in parts.items():
        updates = [{name: each.tensors[name] for name in shapes} for each in received]
        products = _products(received, matrices) if part == "network" else {}
        merged = merge(updates, weights, chain, engine=engine, shapes=shapes, root=factors, products=products)
        length, gram = _take(files, part, merged, plan)
        del merged  # as large as the part; the cosine sums the deltas once more
        if part == "network":
            metrics = {"norm": length, **_cosine(received, gram, engine)}
    files.keep_rest()
    return metrics | _reported(received)


def _dense_parts(base: Skill, training: TrainingPlan, matrices: Iterable[str]) -> dict[str, Parameters]:
    """Shapes of what travels whole, by the part of the skill that it is of."""
    replaced = {name + each for name in matrices for each in (B, A)}
    sent = shapes_of_delta(base.manifest, training)
    return by_part({name: shape for name, shape in sent.items() if name not in replaced})


def _reported(received: Sequence[Received]) -> dict[str, float]:
    """Mean success of the robots that said one."""
    said = [each.success for each in received if each.success is not None]
    return {"success": sum(said) / len(said)} if said else {}


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


def _take(
    files: CandidateFiles, part: str, merged: Merged, plan: MergePlan
) -> tuple[float, NDArray[np.float64] | None]:
    """Write what a part was merged to; how far it moved, and the Gram matrix.

    Matrices whose factors were sent move by the plan's step alone: a server optimiser with a state would keep
    as many numbers as they have.
    """
    change = files.step if part == "network" else files.move
    return hypot(change(merged.tensors), files.fold(merged.folds, plan.step)), merged.gram


def _products(received: Sequence[Received], matrices: Parameters) -> dict[str, Products]:
    """The matrices of which robots sent factors."""
    each = [factors_of(delta.tensors, matrices, delta.base) for delta in received]
    return {name: Products([factors[name] for factors in each]) for name in matrices}


def check_low_rank(base: Manifest, training: TrainingPlan, plan: MergePlan) -> None:
    """Refuse an order of factors that cannot be merged as it says.

    Raises:
        MergeError: Rule or optimiser need more than factors tell.
        ContractError: No such matrices.
    """
    if not matrices_of_delta(base, training):
        return
    rule = chain_of(plan).rule
    if rule.needs_numbers or rule.needs_root:
        why = "tries each delta in the gate" if rule.needs_root else "looks at single numbers of each delta"
        raise MergeError(
            f"{plan.rule} {why}, and with low_rank robots send factors of them.",
            where="merge.rule",
            remedy="Order mean, or a rule of distances: krum, multi-krum, mda, geometric-median, "
            "centred-clipping; clip and mixing go with each.",
        )
    if plan.optimiser != "momentum" or plan.momentum:
        raise MergeError(
            f"{plan.optimiser_in_words()} keeps a number for each weight of the matrices, and with low_rank "
            "nobody should have to.",
            where="merge.optimiser",
            remedy="Order momentum 0, with any step.",
        )


def _manifest(
    base: Skill, received: Sequence[Received], training: TrainingPlan, version: int, round_id: str
) -> Manifest:
    return base.manifest.model_copy(
        update={
            "version": version,
            "parents": (base.digest,),
            "origin": "merge",
            "round_id": round_id,
            "contributors": sum(each.robots for each in received),
            "samples": sum(each.samples for each in received),
            "carries": training.carries,
        }
    )


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
