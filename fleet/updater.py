"""What a robot believes of its guild, whoever answers for the hub: metadata by The Update Framework.

The first root comes with the enrolment: its digest is in the one-time token. From there each refresh verifies
root, timestamp, snapshot and targets in this order, with an `Updater` of its own; when nothing has changed it
costs one conditional request. What is refused here says nothing about a version for ever: another answer may
be true. What a robot makes of a version that was vouched for is `fleet.fetch`'s and `fleet.adoption`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from fleet.connection import NOT_MODIFIED, Connection
from skills.container import digest_of
from skills.errors import (
    ArtefactError,
    ForbiddenError,
    HubUnreachableError,
    NotFoundError,
    SignatureError,
    ZunftError,
)
from skills.files import write_atomically
from skills.manifest import Digest
from skills.messages.base import API
from skills.messages.robots import RefusalCode, RootOfTrust
from skills.release_keys import SignedRelease, named_keys, read_release, release_role
from skills.rings import RolloutNote
from skills.signing import VerifyKey, root_statement
from skills.targets import (
    GATE_KEY_FIELD,
    ROLLOUT,
    NamedKey,
    Pointer,
    TaskNote,
    VersionNote,
    channel_target,
    skill_target,
    task_target,
)

__all__ = ["DistrustError", "Guild", "Trusted", "Vouched", "fetch_root"]

ROOT_LIMIT = 512_000  # bytes
METADATA = f"{API}/tuf/metadata/"
TIMESTAMP_FILE = f"{Timestamp.type}.json"
N = TypeVar("N", bound=BaseModel)


class DistrustError(ZunftError):
    """What came is not what the guild vouches for. Another answer may be: it says nothing about a version.

    Args:
        message: As of all errors.
        kind: What is wrong, as the hub is told.
        version: Which version it is about, 0 for none.
    """

    code = "not_what_was_signed"
    status = 502

    def __init__(self, message: str, *, kind: RefusalCode = "not_what_was_signed", version: int = 0) -> None:
        super().__init__(message, code=kind)
        self.kind: RefusalCode = kind
        self.version = version


@dataclass(frozen=True)
class Vouched:
    """A file that the guild vouches for: a version's or a task's, and what is said of it."""

    digest: Digest
    size: int
    note: VersionNote | TaskNote


def fetch_root(connection: Connection, digest: Digest) -> bytes:
    """The root of trust with this digest, from whoever has it.

    Raises:
        DistrustError: Something else came.
        HubUnreachableError: No answer.
    """
    body = connection.send("GET", f"{API}/tuf/roots/{digest}", limit=ROOT_LIMIT).body
    if digest_of(body) != digest:
        raise DistrustError("the root of trust is not the one that the enrolment token names.")
    return body


@dataclass
class Guild:
    """What the robot has of its guild's metadata, and where news of them are to be had.

    Attributes:
        folder: Where the metadata lie.
        first_root: File of the root that the enrolment brought.
        connection: To whoever answers for the hub.
        pinned: The hub's key, of a robot that joined before there were roots.
    """

    folder: Path
    first_root: Path
    connection: Connection
    pinned: VerifyKey | None

    def refresh(self) -> Trusted:
        """What the guild vouches for now.

        Raises:
            DistrustError: What came was signed by nobody who may, is older than what was known, or expired.
            HubUnreachableError: No answer.
        """
        if self.pinned is not None and not self.first_root.exists():
            self._take_over(self.pinned)
        fetcher = _Fetcher(self.connection, self._known())
        with _judged(fetcher):
            updater = Updater(
                str(self.folder),
                f"{self.connection.base_url.rstrip('/')}{METADATA}",
                fetcher=fetcher,
                bootstrap=self.first_root.read_bytes(),
            )
            updater.refresh()
        root = self._root()
        return Trusted(updater, fetcher, root.version, self.folder, _named_keys(root))

    def gate_key(self) -> str:
        """Whose word on what the gate found counts, by the newest verified root; empty: it names none."""
        return str(self._root().unrecognized_fields.get(GATE_KEY_FIELD, ""))

    def _take_over(self, pinned: VerifyKey) -> None:
        """The first root, by the word of the key that was pinned before there was one."""
        found = self.connection.ask(RootOfTrust, "GET", f"{API}/tuf/first-root")
        body = found.root.encode()
        pinned.verify(found.signature, root_statement(digest_of(body)))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.first_root, body, mode=0o600)

    def _known(self) -> tuple[bytes, str] | None:
        """The timestamp that is here, and what a hub calls that together with the root; None without one."""
        try:
            body = (self.folder / TIMESTAMP_FILE).read_bytes()
            return body, f'"{self._root_version()}-{digest_of(body)}"'
        except (OSError, exceptions.RepositoryError):
            return None

    def _root_version(self) -> int:
        return self._root().version

    def _root(self) -> Root:
        root: Metadata[Root] = Metadata.from_file(str(self.folder / f"{Root.type}.json"))
        return root.signed


@dataclass(frozen=True)
class Trusted:
    """One consistent state of what the guild vouches for; an organisation's part comes when it is asked for.

    Attributes:
        root: Version of the root of trust, by which who may sign what is known.
        folder: Where the metadata lie.
        named_keys: By hidden name, whose key the root names for a skill's releases.
    """

    updater: Updater
    fetcher: _Fetcher
    root: int
    folder: Path
    named_keys: Mapping[str, NamedKey]

    def pointer(self, skill: str, channel: str) -> Pointer | None:
        """Where a channel points; None: nowhere."""
        target = self.target(channel_target(skill, channel))
        return None if target is None else _note(Pointer, target)

    def release(self, skill: str) -> SignedRelease | None:
        """What an organisation's own key says of the stable channel; None: this skill's is the hub's to say.

        Raises:
            DistrustError: There is such a key, and it has not signed what is here, or too long ago.
        """
        role = release_role(skill)
        top: Metadata[Targets] = Metadata.from_file(str(self.folder / f"{Targets.type}.json"))
        delegations = top.signed.delegations
        if delegations is None or role not in (delegations.roles or {}):
            return None
        self.target(channel_target(skill, "stable"))
        try:
            found = read_release((self.folder / f"{role}.json").read_bytes(), skill)
        except (OSError, ArtefactError, SignatureError) as error:
            raise DistrustError(
                f"the release of {skill} is not by its organisation's key: {error}"
            ) from error
        if found.expires < datetime.now(UTC):
            raise DistrustError(
                f"the organisation of {skill} has signed nothing since {found.expires:%Y-%m-%d}.",
                kind="expired",
            )
        return found

    def rollout(self, skill: str) -> RolloutNote | None:
        """The rings of the roll-out that is under way; None where there is none."""
        target = self.target(channel_target(skill, ROLLOUT))
        return None if target is None else _note(RolloutNote, target)

    def version(self, skill: str, number: int) -> Vouched:
        """A version.

        Raises:
            DistrustError: Nobody vouches for it.
        """
        target = self.target(skill_target(skill, number))
        if target is None:
            raise DistrustError(f"the guild does not vouch for version {number} of {skill}.", version=number)
        return _vouched(target, VersionNote)

    def task(self, name: str, number: int) -> Vouched:
        """A version of a published task.

        Raises:
            DistrustError: Nobody vouches for it.
        """
        target = self.target(task_target(name, number))
        if target is None:
            raise DistrustError(f"the guild does not vouch for version {number} of the task {name}.")
        return _vouched(target, TaskNote)

    def target(self, path: str) -> TargetFile | None:
        """What is said of a target; None: nobody vouches for it.

        Raises:
            DistrustError: What came was signed by nobody who may.
        """
        with _judged(self.fetcher):
            return self.updater.get_targetinfo(path)


class _judged:  # noqa: N801 - used as a statement
    """What The Update Framework refuses, in the robot's words."""

    def __init__(self, fetcher: _Fetcher) -> None:
        self._fetcher = fetcher

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Say what was refused and why."""
        match error:
            case exceptions.ExpiredMetadataError():
                raise DistrustError(
                    f"nobody has signed anything newer since {_ended(self._fetcher.timestamp)}; what is in "
                    f"use stays in use, and nothing new is taken ({error}).",
                    kind="expired",
                ) from error
            case exceptions.BadVersionNumberError():
                raise DistrustError(
                    f"this is older than what was known: {error}.", kind="rolled_back"
                ) from error
            case exceptions.RepositoryError() | exceptions.DownloadError():
                raise DistrustError(f"this is not what the guild signed: {error}.") from error


class _Fetcher(FetcherInterface):
    """Brings metadata over the robot's connection; a timestamp that has not changed is the one here.

    The hub's tag of the timestamp names the newest root, too: where that is the one here, nobody is asked for
    a newer one. A hub could keep roots back either way.
    """

    def __init__(self, connection: Connection, known: tuple[bytes, str] | None) -> None:
        self._connection = connection
        self._known = known
        self.timestamp: bytes | None = None
        self._is_asked = self._is_unchanged = self._has_newest_root = False

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """One file of at most so many bytes.

        Raises:
            DownloadHTTPError: There is none.
            HubUnreachableError: No answer.
        """
        name = url.rpartition("/")[2]
        if not self._is_asked and (self._known or name == TIMESTAMP_FILE):
            self._ask()
        if self._has_newest_root and name.endswith(f".{Root.type}.json"):
            raise exceptions.DownloadHTTPError("no newer root", 404)
        if name == TIMESTAMP_FILE and self.timestamp is not None:
            return self.timestamp
        try:
            return self._connection.send("GET", f"{METADATA}{name}", limit=max_length).body
        except (NotFoundError, ForbiddenError) as error:
            raise exceptions.DownloadHTTPError(str(error), error.status) from error
        except ArtefactError as error:
            raise exceptions.DownloadLengthMismatchError(str(error)) from error

    def _ask(self) -> None:
        """Once, and where a timestamp is here before all else: has anything changed, root or timestamp?"""
        self._is_asked = True
        headers = {"If-None-Match": self._known[1]} if self._known else {}
        limit = 2 * 16_384
        try:
            answer = self._connection.send("GET", f"{METADATA}{TIMESTAMP_FILE}", headers=headers, limit=limit)
        except NotFoundError as error:
            raise HubUnreachableError(
                "this hub signs no metadata.", remedy="Have its operator upgrade it.", where=error.where
            ) from error
        except ArtefactError as error:
            raise exceptions.DownloadLengthMismatchError(str(error)) from error
        self._is_unchanged = answer.status == NOT_MODIFIED and self._known is not None
        self.timestamp = self._known[0] if self._is_unchanged and self._known else answer.body
        root = self._known[1].partition("-")[0] if self._known else ""
        self._has_newest_root = self._is_unchanged or (root != "" and answer.tag.partition("-")[0] == root)

    def _fetch(self, url: str) -> Iterator[bytes]:
        """Of the interface; nothing is asked for this way."""
        raise NotImplementedError(url)


def _ended(timestamp: bytes | None) -> str:
    """When the newest word ended; what has expired was verified before."""
    found: Metadata[Timestamp] = Metadata.from_bytes(timestamp or b"")
    return f"{min(found.signed.expires, datetime.now(UTC)):%Y-%m-%d %H:%M} UTC"


def _named_keys(root: Root) -> Mapping[str, NamedKey]:
    try:
        return named_keys(root.unrecognized_fields)
    except ArtefactError as error:
        raise DistrustError(str(error)) from error


def _vouched(target: TargetFile, note: type[VersionNote | TaskNote]) -> Vouched:
    digest = f"sha256:{target.hashes.get('sha256', '')}"
    return Vouched(digest, target.length, _note(note, target))


def _note(kind: type[N], target: TargetFile) -> N:
    try:
        return kind.model_validate(target.custom or {})
    except ValidationError as error:
        raise DistrustError(
            f"what is said of {target.path} cannot be read ({error.error_count()} deviations)."
        ) from error
