"""How a robot comes by a skill: the guild vouches for it, its manifest fits the robot, its file is fetched.

What is believed of the hub's words about a version is `fleet.updater`'s, the bytes are `fleet.client`'s;
whether the skill is any good is `fleet.adoption`'s to find out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet.client import HubClient
from fleet.release_keys import stable_pointer
from fleet.robot_folder import RobotFolder, Seen
from fleet.sync import check_fit
from fleet.updater import DistrustError, Trusted
from skills.errors import ArtefactError, NotFoundError
from skills.manifest import Contract, Digest, Manifest, Name
from skills.messages.skills import VersionView
from skills.skill import Skill
from skills.targets import VersionNote, manifest_digest

__all__ = ["DistrustError", "Needs", "check_vouched", "pointed_version", "pull_skill", "vouched_version"]


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
        ContractError: It does not fit this robot: seen before anything is fetched.
        DistrustError: Nobody vouches for it, or the download is something else.
        HubUnreachableError: No answer.
    """
    skill = bench.skill(version.digest)  # it was vouched for when it came
    if skill is None:
        check_vouched(client.guild.refresh(), version)
        needs.check(version.manifest)
        tell(f"version {version.version}")
        try:
            skill = client.fetch_skill(version, bench.skill_file(version.digest))
        except ArtefactError as error:
            raise DistrustError(f"version {version.version}: {error}", version=version.version) from error
        bench.tidy_skills(version.digest, bench.memory(needs.skill))
    needs.check(skill.manifest)
    return skill


def check_vouched(trusted: Trusted, version: VersionView) -> None:
    """Hold what the hub says of a version to what the guild vouches for.

    Raises:
        DistrustError: It says something else, or nobody vouches for that version.
    """
    found = trusted.version(version.skill, version.version)
    says = isinstance(found.note, VersionNote) and found.note.manifest
    if (found.digest, found.size, says) != (version.digest, version.size, manifest_digest(version.manifest)):
        raise DistrustError(
            f"what the hub says of version {version.version} is not what the guild vouches for.",
            version=version.version,
        )


def pointed_version(client: HubClient, trusted: Trusted, skill: str, number: int) -> VersionView:
    """A version as the hub describes it, once that was held to what the guild vouches for.

    Raises:
        DistrustError: See `check_vouched`.
        HubUnreachableError: No answer.
    """
    version = client.version(skill, str(number))
    if (version.skill, version.version) != (skill, number):
        raise DistrustError(f"asked for version {number}, and the hub described another.", version=number)
    check_vouched(trusted, version)
    return version


def vouched_version(
    client: HubClient, skill: str, ref: str = "stable", *, embodiment: str = "", seen: Seen | None = None
) -> VersionView:
    """What a number or a channel stands for by the guild's word, for a robot; `base` is the hub's to say.

    `seen`: what the robot remembers of the stable channel, and by whose key it is moved.

    Raises:
        NotFoundError: The guild points nowhere.
        DistrustError: What came is not what the guild vouches for.
        HubUnreachableError: No answer.
    """
    trusted = client.guild.refresh()
    if ref.isascii() and ref.isdigit():
        number = int(ref)
    elif ref == "base":
        number = client.version(skill, ref).version
    else:
        pointer, _ = (
            stable_pointer(trusted, skill, embodiment, seen)
            if ref == "stable"
            else (trusted.pointer(skill, ref), "")
        )
        if pointer is None:
            raise NotFoundError(f"{skill} has no {ref[:64]} version.", where="ref")
        number = pointer.on(embodiment).version
    return pointed_version(client, trusted, skill, number)
