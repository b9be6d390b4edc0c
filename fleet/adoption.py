"""A robot takes a new stable version: pulls it, tries it in its twin, uses it - or keeps the old one.

One that cannot try it takes it on the gate's word, and says so. Which one that is the guild's signed metadata
say, whoever answers for the hub; when it may be used, and who has to agree, its owner: `fleet.updates`. Both
outcomes and their reason are remembered on disk, so that no
version is tried twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fleet.client import HubClient
from fleet.fetch import DistrustError, Needs, pointed_version, pull_skill
from fleet.place import Place, RobotError
from fleet.progress import Voice
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
        number = self._pointed(trusted, self._bench.memory(self._skill))
        if number is None:
            return False
        memory = self._bench.memory(self._skill)
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

    def _pointed(self, trusted: Trusted, memory: Memory) -> int | None:
        """The stable version's number; None where nothing is stable."""
        channel = trusted.pointer(self._skill, "stable")
        if channel is None:
            return None
        pointer = channel.on(self._bench.identity().embodiment)
        if reason := behind(pointer, trusted.root, memory.seen):
            raise DistrustError(reason, kind="rolled_back", version=pointer.version)
        seen = Seen(root=trusted.root, counter=pointer.counter, lowest=pointer.lowest)
        if memory.seen and memory.seen.root == seen.root:
            seen = seen.model_copy(update={"lowest": max(seen.lowest, memory.seen.lowest)})
        if seen != memory.seen:
            self._bench.keep_memory(self._skill, memory.model_copy(update={"seen": seen}))
        return pointer.version

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
        memory = self._bench.memory(self._skill).use(waiting.digest, waiting.version)
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
