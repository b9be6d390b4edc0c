"""The first step of a withdrawal: in one transaction, all that the robot gave is taken back.

Its deltas are gone, versions that contain it are offered to nobody, channels point at what does not, and
rounds that were under way with it have ended. What is left to do - merging again, measuring, deleting files -
is the plan that comes out, for `hub.withdrawals.worker`. Rolled back, it is a dry run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, select, update
from sqlalchemy.orm import Session

from hub.attestations.keeping import Attestations
from hub.catalogue.channels import is_fit
from hub.catalogue.moves import make_candidate, make_stable
from hub.merging import MergeError
from hub.organisations.quotas import hold, keep
from hub.rounds.journal import deltas_of, enter_state, order_of, state_of
from hub.storage.record import HUB, note, record
from hub.storage.regions import region_of
from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.health import HealthRow
from hub.storage.tables.robots import InterestRow, NonceRow
from hub.storage.tables.rollouts import ReportRow, RobotTagRow
from hub.storage.tables.rounds import AssignmentRow, CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.scores import ConfirmationRow, ScoreRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.storage.tables.uploads import UploadRow
from hub.tuf.contents import mark
from hub.tuf.own_keys import key_of
from hub.withdrawals.lineage import Link, chain_to, touched_by
from hub.withdrawals.plan import Blob, Plan, Remaining
from hub.workers.merge_round import chain_of
from skills.messages.campaigns import CampaignRequest
from skills.messages.rounds import FINAL
from skills.messages.skills import ChannelName, ScoreView
from skills.messages.withdrawals import RoundChange, SkillChange, WithdrawalView

__all__ = ["drop_round", "skills_given_to", "take_back"]

ENDED = "A robot that had a part in it was withdrawn."
UPLOADED = "It was uploaded, and no hub can make it again."


def take_back(
    session: Session,
    attestations: Attestations,
    withdrawal_id: str,
    report: WithdrawalView,
    purge: bool,
    now: datetime,
) -> tuple[Plan, WithdrawalView]:
    """Take all back that a robot gave.

    Args:
        session: The transaction.
        attestations: Attest where channels move.
        withdrawal_id: Holds the skills until it is done.
        report: What is known of the withdrawal.
        purge: Goes into the plan.
        now: The time.
    """
    robot_id = report.robot_id
    deltas = session.scalars(select(DeltaRow).where(DeltaRow.robot_id == robot_id)).all()
    links = _links(session)
    touched = touched_by(list(links.values()), {each.round_id for each in deltas})
    skills = skills_given_to(session, robot_id) | {links[each].skill for each in touched}
    _lock(session, skills)
    ended = _end_rounds(session, skills, touched, {each.round_id for each in deltas}, now)
    blobs = [*_blobs_of_deltas(session, deltas), *_blobs_of_states(session, touched)]
    blobs += _take_off_boards(session, touched)
    blobs += _take_attestations(session, touched)
    counts = _count(session, touched)
    _delete_rows(session, robot_id, deltas, now)
    changes, tasks, anchors = [], [], {}
    for name in sorted(skills):
        lineage = _Lineage(name, links, touched)
        change, chain = lineage.withdraw(session, attestations, withdrawal_id, counts, now)
        changes.append(change.model_copy(update={"rounds": (*change.rounds, *ended.get(name, ()))}))
        again = [Remaining(kind="merge", skill=name, round_id=each) for each in chain]
        tasks += [*again, Remaining(kind="measure", skill=name)] if again else []
        if lineage.anchor is not None:
            anchors[name] = lineage.anchor.digest
        _forget_states(session, touched, chain)
    plan = Plan(
        tasks=(*tasks, Remaining(kind="clear away")),
        anchors=anchors,
        tips=anchors,
        touched=tuple(sorted(touched)),
        blobs=tuple(blobs),
        purge=purge,
    )
    found = {"deltas": len(deltas), "bytes": sum(each.size for each in deltas), "skills": tuple(changes)}
    return plan, report.model_copy(update=found)


def drop_round(session: Session, row: RoundRow, reason: str, now: datetime) -> None:
    """A round of before gives no version any longer."""
    row.candidate = row.gate = row.optimiser_after = row.root = None
    enter_state(session, row, "withdrawn", now, reason)


def _too_few(order: CampaignRequest, count: int) -> str:
    """Why so many deltas are not enough for a merge; empty where they are."""
    if count < max(1, order.quorum):
        return f"Only {count} of {order.quorum} deltas are left."
    try:
        chain_of(order.merge).check(count)
    except MergeError as error:
        return error.message
    return ""


@dataclass
class _Lineage:
    """One skill's versions, and what of them is touched."""

    name: str
    links: Mapping[str, Link]
    touched: frozenset[str]
    anchor: Link | None = None
    stable_after: int | None = None

    def withdraw(
        self,
        session: Session,
        attestations: Attestations,
        withdrawal_id: str,
        counts: Mapping[str, int],
        now: datetime,
    ) -> tuple[SkillChange, list[str]]:
        """Withdraw the touched versions; the report, and the rounds to be merged again, oldest first."""
        stable = self._stable(session)
        chain: list[Link] = []
        if stable is not None:
            chain, self.anchor = chain_to(stable, self.links, self.touched)
        if self.anchor is not None and is_fit(session.get_one(VersionRow, (self.name, self.anchor.number))):
            self.stable_after = self.anchor.number
        rows = self._withdraw_rows(session, now)
        changes = [_change(session, link, counts, now) for link in chain]
        session.get_one(SkillRow, self.name).held_by = withdrawal_id
        session.flush()
        if rows:
            self._move_channels(session, attestations, now)
        before = rows.get(stable.number) if stable is not None and chain else None
        report = SkillChange(
            skill=self.name,
            withdrawn=tuple(sorted(rows)),
            rounds=tuple(changes),
            stable_before=stable.number if stable else None,
            stable_after=self.stable_after,
            score_before=ScoreView.model_validate(before.score) if before and before.score else None,
            reason="" if chain else "The stable version does not contain the robot.",
        )
        return report, [each.round_id for each in changes if each.round_id and each.outcome == "waiting"]

    def _stable(self, session: Session) -> Link | None:
        channel = session.get(ChannelRow, (self.name, "stable"))
        if channel is None:
            return None
        return self.links[session.get_one(VersionRow, (self.name, channel.number)).digest]

    def _withdraw_rows(self, session: Session, now: datetime) -> dict[int, VersionRow]:
        wanted = VersionRow.skill == self.name, VersionRow.digest.in_(self.touched)
        rows = session.scalars(select(VersionRow).where(*wanted, VersionRow.withdrawn_at.is_(None))).all()
        for row in rows:
            row.withdrawn_at = now
            record(session, "version.withdrawn", now, skill=self.name, version=row.number, digest=row.digest)
            note(session, "version.withdrawn", now, by=HUB, subject=self.name, version=row.number)
        if rows:
            mark(session, session.get_one(SkillRow, self.name).organisation)
        return {row.number: row for row in rows}

    def _move_channels(self, session: Session, attestations: Attestations, now: datetime) -> None:
        sound = VersionRow.skill == self.name, VersionRow.withdrawn_at.is_(None)
        newest = session.scalar(
            select(VersionRow.number).where(*sound).order_by(VersionRow.number.desc()).limit(1)
        )
        targets: dict[ChannelName, int | None] = {"stable": self.stable_after, "candidate": newest}
        for channel, number in targets.items():
            row = session.get(ChannelRow, (self.name, channel))
            if row is None or not _is_withdrawn(session, self.name, row.number):
                continue
            if number is None:
                session.delete(row)
            elif channel == "candidate":
                make_candidate(session, self.name, number, now)
            else:
                version = session.get_one(VersionRow, (self.name, number))
                if key_of(session, self.name):  # points nowhere until the organisation has signed where
                    session.delete(row)
                    session.flush()
                make_stable(session, attestations, version, now, reason=ENDED)
        stable = session.get(ChannelRow, (self.name, "stable"))
        if stable is not None:
            sound_ones = (
                (arm, it) for arm, it in stable.kept.items() if not _is_withdrawn(session, self.name, it)
            )
            stable.kept = dict(sound_ones)


def _is_withdrawn(session: Session, name: str, number: int) -> bool:
    return session.get_one(VersionRow, (name, number)).withdrawn_at is not None


def _links(session: Session) -> dict[str, Link]:
    columns = select(VersionRow.digest, VersionRow.skill, VersionRow.number, VersionRow.manifest)
    return {
        digest: Link(digest, skill, number, tuple(manifest["parents"]), manifest["round_id"])
        for digest, skill, number, manifest in session.execute(columns)
    }


def skills_given_to(session: Session, robot_id: str) -> set[str]:
    """Names of the skills for which a robot's deltas were admitted."""
    rounds = select(DeltaRow.round_id).where(DeltaRow.robot_id == robot_id)
    theirs = select(CampaignRow.skill).join(RoundRow, RoundRow.campaign_id == CampaignRow.campaign_id)
    return set(session.scalars(theirs.where(RoundRow.round_id.in_(rounds))))


def _lock(session: Session, skills: Iterable[str]) -> None:
    """Hold the campaigns, so that no round is opened or moved on meanwhile by whoever locks them first."""
    campaigns = select(CampaignRow).where(CampaignRow.skill.in_(skills)).order_by(CampaignRow.campaign_id)
    session.scalars(campaigns.with_for_update().execution_options(populate_existing=True)).all()


def _end_rounds(
    session: Session, skills: Iterable[str], touched: frozenset[str], given: set[str], now: datetime
) -> dict[str, list[RoundChange]]:
    """End rounds under way that begin from a touched version, or that are past collecting with its delta."""
    theirs = select(RoundRow).join(CampaignRow, CampaignRow.campaign_id == RoundRow.campaign_id)
    unfinished = theirs.where(CampaignRow.skill.in_(skills), RoundRow.state.not_in(FINAL))
    ended: dict[str, list[RoundChange]] = {}
    rows = session.scalars(unfinished.order_by(RoundRow.round_id).with_for_update()).all()
    # Newest first: one that began from another's candidate is ended for itself.
    for row in sorted(rows, key=lambda each: -each.number):
        collecting = state_of(row) == "open" and row.base not in touched
        if collecting or (row.base not in touched and row.round_id not in given):
            continue
        enter_state(session, row, "stopped", now, ENDED)
        skill = session.get_one(CampaignRow, row.campaign_id).skill
        change = RoundChange(round_id=row.round_id, outcome="ended", reason=ENDED)
        ended.setdefault(skill, []).append(change)
    return ended


def _blobs_of_deltas(session: Session, deltas: Iterable[DeltaRow]) -> list[Blob]:
    return [Blob(region=_region(session, each.round_id), digest=each.digest) for each in deltas]


def _blobs_of_states(session: Session, touched: frozenset[str]) -> list[Blob]:
    """The server optimiser's states after touched versions: they remember what was merged."""
    rows = session.scalars(select(RoundRow).where(RoundRow.candidate.in_(touched))).all()
    return [
        Blob(region=_region(session, row.round_id), digest=row.optimiser_after)
        for row in rows
        if row.optimiser_after is not None
    ]


def _take_off_boards(session: Session, touched: frozenset[str]) -> list[Blob]:
    """Delete what touched versions scored; their replays."""
    rows = session.scalars(select(ScoreRow).where(ScoreRow.digest.in_(touched))).all()
    replays = [
        Blob(region=region_of(session, row.skill), digest=row.replay)
        for row in rows
        if row.replay is not None
    ]
    session.execute(delete(ScoreRow).where(ScoreRow.digest.in_(touched)))
    return replays


def _take_attestations(session: Session, touched: frozenset[str]) -> list[Blob]:
    """Delete what vouches for touched versions: it names what the robot gave."""
    its = and_(VersionRow.skill == AttestationRow.skill, VersionRow.number == AttestationRow.number)
    rows = session.scalars(select(AttestationRow).join(VersionRow, its).where(VersionRow.digest.in_(touched)))
    found = list(rows)
    session.execute(delete(ConfirmationRow).where(ConfirmationRow.digest.in_(touched)))
    for row in found:
        session.delete(row)
    return [Blob(region=region_of(session, row.skill), digest=row.digest) for row in found]


def _region(session: Session, round_id: str) -> str:
    campaign = session.get_one(CampaignRow, session.get_one(RoundRow, round_id).campaign_id)
    return region_of(session, campaign.skill)


def _count(session: Session, touched: frozenset[str]) -> dict[str, int]:
    """How many deltas the rounds of touched versions have now."""
    rounds = session.scalars(select(RoundRow.round_id).where(RoundRow.candidate.in_(touched))).all()
    return {each: len(deltas_of(session, each)) for each in rounds}


def _delete_rows(session: Session, robot_id: str, deltas: Iterable[DeltaRow], now: datetime) -> None:
    sizes: dict[str, int] = {}
    for each in deltas:
        campaign = session.get_one(CampaignRow, session.get_one(RoundRow, each.round_id).campaign_id)
        owner = session.get_one(SkillRow, campaign.skill).organisation
        sizes[owner] = sizes.get(owner, 0) + each.size
    for name, row in hold(session, *sizes).items():
        keep(row, -sizes[name])
    for table in (DeltaRow, AssignmentRow, InterestRow, NonceRow, ReportRow, RobotTagRow, HealthRow):
        session.execute(delete(table).where(table.robot_id == robot_id))
    # What it was about to bring is thrown away with what expires.
    session.execute(update(UploadRow).where(UploadRow.owner == f"robot:{robot_id}").values(expires_at=now))
    session.flush()


def _change(session: Session, link: Link, counts: Mapping[str, int], now: datetime) -> RoundChange:
    """What becomes of a link of the chain: it waits to be merged again, or is dropped at once."""
    if link.round_id is None:
        return RoundChange(round_id=None, outcome="dropped", version_before=link.number, reason=UPLOADED)
    row = session.get_one(RoundRow, link.round_id)
    order = order_of(session.get_one(CampaignRow, row.campaign_id))
    left = len(deltas_of(session, link.round_id))
    reason = _too_few(order, left)
    if reason:
        drop_round(session, row, reason, now)
    return RoundChange(
        round_id=link.round_id,
        outcome="dropped" if reason else "waiting",
        deltas_before=counts[link.round_id],
        deltas_after=left,
        version_before=link.number,
        reason=reason,
    )


def _forget_states(session: Session, touched: frozenset[str], chain: Iterable[str]) -> None:
    """Rounds that will not be merged again keep no state that remembers the robot."""
    aside = RoundRow.candidate.in_(touched), RoundRow.round_id.not_in(list(chain))
    session.execute(update(RoundRow).where(*aside).values(optimiser_after=None))
    based = RoundRow.base.in_(touched), RoundRow.round_id.not_in(list(chain))
    session.execute(update(RoundRow).where(*based).values(optimiser_before=None))
