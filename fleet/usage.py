"""Using a skill without training: pull, verify, do jobs. Needs neither torch nor Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envs.evaluate import Evaluation, evaluate
from fleet.abilities import abilities_of
from fleet.client import HubClient
from fleet.fetch import Needs, pull_skill, vouched_version
from fleet.home import home_workshop
from fleet.own_robot import load_env, rehearse
from fleet.robot_folder import RobotFolder
from fleet.runtime.training import GuardedEnv
from fleet.tasks import find_task, kept_tasks
from fleet.trust import Vouching
from skills.messages.skills import VersionView
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Usage", "use_skill"]


@dataclass(frozen=True)
class Usage:
    """How a version did on a robot; `share`: of what the robot tuned for itself, 0 is the guild's skill."""

    version: VersionView
    share: float
    place: str
    evaluation: Evaluation

    def sentence(self) -> str:
        """For people."""
        found = self.evaluation
        tuned = f" with {self.share:.0%} of what was tuned at home" if self.share else ""
        return (
            f"{self.version.skill} v{self.version.version}{tuned} in {self.place}: {found.successes} of "
            f"{found.episodes} jobs done, success {found.score:.2f} ({found.low:.2f}-{found.high:.2f})"
        )

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        found = self.evaluation
        return {
            "skill": self.version.skill,
            "version": self.version.version,
            "digest": self.version.digest,
            "share": self.share,
            "place": self.place,
            "score": found.score,
            "low": found.low,
            "high": found.high,
            "episodes": found.episodes,
        }


def use_skill(
    bench: RobotFolder,
    client: HubClient,
    reference: str,
    *,
    episodes: int,
    seed: int,
    own_env: str = "",
    plain: bool = False,
) -> Usage:
    """Pull `NAME` or `NAME@REF`, verify it, and do jobs with it in the robot's workshop or own environment.

    `NAME` alone is the stable version, with what this robot tuned from it where it did, and unless `plain`.
    What the manifest says does not fit is not fetched.

    Raises:
        DistrustError: It is not what the guild vouches for.
        UnvouchedError: It is the stable version, and not vouched for as the owner demands.
        ContractError: It does not fit this robot.
    """
    name, _, ref = reference.partition("@")
    task = find_task(bench, client, name)
    version = vouched_version(
        client,
        name,
        ref or "stable",
        embodiment=bench.identity().embodiment,
        seen=bench.memory(name).seen,
    )
    env = GuardedEnv(load_env(own_env, task), task.contract, bench) if own_env else None
    own = task if env else None
    client.tell_abilities(abilities_of(bench.identity().embodiment, own, kept_tasks(bench)))
    needs = Needs(name, task.contract, task.digest)
    if ref in {"", "stable"}:  # one that the owner names by its number was chosen by the owner
        needs.check(version.manifest)
        Vouching.by_owner(bench, client).check(version)
    share, skill = _own_layer(bench, version, needs, wanted=not (plain or ref)) or (
        0.0,
        pull_skill(bench, client, version, needs),
    )
    policy = Policy(skill)
    if env is not None:
        return Usage(version, share, own_env, rehearse(env, policy, task, episodes, seed))
    workshop = home_workshop(bench.identity(), task)
    return Usage(version, share, workshop.name, evaluate(policy, task, workshop, episodes, seed))


def _own_layer(
    bench: RobotFolder, version: VersionView, needs: Needs, *, wanted: bool
) -> tuple[float, Skill] | None:
    """Share and skill, where this robot tuned something from that version."""
    found = bench.personal_skill(needs.skill, version.digest) if wanted else None
    if found is None:
        return None
    record, skill = found
    needs.check(skill.manifest)
    return record.share, skill
