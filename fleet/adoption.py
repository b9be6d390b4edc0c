"""A robot takes the version it is pointed at: pulls it, tries it in its twin, uses it - or keeps the old one.

One that cannot try it takes it on the gate's word, and says so. Which one that is the guild's signed metadata
say, whoever answers for the hub; when it may be used, and who has to agree, its owner: `fleet.updates`. Both
outcomes and their reason are remembered on disk, so that no version is tried twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from fleet.client import HubClient
from fleet.fetch import DistrustError, Needs, pointed_version, pull_skill
from fleet.place import Place, RobotError
from fleet.progress import Voice
from fleet.rings import followed
from fleet.robot_folder import Memory, RobotFolder, Seen, SkillInUse
from fleet.sync import Verdict, behind, judge
from fleet.trust import UnvouchedError, Vouching
from fleet.updater import Trusted
from fleet.updates import Updates
from skills.errors import ContractError, HubUnreachableError, ZunftError
from skills.manifest import Digest
from skills.messages.robots import Refusal, RefusalCode
from skills.messages.skills import VersionView
from skills.skill import Skill
from skills.targets import Pointer

__all__ = ["Adoption"]

REASON_LENGTH = 300
UNTRIED = "on the gate's word, untried: this robot has no simulator (zunft[train])."


class Adoption:
    """One robot's choice of which version of a skill to use."""

    def __init__(
        self,
        skill: str,
        workbench: RobotFolder,
        client: HubClient,
        place: Place,
        voice: Voice,
        needs: Needs,
        vouching: Vouching,
        tolerance: float,
        updates: Updates,
        clock: Callable[[], datetime],
    ) -> None:
        self._skill = skill
        self._bench = workbench
        self._client = client
        self._place = place
        self._voice = voice
        self._needs = needs
        self._vouching = vouching
        self._unvouched = ""
        self._tolerance = tolerance
        self._updates, self._clock = updates, clock
        self._scores: dict[Digest, float | None] = {}

    def look(self) -> bool:
        """Look for a new stable version and try it; whether there was one.

        Raises:
            HubUnreachableError: No answer.
            DistrustError: What came is not what the guild vouches for, now.
            RobotError: The robot failed; nothing is known about the version.
        """
        trusted = self._client.guild.refresh()
        pointer = self._pointed(trusted, self._bench.memory(self._skill))
        if pointer is None:
            return False
        memory, number = self._bench.memory(self._skill), pointer.version
        if memory.in_use and memory.in_use.version in pointer.stopped:
            self._go_back(trusted, number)
            return True
        digest = trusted.version(self._skill, number).digest
        if memory.waiting and memory.waiting.digest != digest:  # the guild has another one by now
            memory = memory.wait(None)
            self._bench.keep_memory(self._skill, memory)
        if memory.waiting:
            return self._take(memory.waiting)
        in_use = memory.in_use.digest if memory.in_use else None
        if digest == in_use or digest in memory.refused:
            return False
        version = pointed_version(self._client, trusted, self._skill, number)
        try:
            self._needs.check(version.manifest)
            self._vouching.check(version)
        except UnvouchedError as error:
            return self._wait_for_a_word(version, error)
        except ContractError:
            pass  # for the trial to say, and to remember
        self._decide(version)
        return True

    def _wait_for_a_word(self, version: VersionView, error: UnvouchedError) -> bool:
        """Say once why a version is not even tried; it is looked at again: somebody may yet vouch for it."""
        if self._unvouched != str(error):
            self._unvouched = str(error)
            self._voice.say("refused", f"version {version.version}: {error}")
        return False

    def _go_back(self, trusted: Trusted, number: int) -> None:
        """Leave a version that the guild has stopped, without a trial: in the twin it may well do better.

        Where what is pointed at cannot be had or does not fit, no version is in use. Neither a window nor
        anybody's consent is waited for: the version was in use before.
        """
        try:
            version = pointed_version(self._client, trusted, self._skill, number)
            self._needs.check(version.manifest)
            self._vouching.check(version)
            pull_skill(self._bench, self._client, version, self._needs)
        except ZunftError as error:
            self._bench.keep_memory(self._skill, self._bench.memory(self._skill).lay_down())
            self._voice.say("refused", f"the version in use was stopped, and version {number}: {error}")
            if isinstance(error, (DistrustError, HubUnreachableError)):
                raise
            return
        memory = self._bench.memory(self._skill).use(version.digest, number, self._now())
        self._bench.keep_memory(self._skill, memory)
        self._voice.say("adopted", f"version {number}: the one in use was stopped.")

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def _pointed(self, trusted: Trusted, memory: Memory) -> Pointer | None:
        """Where this robot is pointed; None: nowhere."""
        identity = self._bench.identity()
        found, key, remembered = followed(trusted, self._skill, identity, memory)
        if found is None:
            return None
        pointer = found.on(identity.embodiment)
        if reason := behind(pointer, trusted.root, key, memory.seen):
            raise DistrustError(reason, kind="rolled_back", version=pointer.version)
        seen = Seen(root=trusted.root, counter=pointer.counter, lowest=pointer.lowest, key=key)
        if memory.seen and (memory.seen.root == seen.root or memory.seen.key == key != ""):
            seen = seen.model_copy(update={"lowest": max(seen.lowest, memory.seen.lowest)})
        if (seen, remembered) != (memory.seen, memory):
            self._bench.keep_memory(self._skill, remembered.model_copy(update={"seen": seen}))
        return pointer

    def _decide(self, version: VersionView) -> None:
        verdict, kind = self._try(version)
        memory = self._bench.memory(self._skill)
        if verdict.accepted:
            waiting = SkillInUse(digest=version.digest, version=version.version)
            self._bench.keep_memory(self._skill, memory.wait(waiting))
            if not self._take(waiting, verdict.reason):
                why = self._hindrance()
                self._voice.say(
                    "held back", f"version {version.version}: {verdict.reason} It waits for {why}."
                )
            return
        self._bench.keep_memory(self._skill, memory.refuse(version.digest, verdict.reason))
        self._client.untold = Refusal(
            skill=self._skill, version=version.version, code=kind, reason=verdict.reason[:REASON_LENGTH]
        )
        success = self._scores.get(version.digest)
        self._voice.say("refused", f"version {version.version}: {verdict.reason}", success=success)

    def _take(self, waiting: SkillInUse, reason: str = "nothing hinders it any more.") -> bool:
        """Use the version that waits, unless something hinders that still; whether it is used now."""
        if self._hindrance():
            return False
        memory = self._bench.memory(self._skill).use(waiting.digest, waiting.version, self._now())
        self._bench.keep_memory(self._skill, memory)
        success = self._scores.get(waiting.digest)
        self._voice.say("adopted", f"version {waiting.version}: {reason}", success=success)
        return True

    def _hindrance(self) -> str:
        # One that can try nothing takes versions on the gate's word, where its owner's `[trust]` allows it.
        tried = self._place.has_twin or not self._place.trains
        return self._updates.hindrance(self._bench.memory(self._skill), self._clock(), tried=tried)

    def _try(self, version: VersionView) -> tuple[Verdict, RefusalCode]:
        """Pull and try a version; the verdict, and of what kind it is where it is no."""
        try:
            tell = partial(self._voice.say, "pulling")
            skill = pull_skill(self._bench, self._client, version, self._needs, tell)
            if not self._place.trains:
                return Verdict(accepted=True, reason=UNTRIED), "worse"
            score = self._score(skill)
            return judge(score, self._score_in_use(), self._tolerance), "worse"
        except (DistrustError, HubUnreachableError, RobotError):
            raise
        except ContractError as error:
            return Verdict(accepted=False, reason=str(error)), "does_not_fit"
        except ZunftError as error:
            return Verdict(accepted=False, reason=str(error)), "worse"

    def _score(self, skill: Skill) -> float | None:
        if skill.digest not in self._scores:
            self._scores[skill.digest] = self._place.try_version(skill)
        return self._scores[skill.digest]

    def _score_in_use(self) -> float | None:
        in_use = self._bench.memory(self._skill).in_use
        skill = self._bench.skill(in_use.digest) if in_use else None
        return None if skill is None else self._score(skill)
