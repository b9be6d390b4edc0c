"""How a robot comes by a skill: its manifest is held to the robot, its file fetched, verified and held to it.

The bytes are `fleet.client`'s; whether the skill is any good is `fleet.adoption`'s to find out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet.client import HubClient
from fleet.robot_folder import RobotFolder
from fleet.sync import check_fit
from skills.errors import ArtefactError, SignatureError, ZunftError
from skills.manifest import Contract, Digest, Manifest, Name
from skills.messages.skills import VersionView
from skills.skill import Skill

__all__ = ["DistrustError", "Needs", "pull_skill"]


class DistrustError(ZunftError):
    """A download was not what the guild signed. Another one may be: it says nothing about the version."""

    code = "not_what_was_signed"
    status = 502


@dataclass(frozen=True)
class Needs:
    """What a skill must be to run here: its name, its contract, and its task's bundle where one is named."""

    skill: Name
    contract: Contract
    task_digest: Digest | None

    def check(self, manifest: Manifest) -> None:
        """Hold a manifest to it.

        Raises:
            ContractError: See `fleet.sync.check_fit`.
        """
        check_fit(manifest, skill=self.skill, contract=self.contract, task_digest=self.task_digest)


def pull_skill(
    bench: RobotFolder,
    client: HubClient,
    version: VersionView,
    needs: Needs,
    tell: Callable[[str], None] = lambda _text: None,
) -> Skill:
    """A version, from the robot's folder or its hub.

    Args:
        bench: The robot's folder.
        client: Its hub.
        version: As the hub describes it.
        needs: What it must be.
        tell: Told before something is fetched.

    Raises:
        ContractError: It does not fit this robot: seen before anything is fetched, where the hub says so.
        DistrustError: The download has another digest or signature, or is damaged.
        HubUnreachableError: No answer.
    """
    needs.check(version.manifest)
    skill = bench.skill(version.digest)
    if skill is None:
        tell(f"version {version.version}")
        try:
            skill = client.fetch_skill(version, bench.skill_file(version.digest))
        except (ArtefactError, SignatureError) as error:
            raise DistrustError(f"version {version.version}: {error}") from error
        bench.tidy_skills(version.digest, bench.memory(needs.skill).in_use)
    needs.check(skill.manifest)  # what the hub said of it is not what it signed
    return skill
