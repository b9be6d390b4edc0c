"""A version of the larger hall as one of this hall's: the same numbers under the next number here.

Its manifest names the larger hall's version as what it was made from. It is a candidate like any other, and
what it may become is the gate's to say. Who vouches for it above is `skills.attestations`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.attestations.keeping import Attestations
from hub.catalogue.catalogue import Catalogue, add_version
from hub.catalogue.channels import ask_release, stable_of
from hub.catalogue.publishing import add_skill, check_same_task, next_number
from hub.clock import Clock
from hub.organisations.quotas import hold
from hub.organisations.registry import find_organisation
from hub.storage.database import Database
from hub.storage.discards import Discards
from hub.storage.record import UPPER_HALL
from hub.storage.regions import region_of
from hub.storage.spool import Spool, SpoolFile
from hub.storage.tables.halls import AdoptedRow
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.attestations import Hall
from skills.container import PIECE, Spec, TensorWriter, pieces
from skills.errors import ConflictError
from skills.manifest import Manifest
from skills.messages.halls import SharePlan
from skills.skill import Skill

__all__ = ["Adoption"]


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
            with self.database.write() as session:
                version = self._enter(session, manifest, file, plan, region)
                kept.enter(session, version, version.created_at)
                row = AdoptedRow(
                    digest=skill.digest,
                    skill=manifest.name,
                    number=manifest.version,
                    upper=skill.manifest.version,
                    brought_down=False,
                    adopted_at=version.created_at,
                )
                session.add(row)
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
