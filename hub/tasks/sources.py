"""Which bundle a skill's task is: the package's own, this machine's own, or one that was published here.

Inside the caller's transaction. Fetching it is left to `hub.workers.bundles`.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from envs.bundle import bundle_names, digest_folder, find_bundle, own_tasks
from envs.defaults import read_training
from hub.access.principal import Viewer
from hub.access.visibility import seen_task_versions
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from hub.workers.job import Checked, TaskSource
from skills.errors import ContractError
from skills.manifest import Manifest
from skills.messages.campaigns import CampaignPlan

__all__ = ["advised", "board_task", "check_task", "task_source"]


def task_source(session: Session, skill: str, manifest: Manifest | None = None) -> TaskSource | None:
    """Where the bundle of a skill's task lies; None where the package or ZUNFT_TASKS has the task.

    Args:
        session: A transaction.
        skill: A name in the catalogue; its task must be listed, and be its organisation's or the guild's.
        manifest: Of the version in question, which may name the bundle; the newest version's if not said.
    """
    row = session.get_one(SkillRow, skill)
    if manifest is None:
        versions = select(VersionRow.manifest).where(VersionRow.skill == skill)
        manifest = Manifest.model_validate(
            session.scalars(versions.order_by(VersionRow.number.desc()).limit(1)).one()
        )
    return None if _is_here(manifest.task) else _published(session, manifest, row.organisation)


def check_task(session: Session, manifest: Manifest, organisation: str) -> None:
    """Hold a skill to a task that this hub can measure.

    Args:
        session: A transaction.
        manifest: The skill's.
        organisation: Whose the skill is.

    Raises:
        ContractError: The hub does not know the task, or does not show it to that organisation.
    """
    if _is_here(manifest.task) or _published(session, manifest, organisation) is not None:
        return
    raise ContractError(
        f"this hub has no task {manifest.task!r} that {organisation} may use"
        + (" with the digest that the skill names." if manifest.task_digest else "."),
        where="manifest.task",
        remedy=f"Publish it first: zunft task publish ./{manifest.task}; it is of use once it is listed.",
        code="unknown_task",
    )


def advised(session: Session, manifest: Manifest, organisation: str) -> CampaignPlan:
    """What the task of an organisation's skill advises; the usual campaign where it is not known here.

    Raises:
        ContractError: It is in the folder that ZUNFT_TASKS names, and cannot be read.
    """
    if _is_here(manifest.task):
        return read_training(find_bundle(manifest.task)).order()
    source = _published(session, manifest, organisation)
    if source is None:
        return CampaignPlan()
    checked = session.scalars(
        select(TaskVersionRow.checked).where(TaskVersionRow.digest == source.digest).limit(1)
    ).one()
    facts = Checked.model_validate(checked).facts
    return facts.campaign if facts else CampaignPlan()


def board_task(session: Session, name: str, viewer: Viewer) -> tuple[str, TaskSource | None] | None:
    """The bundle at which a task's skills are scored: its digest, and where it lies as in `task_source`.

    None where there is no such task, or none that the viewer sees. Of published versions it is the newest.
    """
    if _is_here(name):
        return digest_folder(find_bundle(name)), None
    listed = (
        select(TaskVersionRow.bundle, TaskVersionRow.digest, OrganisationRow.region)
        .join(TaskRow, TaskRow.name == TaskVersionRow.task)
        .join(OrganisationRow, OrganisationRow.name == TaskRow.organisation)
        .where(TaskVersionRow.task == name, TaskVersionRow.state == "listed", seen_task_versions(viewer))
        .order_by(TaskVersionRow.number.desc())
    )
    found = session.execute(listed.limit(1)).first()
    return (found.bundle, TaskSource(digest=found.digest, region=found.region)) if found else None


def board_digest(session: Session, name: str, viewer: Viewer) -> str | None:
    """Of the bundle of `board_task`; None where there is none."""
    found = board_task(session, name, viewer)
    return found[0] if found else None


def _is_here(name: str) -> bool:
    return name in bundle_names() or name in own_tasks()


def _published(session: Session, manifest: Manifest, organisation: str) -> TaskSource | None:
    listed = (
        select(TaskVersionRow.digest, OrganisationRow.region, TaskRow.organisation, TaskRow.visibility)
        .join(TaskRow, TaskRow.name == TaskVersionRow.task)
        .join(OrganisationRow, OrganisationRow.name == TaskRow.organisation)
        .where(TaskVersionRow.task == manifest.task, TaskVersionRow.state == "listed")
        .order_by(TaskVersionRow.number.desc())
    )
    if manifest.task_digest is not None:
        listed = listed.where(TaskVersionRow.bundle == manifest.task_digest)
    found = session.execute(listed.limit(1)).first()
    if found is None or not (found.organisation == organisation or found.visibility == "guild"):
        return None
    return TaskSource(digest=found.digest, region=found.region)
