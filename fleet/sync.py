"""Rules of a robot's dealings with its hub: what to do next, how long to wait, which skill to take.

Pure: given what the robot has and what the hub said, each rule returns a decision with its reason.
Carrying it out is left to `fleet.agent`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from fleet.robot_folder import Pending, Seen
from skills.errors import ContractError
from skills.fits import differences
from skills.manifest import Contract, Manifest
from skills.messages.rounds import Assignment
from skills.targets import Pointer

__all__ = [
    "Action",
    "Drop",
    "Push",
    "Train",
    "Verdict",
    "Wait",
    "backoff",
    "behind",
    "check_fit",
    "decide",
    "judge",
]


@dataclass(frozen=True)
class Push:
    """Hand in the delta that is owed."""


@dataclass(frozen=True)
class Drop:
    """Give up the delta that is owed."""

    reason: str


@dataclass(frozen=True)
class Train:
    """Practise for the round."""

    assignment: Assignment


@dataclass(frozen=True)
class Wait:
    """Nothing to do for the guild."""

    reason: str


Action = Push | Drop | Train | Wait


def decide(
    pending: Pending | None, assignment: Assignment | None, now: datetime, failed: Mapping[str, str]
) -> Action:
    """What to do next.

    A delta is dropped only when the hub itself names another round of the same campaign, beyond those
    from which it still takes late ones: whether it is late is the hub's to say, for the robot's clock
    may be wrong and a deadline may have moved.

    Args:
        pending: The delta that is owed.
        assignment: What the hub asks for; None when it asks for nothing.
        now: The robot's time.
        failed: Rounds whose training failed here, with the reason; they are not tried again.
    """
    if pending is not None:
        return _settle(pending, assignment)
    if assignment is None:
        return Wait("the hub has nothing to do for this robot.")
    if assignment.round_id in failed:
        return Wait(f"round {assignment.number} failed here: {failed[assignment.round_id]}")
    if now >= assignment.deadline:
        return Wait(f"round {assignment.number} ended at {assignment.deadline:%H:%M:%S}.")
    return Train(assignment)


def _settle(pending: Pending, assignment: Assignment | None) -> Push | Drop:
    if assignment is None or assignment.campaign_id != pending.campaign_id:
        return Push()
    if assignment.number - pending.number <= assignment.max_staleness:
        return Push()
    return Drop(f"round {pending.number} is over, the hub is at round {assignment.number}.")


def backoff(failures: int, rng: np.random.Generator, *, base: float, cap: float) -> float:
    """Seconds to wait after so many failures in a row: full jitter over an exponential ceiling.

    Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: with many robots it loads
    a hub that comes back the least.
    """
    return float(rng.uniform(0, min(cap, base * 2.0 ** min(failures, 60))))


def check_fit(manifest: Manifest, *, skill: str, contract: Contract, task_digest: str | None) -> None:
    """Hold a skill to the robot before anything of it runs.

    Args:
        manifest: Of the skill.
        skill: The name under which it was asked for.
        contract: What the robot senses and obeys.
        task_digest: The robot's task bundle; None compares no bundles.

    Raises:
        ContractError: Another skill, contract or task.
    """
    if manifest.name != skill:
        raise ContractError(f"this is {manifest.name!r}, asked for was {skill!r}.", where="manifest.name")
    if found := differences(manifest, contract, task_digest):
        raise ContractError(
            f"the skill does not fit this robot: {'; '.join(found)}.",
            where=f"{manifest.name} v{manifest.version}",
            remedy="Use a version made for this contract, and the same task bundle on hub and robot.",
        )


def behind(pointer: Pointer, root: int, key: str, seen: Seen | None) -> str:
    """Why a channel must not be followed to where it points; empty where it may be.

    An operator's rollback is a later move that names an older version. What was seen under an older root
    counts no more: a new root ends what a thief of the keys said, however high he counted. What an
    organisation's own key said holds under any root.

    Args:
        pointer: What is signed now.
        root: Version of the root that it was verified by.
        key: The organisation's own that signed it; empty for the hub's.
        seen: The furthest that was seen.
    """
    if pointer.version < pointer.lowest:
        return f"version {pointer.version} is below {pointer.lowest}, and nothing below that is safe."
    if seen is None or (root > seen.root and not (key and key == seen.key)):
        return ""
    if pointer.counter < seen.counter:
        return f"this is move {pointer.counter} of the channel, and {seen.counter} was seen already."
    if pointer.version < seen.lowest:
        return f"version {pointer.version} is below {seen.lowest}, which was said to be the lowest safe one."
    return ""


@dataclass(frozen=True)
class Verdict:
    """Whether a skill is taken into use, and why."""

    accepted: bool
    reason: str


def judge(candidate: float | None, current: float | None, tolerance: float) -> Verdict:
    """Take a skill whose success in the robot's twin is that of the one in use, within a tolerance.

    Without a twin nothing speaks against it, nor for it: see `fleet.updates`.
    """
    if candidate is None:
        return Verdict(accepted=True, reason="this robot has no twin to try it in.")
    found = f"{candidate:.2f} in the twin"
    if current is None:
        return Verdict(accepted=True, reason=f"first version, {found}.")
    against = f"{found}, the version in use {current:.2f}"
    if candidate >= current - tolerance:
        return Verdict(accepted=True, reason=f"{against}.")
    return Verdict(accepted=False, reason=f"{against}: worse by more than {tolerance:.2f}.")
