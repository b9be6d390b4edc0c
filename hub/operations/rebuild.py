"""Merge a round again, from what the hub has kept of it, and see whether the same version comes out.

Where the merge was attested, the attestation is held to the journal and to what comes out: so what it says of
base, deltas, rule and states is true to the last bit. Needs database and store, not a running hub; writes
nothing into either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.catalogue.catalogue import resolve
from hub.merging import Engine, MergeError, choose_engine
from hub.rounds.journal import deltas_of, merge_job, order_of
from hub.settings import SPOOL_FOLDER, Settings
from hub.storage.database import existing_database
from hub.storage.objects import ObjectStore
from hub.storage.regions import connect_stores, region_of
from hub.storage.spool import Spool
from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.events import HubRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.skills import VersionRow
from hub.workers.job import MergeJob
from hub.workers.merger import Merger
from skills.attestations import ENVELOPE_LIMIT, vouched
from skills.delta import EncodedDelta
from skills.document import Parameters
from skills.errors import NotFoundError
from skills.messages.campaigns import CampaignRequest
from skills.predicates import Merge
from skills.signing import VerifyKey
from skills.skill import Skill

__all__ = ["Rebuilt", "rebuild"]

HOLDS = "holds"


@dataclass(frozen=True)
class Rebuilt:
    """A version, and what came out now.

    Attributes:
        expected: Digest of the version.
        found: Digest of what came out.
        deltas: How many were merged.
        rule: By which rule.
        device: What merged then; empty where an older hub did not record it.
        device_now: What merged now.
        attested: What the hub's attestation comes to: empty where there is none, else that it holds, or what
            of it does not.
        differences: By tensor, the largest absolute difference; `manifest` for anything else: empty if equal.
    """

    skill: str
    version: int
    expected: str
    found: str
    deltas: int
    rule: str
    device: str
    device_now: str
    attested: str
    differences: dict[str, float]

    @property
    def same(self) -> bool:
        """Whether it is the very same file, and as attested."""
        return self.found == self.expected and self.attested in {"", HOLDS}


@dataclass(frozen=True)
class _Merge:
    """What the journal knows of the merge that made a version."""

    version: VersionRow
    round: RoundRow
    order: CampaignRequest
    deltas: list[DeltaRow]
    region: str
    attestation: str | None
    hub_key: str


def rebuild(settings: Settings, name: str, ref: str, on_delta: Callable[[int, int], None]) -> Rebuilt:
    """Merge the round again that made a version.

    Args:
        settings: The hub's.
        name: The skill.
        ref: Number or channel.
        on_delta: Told how many deltas are open and how many there are.

    Raises:
        NotFoundError: No such database, skill or version; not merged by this hub; or something is no longer
            in the store.
        MergeError, StoreError: See `hub.workers.merger`.
    """
    made = _read(settings, name, ref)
    store = connect_stores(settings).of(made.region)
    opened = 0

    class WatchedSpool(Spool):
        def open(self, digest: str, size: int, shapes: Parameters) -> EncodedDelta:
            nonlocal opened
            opened += 1
            on_delta(opened, len(made.deltas))
            return super().open(digest, size, shapes)

    engine = _engine(settings, made.round.device or "")
    merger = Merger(WatchedSpool(store, settings.data_dir / SPOOL_FOLDER), engine)
    number = made.version.number
    job, root = merge_job(made.round, made.deltas, made.order, number, made.region), made.round.root
    merge = _attested(made, store)
    with merger.candidate(job, root=root) as candidate:
        return Rebuilt(
            skill=name,
            version=number,
            expected=made.version.digest,
            found=candidate.skill.digest,
            deltas=len(made.deltas),
            rule=made.order.merge.rule,
            device=made.round.device or "",
            device_now=engine.name,
            attested=_verdict(job, root, merge, candidate.state),
            differences=_differences(merger.skill(made.version.digest), candidate.skill),
        )


def _read(settings: Settings, name: str, ref: str) -> _Merge:
    with existing_database(settings.database) as database, database.read() as session:
        return _merge_of(session, name, ref)


def _merge_of(session: Session, name: str, ref: str) -> _Merge:
    version = resolve(session, name, ref, THE_HUB)
    if version.withdrawn_at is not None:
        raise NotFoundError(
            f"v{version.number} of {name} was withdrawn, and deltas of it were deleted.",
            where="version",
            remedy="Name a version that was not.",
        )
    row = session.scalar(select(RoundRow).where(RoundRow.candidate == version.digest))
    if row is None:
        raise NotFoundError(
            f"v{version.number} of {name} was published, not merged here.",
            where="version",
            remedy="Name a version whose origin is `merge`.",
        )
    order = order_of(session.get_one(CampaignRow, row.campaign_id))
    attested = AttestationRow.skill == name, AttestationRow.number == version.number
    digest = session.scalar(
        select(AttestationRow.digest).where(*attested, AttestationRow.kind == "merge").limit(1)
    )
    deltas, region = deltas_of(session, row.round_id), region_of(session, name)
    return _Merge(version, row, order, deltas, region, digest, session.get_one(HubRow, 1).public_key)


def _attested(made: _Merge, store: ObjectStore) -> Merge | None:
    """What the hub's key has signed of the merge; None where nothing was."""
    if made.attestation is None:
        return None
    envelope = store.get(made.attestation, ENVELOPE_LIMIT)
    return vouched(envelope, Merge, made.version.digest, [VerifyKey(made.hub_key)])


def _told_otherwise(job: MergeJob, root: Mapping[str, float] | None, merge: Merge) -> list[str]:
    """What the journal tells otherwise than the attestation does."""
    pairs = {
        "the base": (job.base, merge.parents[0]),
        "the deltas": (
            [(each.digest, each.size, each.samples, each.staleness) for each in job.deltas],
            [(each.digest, each.size, each.samples, each.staleness) for each in merge.deltas],
        ),
        "how far each delta was trusted": (
            [None if root is None else root.get(each.digest) for each in job.deltas],
            [each.trust for each in merge.deltas],
        ),
        "what robots were asked for": (job.training, merge.training),
        "the rule": (job.plan, merge.plan),
        "the optimiser's state before": (job.optimiser_before, merge.optimiser_before),
        "the round": ((job.round_id, job.version), (merge.round_id, merge.version)),
    }
    return [what for what, (told, said) in pairs.items() if told != said]


def _verdict(job: MergeJob, root: Mapping[str, float] | None, merge: Merge | None, state: str) -> str:
    """What the attestation comes to, beside the version itself."""
    if merge is None:
        return ""
    if otherwise := _told_otherwise(job, root, merge):
        return f"the journal tells otherwise of {', '.join(otherwise)}"
    if merge.optimiser_after != state:
        return f"the optimiser's state comes out as {state}, not {merge.optimiser_after}"
    return HOLDS


def _engine(settings: Settings, device: str) -> Engine:
    """What merged then, where it is here; else what this hub merges with now."""
    try:
        return choose_engine(device or settings.merge_device, ray_address=settings.ray_address)
    except MergeError:
        return choose_engine(settings.merge_device, ray_address=settings.ray_address)


def _differences(expected: Skill, found: Skill) -> dict[str, float]:
    differences = {
        name: float(np.abs(found.tensors[name].astype(np.float64) - tensor).max(initial=0.0))
        for name, tensor in expected.tensors.items()
        if found.tensors[name].tobytes() != tensor.tobytes()
    }
    return differences | ({"manifest": 0.0} if found.manifest != expected.manifest else {})
