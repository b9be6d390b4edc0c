"""A version of the larger hall as one of this hall's: the same numbers under the next number here.

Its manifest names the larger hall's version as what it was made from. It is a candidate like any other, and
what it may become is the gate's to say. Who vouches for it above is `skills.attestations`'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.attestations.keeping import Attestations
from hub.catalogue.catalogue import Catalogue, add_version
from hub.catalogue.channels import ask_release, is_fit, stable_of
from hub.catalogue.moves import make_candidate, make_stable
from hub.catalogue.publishing import add_skill, check_same_task, next_number
from hub.clock import Clock
from hub.organisations.quotas import hold
from hub.organisations.registry import find_organisation
from hub.storage.database import Database
from hub.storage.discards import Discards
from hub.storage.record import UPPER_HALL, note, record
from hub.storage.regions import region_of
from hub.storage.spool import Spool, SpoolFile
from hub.storage.tables.halls import AdoptedRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.tuf.contents import mark
from hub.tuf.own_keys import key_of
from skills.container import PIECE, Spec, TensorWriter, pieces
from skills.errors import ConflictError, ZunftError
from skills.manifest import Manifest
from skills.messages.halls import SharePlan
from skills.predicates import Hall
from skills.skill import Skill

__all__ = ["Adoption"]

TAKEN_BACK = "The larger hall has withdrawn the version after it."


@dataclass(frozen=True)
class Adoption:
    """Takes versions in, each once."""

    database: Database
    discards: Discards
    spool: Spool
    catalogue: Catalogue
    attestations: Attestations
    clock: Clock

    def adopted(self, digest: str) -> AdoptedRow | None:
        """What became here of the larger hall's version of that digest."""
        with self.database.read() as session:
            return session.get(AdoptedRow, digest)

    def is_brought_down(self, digest: str) -> bool:
        """Whether the gate was asked to look at it."""
        row = self.adopted(digest)
        return row is not None and row.brought_down

    def adopt(self, skill: Skill, plan: SharePlan, above: Hall) -> int:
        """Its number here; the same version again has the same.

        Args:
            skill: The larger hall's, vouched for and whole.
            plan: What this hall's owner said of it.
            above: Who vouches for it there.

        Raises:
            ContractError: It has another task or contract than this hall's versions.
            ConflictError: Somebody published meanwhile: do it again.
            TooLargeError: Its organisation has no room for it.
            StoreError: It could not be kept.
        """
        known = self.adopted(skill.digest)
        if known is not None:
            return known.number
        with self.database.read() as session:
            manifest, region = self._manifest(session, skill, plan)
        with self._file(manifest, skill) as file, self.discards.keeping(region, file):
            kept = self.attestations.hall(manifest, file.digest, above, region)
            try:
                with self.database.write() as session:
                    version = self._enter(session, manifest, file, plan, region)
                    kept.enter(session, version, version.created_at)
                    session.add(_row(skill, version))
            except ZunftError:
                self.discards.add(region, kept.attested.digest)
                raise
        return manifest.version

    def bring_down(self, digest: str) -> bool:
        """Have the gate look at an adopted version, so that it may become stable; whether that is new."""
        with self.database.write() as session:
            row = session.get_one(AdoptedRow, digest)
            version = session.get_one(VersionRow, (row.skill, row.number))
            stable = stable_of(session, row.skill)
            if (
                row.brought_down
                or version.withdrawn_at is not None
                or (stable and stable.number == row.number)
            ):
                return False
            row.brought_down = True
            ask_release(session, version, "stable", self.clock(), by=UPPER_HALL)
            return True

    def of_stable(self, skill: str) -> AdoptedRow | None:
        """The larger hall's version that is stable here, if it is one of that hall's."""
        with self.database.read() as session:
            stable = stable_of(session, skill)
            its = AdoptedRow.skill == skill, AdoptedRow.number == (stable.number if stable else 0)
            return session.scalar(select(AdoptedRow).where(*its))

    def take_back(self, digest: str) -> None:
        """Withdraw here what the larger hall has withdrawn, with what was made from it."""
        with self.database.write() as session:
            row, now = session.get_one(AdoptedRow, digest), self.clock()
            own = session.get_one(VersionRow, (row.skill, row.number))
            versions = session.scalars(select(VersionRow).where(VersionRow.skill == row.skill)).all()
            gone = [each for each in versions if each is own or own.digest in each.manifest["parents"]]
            for each in (it for it in gone if it.withdrawn_at is None):
                each.withdrawn_at = now
                number, gone_digest = each.number, each.digest
                record(session, "version.withdrawn", now, skill=row.skill, version=number, digest=gone_digest)
                note(session, "version.withdrawn", now, by=UPPER_HALL, subject=row.skill, version=number)
            mark(session, session.get_one(SkillRow, row.skill).organisation)
            self._fall_back(session, row.skill, [it for it in versions if it.withdrawn_at is None], now)

    def _fall_back(self, session: Session, skill: str, sound: Sequence[VersionRow], now: datetime) -> None:
        """Channels that point at what was withdrawn go to the newest that was not; stable, if that passed."""
        left = sorted(sound, key=lambda each: each.number)
        passed = [each for each in left if is_fit(each) and each.gate and each.gate["passed"]]
        for channel, those in (("candidate", left), ("stable", passed)):
            row = session.get(ChannelRow, (skill, channel))
            if row is None or any(each.number == row.number for each in left):
                continue
            if not those:
                session.delete(row)
            elif channel == "candidate":
                make_candidate(session, skill, those[-1].number, now)
            else:
                if key_of(session, skill):  # points nowhere until the organisation has signed where
                    session.delete(row)
                    session.flush()
                make_stable(session, self.attestations, those[-1], now, reason=TAKEN_BACK)

    def _manifest(self, session: Session, skill: Skill, plan: SharePlan) -> tuple[Manifest, str]:
        """What it is called here, and in whose region's store it will lie."""
        name = skill.manifest.name
        number = next_number(session, name)
        if number > 1:
            earlier = session.get_one(VersionRow, (name, number - 1))
            check_same_task(skill.manifest, Manifest.model_validate(earlier.manifest))
            region = region_of(session, name)
        else:
            region = find_organisation(session, plan.organisation).region
        here = {"version": number, "parents": (skill.digest,), "origin": "upload", "round_id": None}
        return skill.manifest.model_copy(update=here), region

    def _enter(
        self, session: Session, manifest: Manifest, file: SpoolFile, plan: SharePlan, region: str
    ) -> VersionRow:
        now, known = self.clock(), session.get(SkillRow, manifest.name)
        name = known.organisation if known else find_organisation(session, plan.organisation).name
        owner = hold(session, name)[name]
        if (next_number(session, manifest.name), owner.region) != (manifest.version, region):
            raise ConflictError("somebody published meanwhile.", remedy="Take it in once more.")
        if known is None:
            add_skill(session, manifest, owner, None, now)
        signature = self.catalogue.sign(file.digest)
        return add_version(session, manifest, file.digest, file.size, signature, now, by=THE_HUB)

    @contextmanager
    def _file(self, manifest: Manifest, skill: Skill) -> Iterator[SpoolFile]:
        """The same numbers under another manifest, written piece by piece."""
        with self.spool.file() as file, self.spool.scratch() as made:
            specs = {name: Spec(each.dtype, each.shape) for name, each in skill.tensors.items()}
            writer = TensorWriter(made, manifest.model_dump_json(), specs)
            for name, tensor in skill.tensors.items():
                for number, piece in enumerate(pieces(tensor)):
                    writer.write(name, piece, number * PIECE)
            made.seek(0)
            while part := made.read(PIECE):
                file.write(part)
            yield file


def _row(skill: Skill, version: VersionRow) -> AdoptedRow:
    return AdoptedRow(
        digest=skill.digest,
        skill=version.skill,
        number=version.number,
        upper=skill.manifest.version,
        brought_down=False,
        adopted_at=version.created_at,
    )
