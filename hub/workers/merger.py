"""Merges a round: deltas out of the store, a candidate out of them. For jobs and for rebuilding.

The arithmetic is `hub.workers.merge_round`; what a round's state has to do with it is
`hub.rounds.round_steps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub.merging import Engine, make_chain, merge
from hub.storage.spool import Spool
from hub.workers.job import DeltaPart, Gate, MergeJob
from hub.workers.merge_round import Received, write_candidate
from hub.workers.trust import root_factors
from skills.container import digest_of
from skills.delta import shapes_of_delta, unpacked_limit
from skills.document import Parameters
from skills.files import map_file
from skills.skill import Skill

__all__ = ["Candidate", "Merger", "prepare"]

MOMENTS = 2
"""An optimiser state has at most so many numbers for each weight."""


@dataclass(frozen=True)
class Candidate:
    """What a round made, in files that are gone once nobody looks at the candidate any more.

    Attributes:
        skill: The next version, as views of its file.
        skill_file: That file.
        state: Digest of the server optimiser's state after this round.
        state_file: The state's file.
        metrics: See `hub.workers.merge_round`.
    """

    skill: Skill
    skill_file: Path
    state: str
    state_file: Path
    metrics: dict[str, float]


class Merger:
    """Reads what is stored, and writes into files of its own."""

    def __init__(self, spool: Spool, engine: Engine) -> None:
        self._spool = spool
        self.engine = engine

    def skill(self, digest: str) -> Skill:
        """A version."""
        return self._spool.skill(digest)

    def trust(self, job: MergeJob, gate: Gate) -> dict[str, float] | None:
        """How far the gate's own rollouts trust each delta, by digest; None where the rule does not ask."""
        if job.plan.rule != "fltrust":
            return None
        base = self.skill(job.base)
        received = self._open(job.deltas, shapes_of_delta(base.manifest, job.training))
        return root_factors(base, received, gate, job.gate, self.engine)

    @contextmanager
    def candidate(self, job: MergeJob, *, root: Mapping[str, float] | None) -> Iterator[Candidate]:
        """Merge the round's deltas into the next version, which is there for the block.

        Raises:
            MergeError, ArtefactError, StoreError: See `write_candidate`.
        """
        base = self.skill(job.base)
        before = job.optimiser_before
        limit = MOMENTS * unpacked_limit(base.manifest.network.shapes())
        with self._spool.scratch() as skill, self._spool.scratch() as state:
            metrics = write_candidate(
                skill,
                state,
                base,
                self._open(job.deltas, shapes_of_delta(base.manifest, job.training)),
                job.training,
                job.plan,
                version=job.version,
                round_id=job.round_id,
                optimiser_state=self._spool.map(before, limit) if before else None,
                engine=self.engine,
                root=root,
            )
            skill.flush()
            state.flush()
            yield Candidate(
                Skill.open(skill), Path(skill.name), digest_of(map_file(state)), Path(state.name), metrics
            )

    def _open(self, deltas: Sequence[DeltaPart], shapes: Parameters) -> dict[str, Received]:
        opened = {each.digest: self._spool.open(each.digest, each.size, shapes) for each in deltas}
        return {
            each.digest: Received(
                samples=each.samples,
                success=each.success,
                norm=each.norm,
                staleness=each.staleness,
                tensors=opened[each.digest].tensors,
                base=opened[each.digest].header.base,
                robots=each.robots,
            )
            for each in deltas
        }


def prepare(engine: Engine) -> None:
    """Compile the mean: on a new machine that takes seconds for which no round should wait."""
    for kind in (np.float32, np.float64):
        merge([{"w": np.zeros(1, kind)}], None, make_chain("mean"), engine=engine)
