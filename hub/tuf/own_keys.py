"""Skills that their organisation's own key releases: what is to be signed, and taking in what was.

Inside the caller's transaction. The hub keeps the key's public half and hands out what it signed; it can make
none itself, and robots that have seen the key believe no other. What is signed is `skills.release_keys`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from securesystemslib.signer import Key
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.storage.record import HUB, note
from hub.storage.tables.rollouts import RolloutRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.storage.tables.tuf import MetadataRoleRow, MetadataRow
from hub.tuf.contents import enter_file, mark, next_counter
from hub.tuf.rings import stopped_versions
from skills.errors import ConflictError, NotFoundError, SignatureError
from skills.manifest import Name
from skills.messages.skills import ReleaseDraft
from skills.release_keys import (
    SignedRelease,
    leads,
    read_release,
    release_role,
    tuf_key,
)
from skills.signing import VerifyKey
from skills.targets import HandedOn, NamedKey, Pointer, channel_target, hidden_name

__all__ = ["draft_of", "enter_release", "follow_root", "key_of", "own_roles", "show_to"]


def key_of(session: Session, skill: Name) -> str:
    """The public key that releases a skill; empty: the hub's own."""
    row = session.get(MetadataRoleRow, release_role(skill))
    return row.key if row is not None else ""


def own_roles(session: Session) -> dict[str, tuple[Key, list[str]]]:
    """Roles with keys of their own, and the one name that each may sign for."""
    rows = select(MetadataRoleRow).where(MetadataRoleRow.key != "", MetadataRoleRow.version > 0)
    return {
        row.role: (tuf_key(VerifyKey(row.key)), [channel_target(row.skill, "stable")])
        for row in session.scalars(rows.order_by(MetadataRoleRow.role))
    }


def draft_of(
    session: Session, version: VersionRow, now: datetime, failed_on: tuple[str, ...] = ()
) -> ReleaseDraft:
    """What has to be signed for the stable channel to point at a version."""
    row = session.get(MetadataRoleRow, release_role(version.skill))
    channel = session.get(ChannelRow, (version.skill, "stable"))
    kept = {arm: channel.kept.get(arm, channel.number) for arm in failed_on} if channel else {}
    if channel is not None and channel.number == version.number:
        kept = dict(channel.kept)
    stopped = stopped_versions(session, [version.skill]).get(version.skill, ())
    pointer = Pointer(
        version=version.number,
        counter=next_counter(channel.counter if channel else 0, now),
        lowest=channel.lowest if channel else 1,
        kept=kept,
        stopped=tuple(each for each in stopped if each != version.number),
        fixed={
            number: session.get_one(VersionRow, (version.skill, number)).digest
            for number in sorted({version.number, *kept.values()})
        },
    )
    newest = next_counter(row.version if row else 0, now)
    return ReleaseDraft(pointer=pointer, version=newest, keys=_keys(session, version.skill))


def enter_release(
    session: Session, version: VersionRow, body: bytes, draft: ReleaseDraft, now: datetime, *, by: str
) -> SignedRelease:
    """Take in what an organisation's key signed; a skill's first such key is the skill's from then on.

    Args:
        session: A transaction that has the turn.
        version: What the stable channel is to point at.
        body: What was signed.
        draft: What would have to be signed now.
        now: The time.
        by: Who brings it.

    Raises:
        ArtefactError, SignatureError: It is no such release, or its key did not sign it.
        ConflictError: It is of something else or of another moment; or a roll-out is under way.
    """
    said, known = read_release(body, version.skill), key_of(session, version.skill)
    if known and not leads(version.skill, known, said.keys):
        raise SignatureError(
            f"{version.skill} is released with the key {known}, which did not name {said.key}.",
            where="signed",
            remedy="Sign with that, or go over to a new key with --old-key. A lost one: zunft keys rotate.",
        )
    _compare(session, version.skill, said, draft)
    skill = session.get_one(SkillRow, version.skill)
    row = session.get(MetadataRoleRow, release_role(skill.name)) or _new_role(session, skill)
    if row.key != said.key:
        _must_have_no_rollout(session, skill.name)
        note(session, "release-key.named", now, by=by, subject=skill.name, key=said.key)
    row.key = said.key
    enter_file(session, row, said.version, body)
    mark(session, skill.organisation)
    return said


def show_to(session: Session, skill: SkillRow) -> None:
    """Have a skill's role be seen by those who see the skill."""
    row = session.get(MetadataRoleRow, release_role(skill.name))
    if row is not None:
        row.shown = skill.visibility == "guild"


def follow_root(session: Session, named: Mapping[str, NamedKey], version: int, now: datetime) -> None:
    """Go by the keys that a new root names; the rest of what it says is of earlier ones.

    Raises:
        NotFoundError: It names a key for a skill that is none.
    """
    new = {name: each.key for name, each in named.items() if each.since == version}
    skills = {hidden_name(row.name): row for row in session.scalars(select(SkillRow))} if new else {}
    for name, key in new.items():
        if name not in skills:
            raise NotFoundError("the root names a key for a skill that is not here.", where=name)
        skill = skills[name]
        row = session.get(MetadataRoleRow, release_role(skill.name)) or _new_role(session, skill)
        row.key = VerifyKey(key).canonical().text if key else ""
        note(session, "release-key.named", now, by=HUB, subject=skill.name, key=row.key or "the hub's")


def _compare(session: Session, skill: Name, said: SignedRelease, draft: ReleaseDraft) -> None:
    """Hold what was signed to what would have to be; it may be a moment old, and raise the lowest."""
    wanted, pointer = draft.pointer, said.pointer
    channel = session.get(ChannelRow, (skill, "stable"))
    role = session.get(MetadataRoleRow, release_role(skill))
    same = wanted.model_copy(update={"counter": pointer.counter, "lowest": pointer.lowest})
    is_next = (
        pointer == same
        and wanted.lowest <= pointer.lowest <= pointer.version
        and (channel.counter if channel else 0) < pointer.counter <= wanted.counter
        and (role.version if role else 0) < said.version <= draft.version
    )
    if not is_next:
        raise ConflictError(
            "what was signed is not what would have to be now.",
            where="signed",
            remedy="Sign anew: zunft skill release NAME VERSION --key FILE.",
            code="signed_something_else",
        )


def _must_have_no_rollout(session: Session, skill: Name) -> None:
    under_way = select(RolloutRow.rollout_id).where(RolloutRow.skill == skill, RolloutRow.ended_at.is_(None))
    rollout = session.scalar(under_way.limit(1))
    if rollout is not None:
        raise ConflictError(
            f"roll-out {rollout} of {skill} is under way, and its rings are signed by the hub.",
            where="signed",
            remedy="Wait for it, or abort it first.",
        )


def _new_role(session: Session, skill: SkillRow) -> MetadataRoleRow:
    row = MetadataRoleRow(
        role=release_role(skill.name),
        organisation=skill.organisation,
        shown=skill.visibility == "guild",
        version=0,
        changed=False,
        skill=skill.name,
    )
    session.add(row)
    session.flush()
    return row


def _keys(session: Session, skill: Name) -> tuple[HandedOn, ...]:
    """Keys of the last release; none where the root has named another one since."""
    row = session.get(MetadataRoleRow, release_role(skill))
    last = session.get(MetadataRow, (row.role, row.version)) if row is not None else None
    keys = read_release(last.body.encode(), skill).keys if last is not None else ()
    return keys if keys and row is not None and keys[-1].key == row.key else ()
