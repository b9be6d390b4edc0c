"""A robot takes a new stable version: pulls it, tries it in its twin, uses it - or keeps the old one.

Both outcomes and their reason are remembered on disk, so that no version is tried twice.
"""

from __future__ import annotations

from functools import partial

from fleet.client import HubClient
from fleet.fetch import DistrustError, Needs, pull_skill
from fleet.place import Place, RobotError
from fleet.progress import Voice
from fleet.robot_folder import RobotFolder
from fleet.sync import Verdict, judge
from fleet.trust import UnvouchedError, Vouching
from skills.container import digest_of
from skills.errors import ContractError, HubUnreachableError, NotFoundError, ZunftError
from skills.manifest import Digest
from skills.messages.skills import VersionView
from skills.skill import Skill

__all__ = ["Adoption"]


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
        self._scores: dict[Digest, float] = {}

    def look(self) -> bool:
        """Look for a new stable version and try it; whether there was one.

        Raises:
            HubUnreachableError: No answer.
            DistrustError: The hub's file is not what it signed.
            RobotError: The robot failed; nothing is known about the version.
        """
        try:
            version = self._client.version(self._skill, "stable")
        except NotFoundError:
            return False
        memory = self._bench.memory(self._skill)
        in_use = memory.in_use.digest if memory.in_use else None
        if version.digest == in_use or {version.digest, _told(version)} & memory.refused.keys():
            return False
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

    def _decide(self, version: VersionView) -> None:
        verdict, about = self._try(version)
        memory = self._bench.memory(self._skill)
        if verdict.accepted:
            memory = memory.use(version.digest, version.version)
        else:
            memory = memory.refuse(about, verdict.reason)
        self._bench.keep_memory(self._skill, memory)
        self._voice.say(
            "adopted" if verdict.accepted else "refused",
            f"version {version.version}: {verdict.reason}",
            success=self._scores.get(version.digest),
        )

    def _try(self, version: VersionView) -> tuple[Verdict, Digest]:
        """Pull and try a version; the verdict, and the digest of what it is about."""
        about = _told(version)
        try:
            self._needs.check(version.manifest)
            about = version.digest
            tell = partial(self._voice.say, "pulling")
            score = self._score(pull_skill(self._bench, self._client, version, self._needs, tell))
            return judge(score, self._score_in_use(), self._tolerance), about
        except (DistrustError, HubUnreachableError, RobotError):
            raise
        except ZunftError as error:
            return Verdict(accepted=False, reason=str(error)), about

    def _score(self, skill: Skill) -> float:
        if skill.digest not in self._scores:
            self._scores[skill.digest] = self._place.rehearse(skill)
        return self._scores[skill.digest]

    def _score_in_use(self) -> float | None:
        in_use = self._bench.memory(self._skill).in_use
        skill = self._bench.skill(in_use.digest) if in_use else None
        return None if skill is None else self._score(skill)


def _told(version: VersionView) -> Digest:
    """Digest of what the hub says that a version is: it may be wrong, and then another manifest comes."""
    return digest_of(version.manifest.model_dump_json().encode())
