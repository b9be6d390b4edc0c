"""What an uploaded version is held to: whose name it takes, what came before it, and that it fits that.

Inside the caller's transaction. Taking it in is left to `hub.catalogue.catalogue`, what an organisation may
use to `hub.organisations.quotas`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal
from hub.access.visibility import must_change, seen_skills
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.errors import ArtefactError, ConflictError, ContractError
from skills.manifest import Manifest
from skills.messages.skills import Visibility

__all__ = ["add_skill", "check_origin", "check_same_task", "check_succession", "next_number", "owner_for"]


def next_number(session: Session, name: str) -> int:
    """The number that the next version of a skill gets."""
    newest = session.scalar(select(func.max(VersionRow.number)).where(VersionRow.skill == name))
    return (newest or 0) + 1


def owner_for(session: Session, name: str, by: Principal) -> OrganisationRow:
    """Whose a version of this name would be.

    A name that is taken by a skill that one does not see gives one answer, whatever is sent: only that it is
    taken, which a hub with one set of names cannot hide.

    Raises:
        ConflictError: The name is taken.
        ForbiddenError: It is another organisation's.
    """
    row = session.get(SkillRow, name)
    if row is None:
        return session.get_one(OrganisationRow, by.organisation)
    if session.scalar(seen_skills(by).where(SkillRow.name == name)) is None:
        raise ConflictError(
            f"the name {name} is taken.",
            where="manifest.name",
            remedy="Publish it under another name.",
            code="name_taken",
        )
    must_change(by, row.organisation, f"the skill {name}")
    return session.get_one(OrganisationRow, row.organisation)


def add_skill(
    session: Session, manifest: Manifest, owner: OrganisationRow, visibility: Visibility | None, now: datetime
) -> None:
    """Enter a new name; without a word on who may see it, as its organisation has decided."""
    row = SkillRow(
        name=manifest.name,
        organisation=owner.name,
        visibility=visibility or owner.visibility,
        task=manifest.task,
        summary=manifest.summary,
        updated_at=now,
    )
    session.add(row)
    session.flush()


def check_origin(manifest: Manifest) -> None:
    """Refuse what only a hub can have made.

    Raises:
        ArtefactError: It says that it was merged.
    """
    if manifest.origin == "merge":
        raise ArtefactError(
            "only a hub's own merge has the origin `merge`.",
            where="manifest.origin",
            remedy="Write `initial` or `upload`.",
        )


def check_succession(session: Session, manifest: Manifest, by: Principal) -> None:
    """Hold a version to what came before it.

    Raises:
        ConflictError: Its number is not the next one.
        ArtefactError: A parent is not in the catalogue, as far as the publisher sees it.
        ContractError: It has another task or contract.
    """
    number = next_number(session, manifest.name)
    if manifest.version != number:
        raise ConflictError(
            f"the next version of {manifest.name} is {number}, not {manifest.version}.",
            where="manifest.version",
            remedy=f"Write version {number} into the manifest.",
            code="wrong_version",
        )
    for parent in manifest.parents:
        its = select(VersionRow).where(VersionRow.digest == parent, VersionRow.skill.in_(seen_skills(by)))
        found = session.scalar(its)
        if found is None or found.withdrawn_at is not None:
            raise ArtefactError(
                f"its parent {parent} is not in this catalogue, or was withdrawn.",
                where="manifest.parents",
                remedy="Publish the parent first, or leave it out.",
                code="unknown_base",
            )
    if number > 1:
        earlier = session.get_one(VersionRow, (manifest.name, number - 1))
        check_same_task(manifest, Manifest.model_validate(earlier.manifest))


def check_same_task(manifest: Manifest, earlier: Manifest) -> None:
    """Hold a version to the task and the contract of an earlier one.

    Raises:
        ContractError: It has others.
    """
    if manifest.task != earlier.task:
        raise ContractError(
            f"its task is {manifest.task}, that of earlier versions {earlier.task}.",
            where="manifest.task",
            remedy="Publish it under a name of its own.",
        )
    differences = earlier.contract.differences(manifest.contract)
    if differences:
        raise ContractError(
            f"its contract differs from earlier versions: {'; '.join(differences)}.",
            where="manifest.contract",
            remedy="Publish it under a name of its own.",
        )
