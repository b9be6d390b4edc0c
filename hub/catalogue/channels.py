"""What a channel may point at, what a round begins from, and releases that wait to be measured.

Inside the caller's transaction. Moving a channel is `hub.catalogue.moves.make_stable`, measuring
`hub.catalogue.releases`.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.storage.record import record
from hub.storage.tables.rounds import RoundRow
from hub.storage.tables.skills import ChannelRow, ReleaseRow, SkillRow, VersionRow
from hub.workers.job import Least
from skills.errors import ConflictError
from skills.messages.skills import ChannelName

__all__ = [
    "UNSIGNED",
    "ask_release",
    "base_of",
    "best_before",
    "is_fit",
    "kept_on",
    "least_of",
    "must_be_safe",
    "stable_of",
    "wait_for_key",
]

UNSIGNED = "It waits for its organisation's key: zunft skill release NAME VERSION --key FILE."
"""Why a version is not stable that may be."""


def stable_of(session: Session, skill: str) -> VersionRow | None:
    """The stable version of a skill, if there is one."""
    channel = session.get(ChannelRow, (skill, "stable"))
    return session.get_one(VersionRow, (skill, channel.number)) if channel is not None else None


def base_of(session: Session, skill: str) -> VersionRow | None:
    """What a round of a skill begins from: the stable version.

    Where nothing is stable yet it is the newest version that no gate has found worse than its base, measured
    or not: an untrained first version, or the campaign's last candidate.
    """
    stable = stable_of(session, skill)
    if stable is not None:
        return stable
    worse = select(RoundRow.candidate).where(RoundRow.candidate.is_not(None), RoundRow.state != "published")
    sound = VersionRow.skill == skill, VersionRow.withdrawn_at.is_(None), VersionRow.digest.not_in(worse)
    return session.scalar(select(VersionRow).where(*sound).order_by(VersionRow.number.desc()).limit(1))


def best_before(session: Session, version: VersionRow) -> VersionRow | None:
    """The best of a version's lineage, by what gates have measured; None where that is itself.

    Its lineage are the versions that it was made from, one after the other, back to the first: not what an
    operator has gone back from. Of several that scored the same it is the newest.
    """
    each = select(VersionRow).where(VersionRow.skill == version.skill, VersionRow.withdrawn_at.is_(None))
    known = {row.digest: row for row in session.scalars(each)}
    best, parents = version, list(version.manifest["parents"])
    while parents:
        row = known.pop(parents.pop(), None)
        if row is not None:
            parents += row.manifest["parents"]
            best = max(best, row, key=lambda it: (it.score["score"] if it.score else -1.0, it.number))
    return None if best is version else best


def kept_on(session: Session, skill: str) -> dict[str, str]:
    """By embodiment, the digest of the version that its robots stay with: the stable one failed on theirs."""
    channel = session.get(ChannelRow, (skill, "stable"))
    kept = channel.kept if channel is not None else {}
    return {arm: session.get_one(VersionRow, (skill, number)).digest for arm, number in kept.items()}


def is_fit(version: VersionRow) -> bool:
    """Whether a version may be stable: a gate has measured it, and it reached what it was held to."""
    return version.gate is not None and version.gate.get("reached") is not False


def least_of(session: Session, skill: str) -> Least | None:
    """The minimum that a round's candidate is held to; None where it is compared with a stable version."""
    if stable_of(session, skill) is not None:
        return None
    return Least(success=session.get_one(SkillRow, skill).minimum)


def ask_release(
    session: Session,
    version: VersionRow,
    channel: ChannelName,
    now: datetime,
    *,
    by: str,
    words: str = "",
    if_none: bool = False,
    key: str = "",
) -> ReleaseRow:
    """Have a version measured so that the channel may point at it; one that waits already is the same.

    Args:
        session: A transaction.
        version: Which one.
        channel: Where.
        now: The time.
        by: Who asks.
        words: Why, as whoever asks typed it.
        if_none: Whether it is to take the place of no other version.
        key: The organisation's own under which it is to be released.
    """
    wanted = ReleaseRow.skill == version.skill, ReleaseRow.number == version.number
    waiting = ReleaseRow.channel == channel, ReleaseRow.state.in_(("queued", "unsigned"))
    known = session.scalar(select(ReleaseRow).where(*wanted, *waiting))
    if known is not None:
        known.if_none, known.words = known.if_none and if_none, words or known.words
        known.key = key or known.key
        return known
    row = ReleaseRow(
        release_id=f"r-{secrets.token_hex(6)}",
        skill=version.skill,
        number=version.number,
        channel=channel,
        if_none=if_none,
        asked_by=by,
        asked_at=now,
        state="queued",
        reason="",
        words=words,
        key=key,
    )
    session.add(row)
    session.flush()
    record(session, "release.queued", now, skill=row.skill, version=row.number, release_id=row.release_id)
    return row


def must_be_safe(channel: ChannelRow | None, number: int) -> None:
    """Hold a version to the lowest that is safe.

    Raises:
        ConflictError: It is below.
    """
    if channel is not None and number < channel.lowest:
        raise ConflictError(
            f"v{number} of {channel.skill} is below v{channel.lowest}, and nothing below is safe any more.",
            where="version",
            remedy="Choose a newer version.",
            code="below_lowest",
        )


def wait_for_key(session: Session, version: VersionRow, now: datetime, *, by: str, words: str) -> None:
    """Have a version that may be stable wait for its organisation's own key, and say so."""
    must_be_safe(session.get(ChannelRow, (version.skill, "stable")), version.number)
    row = ask_release(session, version, "stable", now, by=by, words=words)
    if row.state == "unsigned":
        return
    row.state, row.reason = "unsigned", UNSIGNED
    record(session, "release.unsigned", now, skill=row.skill, version=row.number, release_id=row.release_id)
