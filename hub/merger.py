"""Merges a round: deltas out of the store, a candidate out of them. For jobs and for rebuilding.

The arithmetic is `hub.candidate`; what a round's state has to do with it is `hub.steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hub.candidate import Candidate, Received, make_candidate
from hub.jobs.job import DeltaPart, Gate, MergeJob
from hub.merging import Engine, make_chain, merge
from hub.spool import Spool
from hub.store import ObjectStore
from hub.trust import root_factors
from skills.delta import unpacked_limit
from skills.manifest import Parameters
from skills.skill import SIZE_LIMIT, Skill

__all__ = ["Merger", "prepare"]

MOMENTS = 2
"""An optimiser state has at most so many numbers for each weight."""


class Merger:
    """Reads, never writes."""

    def __init__(self, store: ObjectStore, spool: Spool, engine: Engine) -> None:
        self._store = store
        self._spool = spool
        self.engine = engine

    def skill(self, digest: str) -> Skill:
        """A version's file."""
        return Skill.from_bytes(self._store.get(digest, limit=SIZE_LIMIT), digest=digest)

    def trust(self, job: MergeJob, gate: Gate) -> dict[str, float] | None:
        """How far the gate's own rollouts trust each delta, by digest; None where the rule does not ask."""
        if job.plan.rule != "fltrust":
            return None
        base = self.skill(job.base)
        received = self._open(job.deltas, base.manifest.network.shapes())
        return root_factors(base, received, gate, job.gate, self.engine)

    def candidate(self, job: MergeJob, *, root: Mapping[str, float] | None) -> Candidate:
        """Merge the round's deltas into the next version.

        Raises:
            MergeError, ArtefactError, StoreError: See `make_candidate`.
        """
        base = self.skill(job.base)
        shapes = base.manifest.network.shapes()
        before = job.optimiser_before
        limit = MOMENTS * unpacked_limit(shapes)
        return make_candidate(
            base,
            self._open(job.deltas, shapes),
            job.plan,
            version=job.version,
            round_id=job.round_id,
            optimiser_state=self._store.get(before, limit=limit) if before else None,
            engine=self.engine,
            root=root,
        )

    def _open(self, deltas: Sequence[DeltaPart], shapes: Parameters) -> dict[str, Received]:
        return {
            each.digest: Received(
                samples=each.samples,
                success=each.success,
                norm=each.norm,
                staleness=each.staleness,
                tensors=self._spool.open(each.digest, each.size, shapes).tensors,
            )
            for each in deltas
        }


def prepare(engine: Engine) -> None:
    """Compile the mean: on a new machine that takes seconds for which no round should wait."""
    for kind in (np.float32, np.float64):
        merge([{"w": np.zeros(1, kind)}], None, make_chain("mean"), engine=engine)
