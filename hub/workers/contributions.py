"""What each delta of a round was good for: the candidate against the one that it would have been without.

Leave one out: N merges and N measurements in the gate's own jobs, each as long as that of a version with
nothing to be compared with. The mean return is compared, since it tells networks apart long before a success
does. A delta that makes everybody's skill worse, or only dilutes others' work, comes out below those that
help; what two of them do only together is not seen. Whether to ask is the campaign's (`contributions`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog

from hub.workers.job import Gate, MergeJob
from hub.workers.merger import Merger
from hub.workers.trust import merit
from skills.skill import Skill

__all__ = ["contributions"]

log = structlog.get_logger("zunft.engine")


def contributions(
    candidate: Skill, job: MergeJob, root: Mapping[str, float] | None, merger: Merger, gate: Gate
) -> dict[str, float]:
    """By how much the candidate's mean return would be lower without each delta, by digest.

    Args:
        candidate: What the job made.
        job: The merge of the round.
        root: How far each delta was trusted in it, where its rule asks.
        merger: Merges.
        gate: Measures.

    Raises:
        MergeError, ArtefactError, StoreError: See `Merger.candidate`.
        ContractError: The gate cannot measure this task.
    """
    started = time.monotonic()
    whole = merit(gate(candidate, None, job.gate).candidate)
    found = {}
    for left_out in job.deltas:
        rest = tuple(each for each in job.deltas if each is not left_out)
        with merger.candidate(job.model_copy(update={"deltas": rest}), root=root) as made:
            found[left_out.digest] = whole - merit(gate(made.skill, None, job.gate).candidate)
    seconds = round(time.monotonic() - started, 3)
    log.info("gate.contributions", merged=len(found), measured=1 + len(found), seconds=seconds)
    return found
