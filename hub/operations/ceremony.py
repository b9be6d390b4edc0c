"""What operators do with roots of trust beside a hub: begin with keys elsewhere, and go on to the next.

On the hub's settings, without HTTP. What a root is and who must sign it is `hub.tuf.roots`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Signer

from hub.access.hub_key import replace_key, signing_key
from hub.attestations.gate_key import gate_key
from hub.settings import Settings
from hub.storage.database import existing_database, open_database
from hub.storage.record import take_turn
from hub.tuf.keys import ROOT_KEYS, make_root_keys, root_signer, root_signers
from hub.tuf.metadata import ONLINE, ROOT
from hub.tuf.roots import add_signature, begin, install, next_root, read_root, signatures_missing
from skills.errors import ConflictError, NotFoundError
from skills.files import write_atomically

__all__ = ["RootState", "Rotation", "hold_ceremony", "install_signed", "rotate", "show_root", "sign_draft"]


@dataclass(frozen=True)
class RootState:
    """The root that holds: its version, the digest that tokens name, when it ends, and keys by role.

    `beside`: files of root keys that lie in the hub's own folder, where a thief would find them, too.
    """

    version: int
    digest: str
    expires: datetime
    threshold: int
    keys: dict[str, tuple[str, ...]]
    beside: tuple[Path, ...]


@dataclass(frozen=True)
class Rotation:
    """What came of a rotation: the root holds, or so many signatures are missing on the file.

    `file`: the root, to be signed, or to be installed again after an older backup was restored.
    """

    version: int
    missing: int
    file: Path
    old_hub_key: Path | None


def hold_ceremony(settings: Settings, root_keys: Path, now: datetime) -> RootState:
    """Begin a new hub with a root whose keys lie in a folder of their own.

    Raises:
        ConflictError: The hub has a root, or the folder has keys.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with open_database(settings.database) as database:
        database.migrate()
        key = signing_key(settings, database)
        gate_key(settings, database, now, in_process=False)  # so that the first root names it
        with database.write() as session:
            take_turn(session)
            begin(session, key, root_keys, now)
    return show_root(settings)


def show_root(settings: Settings) -> RootState:
    """The root that holds.

    Raises:
        NotFoundError: There is no hub yet, or it has none.
    """
    with existing_database(settings.database) as database, database.read() as session:
        root, digest = read_root(session)
    return RootState(
        version=root.version,
        digest=digest,
        expires=root.expires,
        threshold=root.roles[ROOT].threshold,
        keys={role: tuple(root.roles[role].keyids) for role in (ROOT, *ONLINE)},
        beside=tuple(sorted((settings.data_dir / ROOT_KEYS).glob("*.pem"))),
    )


def rotate(
    settings: Settings,
    now: datetime,
    *,
    root_keys: Sequence[Path],
    draft: Path,
    new_hub_key: bool = False,
    new_root_keys: Path | None = None,
    release_keys: Mapping[str, str] | None = None,
) -> Rotation:
    """Make the next root; it holds at once where enough keys are at hand, else its file waits for them.

    Args:
        settings: Of the hub, which must not be running where it gets a new key.
        now: The time.
        root_keys: Files or folders of the root's keys.
        draft: Where the next root is written to, also one that holds at once.
        new_hub_key: Whether the hub's own key was stolen, and with it all that signs daily.
        new_root_keys: A folder for new keys of the root.
        release_keys: By skill, the key that releases it from now on, whatever it was; empty: the hub's.

    Raises:
        NotFoundError: There is no hub, or no such skill.
        ConflictError: There are keys where new ones are to be.
    """
    old = _set_aside(settings, now) if new_hub_key else None
    signers = [signer for path in root_keys for signer in _signers(path)]
    fresh = make_root_keys(new_root_keys) if new_root_keys else None
    with existing_database(settings.database) as database:
        key = signing_key(settings, database)
        with database.write() as session:
            take_turn(session)
            body = next_root(session, key, now, fresh, release_keys)
            for signer in (*signers, *(fresh or ())):
                body = add_signature(body, signer)
            version, missing = read_root(session)[0].version + 1, signatures_missing(session, body)
            if not missing:
                install(session, body, now)
            write_atomically(draft, body, mode=0o644)  # before it holds: none may be lost
    return Rotation(version, missing, draft, old)


def sign_draft(draft: Path, key: Path) -> None:
    """Add a signature to a draft; this needs no hub, so that the key never comes near one.

    Raises:
        SignatureError: No such key.
        ArtefactError: It is no root.
    """
    write_atomically(draft, add_signature(draft.read_bytes(), root_signer(key)), mode=0o644)


def install_signed(settings: Settings, signed: Path, now: datetime) -> Rotation:
    """Have a root hold that was signed elsewhere.

    Raises:
        ConflictError: It is not the next one, or too few have signed it.
    """
    with existing_database(settings.database) as database, database.write() as session:
        root = install(session, signed.read_bytes(), now)
    return Rotation(root.version, 0, signed, None)


def _set_aside(settings: Settings, now: datetime) -> Path:
    """Give the hub a new key; the old one is kept under another name, for those who ask what was stolen."""
    path = settings.key_path
    old = path.with_name(f"{path.stem}-until-{now:%Y%m%dT%H%M%SZ}{path.suffix}")
    if not path.exists():
        raise NotFoundError("the hub has no key.", where=str(path), remedy="Make one: zunft hub new-key.")
    if old.exists():
        raise ConflictError("this was done a moment ago.", where=str(old))
    path.rename(old)
    replace_key(settings, now)
    return old


def _signers(path: Path) -> list[Signer]:
    return root_signers(path) if path.is_dir() else [root_signer(path)]
