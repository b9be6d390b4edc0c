"""The gate's own key: workers sign with it what they measured, and the hub's process never reads it.

So whoever takes over the web process cannot say that a version passed which the gate did not see pass. The
key lies in a file that only its user may read, on the machine that measures. Run as a program this makes the
file where there is none, and prints the key's public half: that is all that the hub knows of it.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from hub.workers.job import GateJob
from skills.attestations import attest
from skills.errors import NotFoundError
from skills.files import keep_private
from skills.manifest import Digest, Manifest
from skills.messages.skills import Compared, GateReport
from skills.predicates import Decision, Figures, Gate, Rival
from skills.signing import SigningKey

__all__ = ["decision_of", "read_gate_key", "vouch_for"]


def read_gate_key(path: Path) -> SigningKey:
    """The key in this file.

    Raises:
        NotFoundError: There is none: only the hub's first start makes one.
        SignatureError: It holds no key.
    """
    if not path.exists():
        raise NotFoundError(
            "whoever measures has no key to sign with.",
            where=str(path),
            remedy="Put the gate's key file there, or name it with ZUNFT_GATE_KEY_FILE.",
        )
    return SigningKey.load_or_create(path)


def vouch_for(
    key: SigningKey, job: GateJob, manifest: Manifest, task_digest: Digest | None, report: GateReport
) -> bytes:
    """The gate's word for what it found, as an envelope."""
    gate = Gate(
        reference=job.current,
        best=_rival(report.best) if report.best else None,
        kept={arm: _rival(found) for arm, found in report.kept.items()},
        task=manifest.task,
        task_digest=task_digest,
        plan=job.plan,
        minimum=job.least.success if job.least else None,
        reached=report.reached,
        candidate=Figures.of(report.candidate),
        current=Figures.of(report.current) if report.current else None,
        nothing=Figures.of(report.nothing) if report.nothing else None,
        by_embodiment={arm: Figures.of(score) for arm, score in report.by_embodiment.items()},
        decision=decision_of(report),
        failed_on=report.failed_on,
        reason=report.reason,
        code=version("zunft"),
    )
    return attest(key, f"{manifest.name}@{manifest.version}", job.candidate, gate)


def _rival(found: Compared) -> Rival:
    return Rival(
        digest=found.reference,
        score=Figures.of(found.score),
        jobs=found.jobs,
        wins=found.wins,
        losses=found.losses,
    )


def decision_of(report: GateReport) -> Decision:
    """What a report comes to."""
    if not report.passed or report.reached is False:
        return "rejected"
    return "passed" if report.current is not None or report.reached else "unjudged"


if __name__ == "__main__":
    keep_private()
    sys.stdout.write(SigningKey.load_or_create(Path(sys.argv[1])).public.text)
