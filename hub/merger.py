"""Merges a round: deltas out of the store, a candidate out of them. For the engine and for rebuilding.

The arithmetic is `hub.candidate`; what a round's state has to do with it is `hub.steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hub.candidate import Candidate, Received, make_candidate
from hub.gate import Gate
from hub.merging import Engine, make_chain, merge
from hub.models import DeltaRow, RoundRow
from hub.spool import Spool
from hub.store import ObjectStore
from hub.trust import root_factors
from skills.delta import unpacked_limit
from skills.manifest import Parameters
from skills.messages import CampaignRequest
from skills.skill import SIZE_LIMIT, Skill

__all__ = ["Merger"]

MOMENTS = 2
"""An optimiser state has at most so many numbers for each weight."""


class Merger:
    """Reads, never writes."""

    def __init__(self, store: ObjectStore, spool: Spool, engine: Engine) -> None:
        self._store = store
        self._spool = spool
        self.engine = engine

    def prepare(self) -> None:
        """Compile the mean: on a new machine that takes seconds for which no round should wait."""
        for kind in (np.float32, np.float64):
            merge([{"w": np.zeros(1, kind)}], None, make_chain("mean"), engine=self.engine)

    def skill(self, digest: str) -> Skill:
        """A version's file."""
        return Skill.from_bytes(self._store.get(digest, limit=SIZE_LIMIT), digest=digest)

    def trust(
        self, row: RoundRow, deltas: Sequence[DeltaRow], order: CampaignRequest, gate: Gate
    ) -> dict[str, float] | None:
        """How far the gate's own rollouts trust each delta, by digest; None where the rule does not ask."""
        if order.merge.rule != "fltrust":
            return None
        base = self.skill(row.base)
        received = self._open(deltas, base.manifest.network.shapes())
        return root_factors(base, received, gate, order.gate, self.engine)

    def candidate(
        self,
        row: RoundRow,
        deltas: Sequence[DeltaRow],
        order: CampaignRequest,
        *,
        version: int,
        root: Mapping[str, float] | None,
    ) -> Candidate:
        """Merge the round's deltas into a version with this number.

        Raises:
            MergeError, ArtefactError, StoreError: See `make_candidate`.
        """
        base = self.skill(row.base)
        shapes = base.manifest.network.shapes()
        before = row.optimiser_before
        limit = MOMENTS * unpacked_limit(shapes)
        return make_candidate(
            base,
            self._open(deltas, shapes),
            order.merge,
            version=version,
            round_id=row.round_id,
            optimiser_state=self._store.get(before, limit=limit) if before else None,
            engine=self.engine,
            root=root,
        )

    def _open(self, deltas: Sequence[DeltaRow], shapes: Parameters) -> dict[str, Received]:
        return {
            each.digest: Received(
                samples=each.samples,
                success=each.metrics.get("success"),
                norm=each.norm,
                staleness=each.staleness,
                tensors=self._spool.open(each.digest, each.size, shapes).tensors,
            )
            for each in deltas
        }
