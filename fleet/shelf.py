"""The skills that a robot has: cached, fetched when missing, and held to the robot before they are used.

What is fetched is verified by `fleet.client`; whether it is any good is `fleet.adoption`'s to find out.
"""

from __future__ import annotations

from fleet.client import HubClient
from fleet.interfaces import Ground
from fleet.progress import Voice
from fleet.sync import check_fit
from fleet.workbench import Workbench
from skills.errors import ArtefactError, SignatureError
from skills.manifest import Manifest
from skills.messages import VersionView
from skills.skill import Skill

__all__ = ["DistrustError", "Shelf"]


class DistrustError(Exception):
    """A download was not what the guild signed. Another one may be: it says nothing about the version."""


class Shelf:
    """One skill's versions on one robot."""

    def __init__(
        self, skill: str, workbench: Workbench, client: HubClient, ground: Ground, voice: Voice
    ) -> None:
        self._skill = skill
        self._bench = workbench
        self._client = client
        self._ground = ground
        self._voice = voice

    def pull(self, version: VersionView) -> Skill:
        """A version, from the cache or the hub.

        Raises:
            DistrustError: The download has another digest or signature, or is damaged.
            ContractError: The skill does not fit this robot: seen before anything is fetched.
            HubUnreachableError: No answer.
        """
        self.check(version.manifest)
        skill = self._bench.skill(version.digest)
        if skill is None:
            skill = self._fetch(version)
            self._bench.tidy_skills(version.digest, self._bench.memory(self._skill).in_use)
        self.check(skill.manifest)  # what the hub said of it is not what it signed
        return skill

    def check(self, manifest: Manifest) -> None:
        """Hold a manifest to the robot.

        Raises:
            ContractError: See `fleet.sync.check_fit`.
        """
        ground = self._ground
        check_fit(manifest, skill=self._skill, contract=ground.contract, task_digest=ground.task_digest)

    def _fetch(self, version: VersionView) -> Skill:
        self._voice.say("pulling", f"version {version.version}")
        try:
            return self._client.fetch_skill(version, self._bench.skill_file(version.digest))
        except (ArtefactError, SignatureError) as error:
            raise DistrustError(f"version {version.version}: {error}") from error
