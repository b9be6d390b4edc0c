"""Which hub this is: the key that signs its skills, and the database that knows the key's public half.

Robots pin the key when they enrol, so all processes of a hub must sign with the same one, and a hub with
another key on the same database would be a stranger to them. The private key is in a file, never in the
database: backups and whoever reads the database could sign otherwise.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.settings import Settings
from hub.storage.database import Database, SettingsError, existing_database
from hub.storage.record import HUB, note, take_turn
from hub.storage.tables.events import HubRow
from hub.storage.tables.skills import VersionRow
from skills.errors import ConflictError
from skills.signing import SigningKey, VerifyKey, skill_statement

__all__ = ["replace_key", "signing_key"]


def signing_key(settings: Settings, database: Database) -> SigningKey:
    """The hub's key; a new hub makes one, and its database remembers whose it is.

    Raises:
        SettingsError: The key is not where it should be, or it is another hub's.
        SignatureError: The file holds no key.
    """
    path = settings.key_path
    with database.read() as session:
        known = _known(session)
    if not path.exists():  # looked at later than the database, which learns of a key once its file is there
        _check_new(settings, known)
    key = SigningKey.load_or_create(path)
    with database.write() as session:
        take_turn(session)  # several processes may start at once
        known = _known(session)
        if not known:
            session.add(HubRow(id=1, public_key=key.public.text))
        elif known != key.public.text:
            raise SettingsError(
                f"this key is {key.public.text}, and the database belongs to the hub {known}.",
                where=str(path),
                remedy="Give all processes of a hub the same key file, or this hub a database of its own.",
            )
    return key


def replace_key(settings: Settings, now: datetime) -> VerifyKey:
    """Make a new key for a hub whose old one is lost, and sign all versions with it; no process may run.

    Raises:
        ConflictError: The key is there.
        NotFoundError, SettingsError: No database, or it does not answer.
    """
    path = settings.key_path
    if path.exists():
        raise ConflictError("the hub has a key.", where=str(path), remedy="Move it away if it shall go.")
    with existing_database(settings.database) as database, database.write() as session:
        key = SigningKey.load_or_create(path)
        session.merge(HubRow(id=1, public_key=key.public.text))
        for row in session.scalars(select(VersionRow)):
            row.signature = key.sign(skill_statement(row.digest))
        note(session, "key.replaced", now, by=HUB, subject=key.public.text)
    return key.public


def _check_new(settings: Settings, known: str) -> None:
    """Nothing is made where a key was named, or where a hub is that has one."""
    if known:
        raise SettingsError(
            f"the database belongs to the hub {known}, and its key is not here.",
            where=str(settings.key_path),
            remedy="Put that hub's key file there, or name it with ZUNFT_SIGNING_KEY_FILE; "
            "if it is lost for good, see zunft hub new-key.",
        )
    if settings.signing_key_file is not None:
        raise SettingsError(
            "there is no such key file.",
            where=str(settings.signing_key_file),
            remedy="Check the path; without ZUNFT_SIGNING_KEY_FILE a new hub makes a key in its folder.",
        )


def _known(session: Session) -> str:
    row = session.get(HubRow, 1)
    return row.public_key if row else ""
