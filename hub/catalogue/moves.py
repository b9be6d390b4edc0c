"""Moving a channel, in the caller's transaction: by the hub's word, or by an organisation's own key.

What a channel may point at is `hub.catalogue.channels`', who asks for it `hub.catalogue.releases`' business.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from hub.attestations.keeping import Attestations
from hub.catalogue.channels import is_fit, must_be_safe, stable_of, wait_for_key
from hub.storage.record import HUB, note, record, take_turn
from hub.storage.tables.scores import ScoreRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.tuf.contents import mark, next_counter
from hub.tuf.own_keys import draft_of, enter_release, key_of
from skills.errors import ConflictError
from skills.messages.skills import ChannelName
from skills.targets import Pointer

__all__ = ["make_candidate", "make_stable"]


def make_candidate(session: Session, name: str, number: int, now: datetime, *, by: str = HUB) -> None:
    """Have the candidate be this version, and tell listeners."""
    _point(session, name, "candidate", number, now, by)


def make_stable(
    session: Session,
    attestations: Attestations,
    version: VersionRow,
    now: datetime,
    *,
    reason: str,
    by: str = HUB,
    signed: str = "",
) -> None:
    """Have this version be the stable one, attest who did it and why, and tell listeners.

    Of a skill that its organisation's own key releases it waits for that, unless it comes with it (`signed`).

    Raises:
        ArtefactError, SignatureError: What was signed is no such release, or by no key that may.
        ConflictError: Nothing becomes stable that no gate found fit for it, or that is no longer safe.
    """
    name, number, before = version.skill, version.number, stable_of(session, version.skill)
    if not is_fit(version):
        raise ConflictError(
            f"v{number} of {name} was never measured, or did not reach the skill's minimum.",
            where="version",
            remedy=f"Have it measured: zunft skill release {name} {number}.",
            code="unmeasured",
        )
    failed_on = version.gate.get("failed_on", ()) if version.gate else ()
    if signed:
        take_turn(session)
        draft = draft_of(session, version, now, tuple(failed_on))
        said = enter_release(session, version, signed.encode(), draft, now, by=by).pointer
        moved = _point(session, name, "stable", number, now, by, failed_on)
        _agree(session, said, name)
    elif key_of(session, name) and before is not version:
        wait_for_key(session, version, now, by=by, words=reason)
        return
    else:
        moved = _point(session, name, "stable", number, now, by, failed_on)
    if not moved:
        return
    record(session, "version.published", now, skill=name, version=number, digest=version.digest)
    attestations.release(session, version, "stable", before, now, by=by, reason=reason)
    _want_score(session, version, now)


def _point(
    session: Session,
    name: str,
    channel: ChannelName,
    number: int,
    now: datetime,
    by: str,
    failed_on: Iterable[str] = (),
) -> bool:
    """Move a channel and have that signed; whether it was elsewhere before.

    Robots of embodiments that the version failed on stay with what the channel named for them.
    """
    take_turn(session)  # before any row is locked: whoever has the turn may want it, too
    row = session.get(ChannelRow, (name, channel))
    if row is not None and row.number == number:
        return False
    if row is None:
        row = ChannelRow(skill=name, name=channel, number=number, counter=0, lowest=1, kept={})
        session.add(row)
    else:
        row.kept = {arm: row.kept.get(arm, row.number) for arm in failed_on}
    must_be_safe(row, number)
    row.number, row.counter = number, next_counter(row.counter, now)
    skill = session.get_one(SkillRow, name)
    skill.updated_at = now
    session.flush()
    mark(session, skill.organisation)
    record(session, "channel.moved", now, skill=name, channel=channel, version=number)
    note(session, "channel.moved", now, by=by, subject=name, channel=channel, version=number)
    return True


def _agree(session: Session, said: Pointer, name: str) -> None:
    """Have the channel's row say what was signed of it: the counter, and the lowest safe version."""
    row = session.get_one(ChannelRow, (name, "stable"))
    row.counter, row.lowest, row.kept = said.counter, said.lowest, dict(said.kept)
    session.flush()


def _want_score(session: Session, version: VersionRow, now: datetime) -> None:
    """Have a version scored, once, however often it becomes stable."""
    if session.get(ScoreRow, version.digest) is not None:
        return
    row = ScoreRow(
        digest=version.digest,
        skill=version.skill,
        number=version.number,
        task=version.manifest["task"],
        state="waiting",
        reason="",
        wanted_at=now,
    )
    session.add(row)
    session.flush()
