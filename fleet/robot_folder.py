"""A robot's own folder: its key, who it is, skills it has fetched, the delta it still owes the hub.

Every file is replaced whole, so that a robot that loses power finds the old content or the new.
What to do with what is found is `fleet.sync`'s to decide.

    key.pem          private key, never leaves the folder
    identity.json    the hub's answer to the enrolment
    settings.toml    what the owner demands: `[trust]`, see `fleet.trust`, `[runtime]`, see
                     `fleet.runtime.guards`, `[update]`, see `fleet.updates`; nothing writes it
    <skill>.memory.json   which version is in use, which were refused and why
    <skill>.jobs.json     how jobs went with each version: `fleet.reporting`
    <skill>.health.json   how the machine fares: `fleet.health.watch`; <skill>.usual.json is the guild's part
    <skill>.personal.json    what was tuned at home from which version; its file is <skill>.personal.skill
    <task>.master.*  who teaches here: a skill, a controller's name, or recorded episodes: `fleet.masters`
    stopped.txt      why the robot is stopped, until a person releases it: `fleet.runtime.stop`
    pending.json     the delta that the hub has not acknowledged; its bytes are in pending.delta
    private.tensors  what training keeps from round to round of one campaign and learner: never sent
    metadata/        what the guild vouches for, and the root from which that is verified: `fleet.updater`
    skills/          fetched skill files, named by digest; a .partial one is on its way
"""

from __future__ import annotations

import fcntl
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skills.container import Tensors, digest_of, pack, unpack
from skills.delta import Delta
from skills.errors import ArtefactError, ConflictError, NotFoundError
from skills.files import Blob, atomic_file, map_file, write_atomically
from skills.manifest import Digest, Name
from skills.messages.reports import Tally
from skills.signing import SigningKey, VerifyKey
from skills.skill import Skill

__all__ = ["Identity", "Jobs", "Memory", "Pending", "Personal", "RobotFolder", "Seen", "SkillInUse"]

KEPT_SKILLS = 4  # files in the cache: base, in use, and two to fall back to
REFUSALS_KEPT = 32
D = TypeVar("D", bound=BaseModel)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Identity(_Document):
    """Who this robot is and which hub it joined; `workshop` names or points at its twin's data.

    `gate_key` signs what the gate found; empty: not learned yet, by a robot that joined before there was one.
    """

    hub: str
    hub_key: str
    gate_key: str = ""
    robot_id: str
    organisation: str
    name: str
    embodiment: Name
    workshop: str = ""

    @property
    def pinned_key(self) -> VerifyKey:
        """The hub's key, by whose word a robot that joined before there were roots gets the first."""
        return VerifyKey(self.hub_key)


class Pending(_Document):
    """A delta that is trained, and not acknowledged."""

    skill: Name
    campaign_id: str
    round_id: str
    number: int
    digest: Digest
    deadline: datetime


class SkillInUse(_Document):
    """A version that the robot works with, or might: since when, and who agreed, where those are known."""

    digest: Digest
    version: int
    since: datetime | None = None
    by: str = ""


class Seen(_Document):
    """The furthest that a channel was seen, and under which root: a new one ends what a thief said.

    `key`: the organisation's own that released it; empty for the hub's.
    """

    root: int
    counter: int
    lowest: int
    key: str = ""


class Memory(_Document):
    """What a robot remembers of one skill's versions.

    `waiting` was tried in the twin and may not be used yet, see `fleet.updates`; `refused` maps digests that
    the guild vouches for to reasons; `seen` is how far the channel came; `sits_out` is the roll-out in
    which it stays with what is everybody's: it had nothing in use before.
    """

    in_use: SkillInUse | None = None
    waiting: SkillInUse | None = None
    seen: Seen | None = None
    refused: dict[Digest, str] = Field(default_factory=dict)
    sits_out: str = ""

    def use(self, digest: Digest, version: int, since: datetime | None = None, by: str = "") -> Memory:
        """With another version in use, which is then not among the refused ones, and none that waits."""
        refused = {each: reason for each, reason in self.refused.items() if each != digest}
        used = SkillInUse(digest=digest, version=version, since=since, by=by)
        return self.model_copy(update={"in_use": used, "waiting": None, "refused": refused})

    def wait(self, waiting: SkillInUse | None) -> Memory:
        """With another version that waits."""
        return self.model_copy(update={"waiting": waiting})

    def lay_down(self) -> Memory:
        """With no version in use."""
        return self.model_copy(update={"in_use": None})

    def refuse(self, digest: Digest, reason: str) -> Memory:
        """With one more refusal, and none that waits; the oldest refusals are forgotten."""
        refused = dict(list({**self.refused, digest: reason}.items())[-REFUSALS_KEPT:])
        return self.model_copy(update={"refused": refused, "waiting": None})


class Jobs(_Document):
    """How jobs went with each version, how often guards objected, and which process drives; 0: none."""

    tallies: tuple[Tally, ...] = ()
    guards: dict[str, int] = Field(default_factory=dict)
    driver: int = 0


class Personal(_Document):
    """What came of tuning one of the guild's versions at home; it belongs to that version alone.

    Attributes:
        guild: The guild's version.
        version: Its number.
        digest: Of the personal skill's file; at share 0 there is none, and it is the guild's.
        share: Of the tuned weights in it; 0: the guild's skill stays as it is.
        score: Success at home on fresh episodes.
        guild_score: That of the guild's skill on the same.
        episodes: How many.
    """

    guild: Digest
    version: int
    digest: Digest
    share: float
    score: float
    guild_score: float
    episodes: int


class RobotFolder:
    """The folder, its owner's alone; see the module for its files."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @contextmanager
    def locked(self, work: str = "") -> Iterator[None]:
        """Keep a second process off the folder, or off one kind of work beside what else is done there.

        Raises:
            ConflictError: Another process works here.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        with (self.home / f".lock{work and f'-{work}'}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConflictError(
                    "another process runs this robot.",
                    where=str(self.home),
                    remedy="Stop it, or give this robot a folder of its own with --home.",
                ) from error
            yield

    def key(self) -> SigningKey:
        """The robot's key, made on first use."""
        return SigningKey.load_or_create(self.home / "key.pem")

    def identity(self) -> Identity:
        """Who the robot is.

        Raises:
            NotFoundError: It has not joined a hub.
        """
        found = self._read(Identity, "identity.json")
        if found is None:
            raise NotFoundError(
                "this robot has not joined a hub.",
                where=str(self.home),
                remedy="Run `zunft robot join` with a token from the hub's operator.",
            )
        return found

    def joined(self) -> bool:
        """Whether the robot has an identity."""
        return (self.home / "identity.json").exists()

    @property
    def metadata(self) -> Path:
        """Where what the guild vouches for is kept."""
        return self.home / "metadata"

    @property
    def first_root(self) -> Path:
        """Where the root that the enrolment brought is kept."""
        return self.metadata / "first-root.json"

    def keep_first_root(self, root: bytes) -> None:
        """Remember the root that the enrolment brought."""
        self.metadata.mkdir(parents=True, exist_ok=True)
        write_atomically(self.first_root, root, mode=0o600)

    def keep_identity(self, identity: Identity) -> None:
        """Remember who the robot is."""
        self._write("identity.json", identity)

    def policy(self, table: str, kind: type[D]) -> D:
        """A table of the owner's settings; its defaults where there is none.

        Raises:
            ArtefactError: It cannot be read, or says something that is not known.
        """
        path = self.home / "settings.toml"
        try:
            with path.open("rb") as file:
                return kind.model_validate(tomllib.load(file).get(table, {}))
        except FileNotFoundError:
            return kind()
        except (ValueError, ValidationError) as error:  # no TOML, no UTF-8, or nothing that is known
            raise ArtefactError(
                f"the owner's policy cannot be read: {error}.",
                where=str(path),
                remedy=f"Write [{table}] as docs/security.md and docs/runtime.md say.",
            ) from error

    def memory(self, skill: str) -> Memory:
        """What the robot remembers of a skill."""
        return self._read(Memory, f"{skill}.memory.json") or Memory()

    def keep_memory(self, skill: str, memory: Memory) -> None:
        """Replace what the robot remembers of a skill."""
        self._write(f"{skill}.memory.json", memory)

    def jobs(self, skill: str) -> Jobs:
        """How jobs went with each version of a skill."""
        return self._read(Jobs, f"{skill}.jobs.json") or Jobs()

    def keep_jobs(self, skill: str, jobs: Jobs) -> None:
        """Replace how jobs went."""
        self._write(f"{skill}.jobs.json", jobs)

    def note(self, skill: str, what: str, kind: type[D]) -> D:
        """A note of what somebody knows of a skill, in a file of its own; defaults where there is none."""
        return self._read(kind, f"{skill}.{what}.json") or kind()

    def keep_note(self, skill: str, what: str, note: BaseModel) -> None:
        """Replace it."""
        self._write(f"{skill}.{what}.json", note)

    def skill_file(self, digest: Digest) -> Path:
        """Where a fetched skill lies, or is to be laid."""
        return self.home / "skills" / f"{digest.removeprefix('sha256:')}.skill"

    def skill(self, digest: Digest) -> Skill | None:
        """A fetched skill, or None when it is not here whole."""
        path = self.skill_file(digest)
        try:
            return Skill.load(path, digest=digest)
        except FileNotFoundError:
            return None
        except ArtefactError:
            path.unlink(missing_ok=True)
            return None

    def tidy_skills(self, newest: Digest, memory: Memory) -> None:
        """Make room after a fetch: the oldest files go, never one in use or waiting, and what broke off."""
        path = self.skill_file(newest)
        spared = {path, *(self.skill_file(each.digest) for each in (memory.in_use, memory.waiting) if each)}
        for broken_off in path.parent.glob("*.partial"):
            broken_off.unlink(missing_ok=True)
        others = sorted((p for p in path.parent.glob("*.skill") if p not in spared), key=_age)
        for old in others[: max(0, len(others) + len(spared) - KEPT_SKILLS)]:
            old.unlink(missing_ok=True)

    def personal(self, skill: str) -> Personal | None:
        """What came of the last tuning of a skill, whichever version it was of."""
        return self._read(Personal, f"{skill}.personal.json")

    def personal_skill(self, skill: str, guild: Digest) -> tuple[Personal, Skill] | None:
        """What this robot tuned from that version of the guild's; None where the guild's is to be used."""
        record = self.personal(skill)
        if record is None or record.guild != guild or record.share == 0.0:
            return None
        try:
            return record, Skill.load(self._personal_file(skill), digest=record.digest)
        except (FileNotFoundError, ArtefactError):
            return None

    def keep_personal(self, name: str, record: Personal, skill: Skill) -> None:
        """Replace what came of tuning; a robot that loses power meanwhile has the guild's alone."""
        (self.home / f"{name}.personal.json").unlink(missing_ok=True)
        self._personal_file(name).unlink(missing_ok=True)
        if record.share > 0.0:
            write_atomically(self._personal_file(name), skill.blob, mode=0o600)
        self._write(f"{name}.personal.json", record)

    def pending(self) -> tuple[Pending, Blob] | None:
        """The delta that is owed, with its file; None also when that is damaged."""
        record = self._read(Pending, "pending.json")
        if record is None:
            return None
        try:
            data = self._delta_file()
        except FileNotFoundError:
            return None
        return (record, data) if digest_of(data) == record.digest else None

    def write_delta(self, delta: Delta) -> Blob:
        """Write a delta's file, tensor by tensor; it counts once `keep_pending` says whose it is.

        Raises:
            CodecError, ArtefactError: See `Delta.write`.
        """
        with atomic_file(self.home / "pending.delta", mode=0o600) as file:
            delta.write(file)
        return self._delta_file()

    def keep_pending(self, record: Pending) -> None:
        """Remember that the delta which was just written is owed."""
        self._write("pending.json", record)

    def drop_pending(self) -> None:
        """Forget the delta: the hub has it, or will not have it."""
        (self.home / "pending.json").unlink(missing_ok=True)
        (self.home / "pending.delta").unlink(missing_ok=True)

    def private(self, owner: str) -> Tensors:
        """What training kept for this owner; empty where that is another's, or damaged."""
        try:
            kept, tensors = unpack((self.home / "private.tensors").read_bytes(), "private state")
        except (FileNotFoundError, ArtefactError):
            return {}
        return tensors if kept == owner else {}

    def keep_private(self, owner: str, tensors: Tensors) -> None:
        """Replace what training keeps; that of another owner is forgotten."""
        write_atomically(self.home / "private.tensors", pack(owner, tensors), mode=0o600)

    def _personal_file(self, skill: str) -> Path:
        return self.home / f"{skill}.personal.skill"

    def _delta_file(self) -> Blob:
        with (self.home / "pending.delta").open("rb") as file:
            return map_file(file)

    def _read(self, kind: type[D], name: str) -> D | None:
        path = self.home / name
        try:
            return kind.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ArtefactError(
                f"not a file that Zunft wrote ({error.error_count()} deviations).",
                where=str(path),
                remedy="Restore it, or delete it and join again.",
            ) from error

    def _write(self, name: str, document: BaseModel) -> None:
        write_atomically(self.home / name, document.model_dump_json(indent=2).encode(), mode=0o600)


def _age(path: Path) -> float:
    return path.stat().st_mtime
