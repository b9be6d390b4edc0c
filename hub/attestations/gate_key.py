"""The gate's key as the hub knows it: its public half, which robots pin and the database remembers.

Made with a new hub by a process of its own (`hub.workers.gate_key`), so that this one never has the private
half in memory; or named by a setting, where whoever measures is on other machines.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from hub.settings import Settings
from hub.storage.database import Database, SettingsError, existing_database
from hub.storage.record import HUB, note, take_turn
from hub.storage.tables.events import HubRow
from skills.errors import ConflictError, SignatureError
from skills.signing import SigningKey, VerifyKey

__all__ = ["gate_key", "replace_gate_key"]

MAKING_SECONDS = 60


def gate_key(settings: Settings, database: Database, now: datetime, *, in_process: bool) -> VerifyKey:
    """Whose word on what the gate found counts; called once the database knows which hub it is.

    Args:
        settings: The hub's.
        database: The hub's.
        now: The time.
        in_process: Whether this process measures itself, with a gate that somebody brought.

    Raises:
        SettingsError: The setting is no public key, or no key can be made.
    """
    with database.read() as session:
        known = session.get_one(HubRow, 1).gate_key
    if known and settings.gate_key in {"", known}:
        return VerifyKey(known)
    found = _named(settings.gate_key) if settings.gate_key else _made(settings.gate_key_path, in_process)
    with database.write() as session:
        take_turn(session)  # several processes may start at once
        return _enter(session, found, now, is_named=bool(settings.gate_key))


def replace_gate_key(settings: Settings, now: datetime) -> Path | None:
    """Have the gate of a stopped hub sign with a new key; what the old one signed counts no more.

    The new one is made beside the hub, or was made where measuring is done and is named by a setting. Robots
    follow once the root names it (`hub.tuf.roots`); what is stable is measured anew at the next start.

    Returns:
        The old key's file under its other name; None where it is elsewhere.

    Raises:
        NotFoundError: There is no hub.
        ConflictError: The setting names the key that holds.
        SettingsError: No key can be made.
    """
    path = settings.gate_key_path
    with existing_database(settings.database) as database:
        with database.read() as session:
            known = session.get_one(HubRow, 1).gate_key
        if settings.gate_key and settings.gate_key == known:
            raise ConflictError(
                "this is the gate's key already.",
                where="gate_key",
                remedy="Make one where measuring is done: python -m hub.workers.gate_key FILE.",
            )
        old = None
        if not settings.gate_key and path.exists():
            old = path.with_name(f"{path.stem}-until-{now:%Y%m%dT%H%M%SZ}{path.suffix}")
            path.rename(old)
        found = _named(settings.gate_key) if settings.gate_key else _made(path, in_process=False)
        with database.write() as session:
            take_turn(session)
            _enter(session, found, now, is_named=True)
    return old


def _enter(session: Session, found: VerifyKey, now: datetime, *, is_named: bool) -> VerifyKey:
    row = session.get_one(HubRow, 1, populate_existing=True)
    if row.gate_key and not is_named:
        return VerifyKey(row.gate_key)
    if row.gate_key not in {None, found.text}:
        note(session, "gate-key.replaced", now, by=HUB, subject=found.text)
    row.gate_key = found.text
    return found


def _named(text: str) -> VerifyKey:
    try:
        return VerifyKey(text).canonical()
    except SignatureError as error:
        raise SettingsError(error.message, where="gate_key", remedy=error.remedy) from error


def _made(path: Path, in_process: bool) -> VerifyKey:
    if in_process:
        return SigningKey.load_or_create(path).public
    command = [sys.executable, "-P", "-m", "hub.workers.gate_key", str(path)]
    done = subprocess.run(  # noqa: S603 - nothing of it comes from outside
        command, capture_output=True, text=True, timeout=MAKING_SECONDS, check=False
    )
    if done.returncode:
        raise SettingsError(
            f"the gate's key cannot be made or read: {done.stderr.strip().splitlines()[-1:]}.",
            where=str(path),
            remedy="Check the file and its rights, or name it with ZUNFT_GATE_KEY_FILE.",
        )
    return VerifyKey(done.stdout)
