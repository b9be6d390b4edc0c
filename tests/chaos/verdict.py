"""Looks at what chaos has left, past all faults: was anything lost, counted twice, or half done?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.events.audit import AuditLog
from hub.operations.rebuild import rebuild
from hub.settings import Settings
from hub.storage.database import Database, existing_database
from hub.storage.objects import ObjectStore
from hub.storage.regions import HOME, connect_stores
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.skills import ChannelRow, VersionRow
from skills.errors import ZunftError
from skills.messages.rounds import DeltaReceipt

__all__ = ["Verdict", "judge"]


@dataclass
class Verdict:
    """What was found. `wrong` names each loss in words; it has to be empty."""

    acknowledged: int = 0
    receipts: int = 0
    merged_again: int = 0
    rounds: dict[str, int] = field(default_factory=dict)
    campaigns: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def judge(settings: Settings, homes: list[Path]) -> Verdict:
    """Hold database and store to the receipts that robots have, and every merge to its deltas."""
    found = Verdict()
    store = connect_stores(settings).of(HOME)
    receipts = list(_receipts(homes))
    found.receipts, found.acknowledged = len(receipts), len({each.digest for each in receipts})
    with existing_database(settings.database) as database:
        with database.read() as session:
            _judge_deltas(session, store, receipts, found)
            _judge_versions(session, store, found)
            _judge_rounds(session, found)
            merged = session.scalars(select(RoundRow).where(RoundRow.candidate.is_not(None))).all()
            versions = {row.digest: row for row in session.scalars(select(VersionRow))}
        _judge_audit(database, found)
    for row in merged:
        version = versions.get(row.candidate or "")
        if version is not None:
            again = rebuild(settings, version.skill, str(version.number), lambda *_: None)
            found.merged_again += again.same
            if not again.same:
                found.wrong.append(f"version {version.number} is not what its deltas make")
    return found


def _receipts(homes: list[Path]) -> Iterator[DeltaReceipt]:
    for home in homes:
        path = home / "receipts.jsonl"
        for line in path.read_text().splitlines() if path.exists() else []:
            yield DeltaReceipt.model_validate(json.loads(line))


def _judge_deltas(session: Session, store: ObjectStore, receipts: list[DeltaReceipt], found: Verdict) -> None:
    rows = {row.digest: row for row in session.scalars(select(DeltaRow))}
    for receipt in receipts:
        row = rows.get(receipt.digest)
        if row is None:
            found.wrong.append(f"lost: delta {receipt.digest} was acknowledged and has no row")
        elif row.round_id != receipt.round_id:
            found.wrong.append(f"moved: delta {receipt.digest} counts in another round than it was told")
    for row in rows.values():
        _judge_blob(store, row.digest, row.size, f"delta of round {row.round_id}", found)
    pairs = [(row.round_id, row.robot_id) for row in rows.values()]
    if len(set(pairs)) != len(pairs):
        found.wrong.append("counted twice: a robot has two deltas in one round")


def _judge_versions(session: Session, store: ObjectStore, found: Verdict) -> None:
    versions = session.scalars(select(VersionRow).order_by(VersionRow.number)).all()
    if [row.number for row in versions] != list(range(1, len(versions) + 1)):
        found.wrong.append(f"versions are not 1 to {len(versions)}: {[row.number for row in versions]}")
    for row in versions:
        _judge_blob(store, row.digest, row.size, f"version {row.number}", found)
    numbers = {row.number for row in versions}
    for channel in session.scalars(select(ChannelRow)):
        if channel.number not in numbers:
            found.wrong.append(f"channel {channel.name} points at version {channel.number}: there is none")


def _judge_rounds(session: Session, found: Verdict) -> None:
    candidates = [row.candidate for row in session.scalars(select(RoundRow)) if row.candidate]
    if len(set(candidates)) != len(candidates):
        found.wrong.append("published twice: two rounds have one candidate")
    for row in session.scalars(select(RoundRow)):
        found.rounds[row.state] = found.rounds.get(row.state, 0) + 1
        if row.state in {"published", "rejected"} and not row.candidate:
            found.wrong.append(f"half published: round {row.round_id} has no candidate")
    for campaign in session.scalars(select(CampaignRow)):
        found.campaigns[campaign.state] = found.campaigns.get(campaign.state, 0) + 1
        if campaign.state == "running":
            found.wrong.append(f"campaign {campaign.campaign_id} did not end")


def _judge_audit(database: Database, found: Verdict) -> None:
    chain = AuditLog(database).verify()
    if chain.broken_at is not None:
        found.wrong.append(f"audit log broken at entry {chain.broken_at}: {chain.reason}")


def _judge_blob(store: ObjectStore, digest: str, size: int, what: str, found: Verdict) -> None:
    try:
        blob = store.get(digest, limit=size)
    except ZunftError as error:
        found.wrong.append(f"lost: the file of the {what}: {error}")
        return
    if len(blob) != size:
        found.wrong.append(f"cut short: the file of the {what}")
