"""Keeping attestations: an envelope goes into the store of the skill's region, its row with what it is about.

A merge and what the gate found are put before the transaction that enters them; who moves a channel is known
only within it, so that this small one is put at its very end. What is said is `skills.attestations`',
showing it `hub.attestations.views`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version as version_of

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from hub.storage.database import Database
from hub.storage.discards import Discards, discard
from hub.storage.regions import Stores, region_of
from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.events import HubRow
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import DeltaRow
from hub.storage.tables.skills import VersionRow
from hub.workers.job import Gated, GateJob, MergeJob, MergeResult
from hub.workers.weights import weight_of
from skills.attestations import Attested, attest, read_attestation, vouched
from skills.errors import ArtefactError
from skills.manifest import Digest, Manifest
from skills.messages.skills import ChannelName
from skills.predicates import Gate, Hall, Merge, MergedDelta, Release
from skills.signing import SigningKey, VerifyKey

__all__ = ["Attestations", "Kept", "has_gate"]


@dataclass(frozen=True)
class Kept:
    """An envelope that is in the store, and that no row names yet."""

    attested: Attested
    size: int
    region: str

    def enter(self, session: Session, version: VersionRow, now: datetime) -> None:
        """Add its row to the transaction in which it comes true; the same one again changes nothing.

        Raises:
            ArtefactError: It speaks of another version.
        """
        if self.attested.subject != version.digest:
            raise ArtefactError(f"it speaks of {self.attested.subject}.", where="attestation")
        if session.get(AttestationRow, self.attested.digest) is not None:
            return
        row = AttestationRow(
            digest=self.attested.digest,
            skill=version.skill,
            number=version.number,
            kind=self.attested.kind,
            signer=self.attested.signer.text,
            size=self.size,
            made_at=now,
        )
        session.add(row)
        session.flush()

    def drop(self, session: Session, now: datetime) -> None:
        """Have it deleted later: what it speaks of did not come true."""
        discard(session, self.region, self.attested.digest, now)


@dataclass(frozen=True)
class Attestations:
    """What this hub vouches for, and the gate's word that it keeps.

    Attributes:
        key: The hub's, for merges and releases.
        gate_key: Whose word on what the gate found is kept.
    """

    database: Database
    stores: Stores
    discards: Discards
    key: SigningKey
    gate_key: VerifyKey

    def merge(self, job: MergeJob, made: MergeResult) -> Kept:
        """Attest how a candidate was merged, as long as its deltas are in the journal.

        Raises:
            StoreError: It could not be kept.
        """
        with self.database.read() as session:
            organisations = _organisations(session, job)
        name = f"{made.manifest.name}@{made.manifest.version}"
        envelope = attest(self.key, name, made.digest, _merge(job, made, organisations))
        return self._keep(envelope, job.region)

    def gate(self, job: GateJob, found: Gated) -> Kept:
        """Keep what the gate signed, once it is seen to be the gate's word on what was asked.

        Raises:
            ArtefactError, SignatureError: It is not.
            StoreError: It could not be kept.
        """
        envelope = found.envelope.encode()
        said = vouched(envelope, Gate, job.candidate, [self.gate_key])
        others = {**job.kept, "": job.best}
        rivals = {**said.kept, **({"": said.best} if said.best else {})}
        is_asked = (said.reference, said.plan) == (job.current, job.plan)
        if not is_asked or any(others.get(arm) != rival.digest for arm, rival in rivals.items()):
            raise ArtefactError("the gate measured something else than it was asked.", where="attestation")
        return self._keep(envelope, job.region)

    def hall(self, manifest: Manifest, digest: Digest, above: Hall, region: str) -> Kept:
        """Attest from which version of a larger hall one has its numbers, and who vouches for it there.

        Raises:
            StoreError: It could not be kept.
        """
        envelope = attest(self.key, f"{manifest.name}@{manifest.version}", digest, above)
        return self._keep(envelope, region)

    def release(
        self,
        session: Session,
        version: VersionRow,
        channel: ChannelName,
        before: VersionRow | None,
        now: datetime,
        *,
        by: str,
        reason: str,
    ) -> None:
        """Attest that a channel moves, in the transaction that moves it.

        The time is in it, so that done again it is another one: it is put when the transaction is about to be
        committed, and one that is undone leaves nothing. Where it cannot be kept, that commit raises
        StoreError and the channel stays.
        """
        said = Release(
            channel=channel,
            version=version.number,
            before=before.digest if before else None,
            by=by,
            reason=reason,
            at=now,
        )
        envelope = attest(self.key, f"{version.skill}@{version.number}", version.digest, said)
        kept = Kept(read_attestation(envelope), len(envelope), region_of(session, version.skill))
        kept.enter(session, version, now)
        store = self.stores.of(kept.region)
        event.listen(session, "before_commit", lambda _: store.put(kept.attested.digest, envelope))

    def _keep(self, envelope: bytes, region: str) -> Kept:
        kept = Kept(read_attestation(envelope), len(envelope), region)
        self.discards.rescue(region, kept.attested.digest)
        self.stores.of(region).put(kept.attested.digest, envelope)
        return kept


def has_gate(session: Session, version: VersionRow) -> bool:
    """Whether the gate has signed what it found of a version, with the key that counts."""
    signer = session.get_one(HubRow, 1).gate_key
    its = AttestationRow.skill == version.skill, AttestationRow.number == version.number
    gate = select(AttestationRow.digest).where(
        *its, AttestationRow.kind == "gate", AttestationRow.signer == signer
    )
    return session.scalar(gate.limit(1)) is not None


def _organisations(session: Session, job: MergeJob) -> dict[str, str]:
    """Of whose robots the deltas are, by digest."""
    rows = select(DeltaRow.digest, RobotRow.organisation).join(
        RobotRow, RobotRow.robot_id == DeltaRow.robot_id
    )
    found = session.execute(rows.where(DeltaRow.round_id == job.round_id)).all()
    return {each.digest: each.organisation for each in found}


def _merge(job: MergeJob, made: MergeResult, organisations: Mapping[str, str]) -> Merge:
    return Merge(
        round_id=job.round_id,
        version=job.version,
        parents=(job.base,),
        deltas=tuple(
            MergedDelta(
                digest=each.digest,
                size=each.size,
                organisation=organisations.get(each.digest, ""),
                samples=each.samples,
                staleness=each.staleness,
                weight=weight_of(each.samples, each.staleness, job.plan, job.training, each.robots),
                trust=None if made.root is None else made.root[each.digest],
            )
            for each in sorted(job.deltas, key=lambda each: each.digest)
        ),
        training=job.training,
        plan=job.plan,
        optimiser_before=job.optimiser_before,
        optimiser_after=made.optimiser_after,
        device=made.device,
        code=version_of("zunft"),
    )
