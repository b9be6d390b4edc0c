"""Which blobs the database names: what a backup takes along, and what a withdrawal may not delete."""

from __future__ import annotations

from sqlalchemy import CompoundSelect, select, union
from sqlalchemy.orm import Session

from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.scores import ScoreRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow

__all__ = ["blobs_of", "is_named"]


def blobs_of(session: Session) -> list[tuple[str, str]]:
    """Region and digest of every blob that a row names; a round's base and candidate are versions.

    The files of versions that were withdrawn and purged are gone for good.
    """
    return sorted((region, digest) for region, digest in session.execute(_named()) if digest)


def is_named(session: Session, region: str, digest: str) -> bool:
    """Whether a row names a blob in that place."""
    place, blob = _named().subquery().c
    return session.execute(select(blob).where(place == region, blob == digest).limit(1)).first() is not None


def _named() -> CompoundSelect[str, str | None]:
    in_region = select(OrganisationRow.region).join(SkillRow, SkillRow.organisation == OrganisationRow.name)
    of_round = in_region.join(CampaignRow, CampaignRow.skill == SkillRow.name).join(
        RoundRow, RoundRow.campaign_id == CampaignRow.campaign_id
    )
    of_task = select(OrganisationRow.region).join(TaskRow, TaskRow.organisation == OrganisationRow.name)
    of_version = in_region.join(VersionRow, VersionRow.skill == SkillRow.name)
    return union(
        of_version.where(VersionRow.purged_at.is_(None)).add_columns(VersionRow.digest),
        in_region.join(AttestationRow, AttestationRow.skill == SkillRow.name).add_columns(
            AttestationRow.digest
        ),
        in_region.join(ScoreRow, ScoreRow.skill == SkillRow.name).add_columns(ScoreRow.replay),
        of_round.join(DeltaRow, DeltaRow.round_id == RoundRow.round_id).add_columns(DeltaRow.digest),
        of_round.add_columns(RoundRow.optimiser_before),
        of_round.add_columns(RoundRow.optimiser_after),
        of_task.join(TaskVersionRow, TaskVersionRow.task == TaskRow.name).add_columns(TaskVersionRow.digest),
    )
