"""The personal layer: how much of what a robot tuned for its own home it lays over the guild's skill.

Pure rules. Tuning is `fleet.practice`, trying a skill at home `fleet.twin`; whether and when a robot does it
is left to whoever calls. What comes of it is the robot's own: nothing here goes to the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skills.container import Tensors
from skills.delta import apply, subtract
from skills.errors import ContractError
from skills.skill import Skill

__all__ = ["SHARES", "Mix", "best_mix", "mix"]

SHARES = (0.0, 0.25, 0.5, 1.0)
"""Of the tuned weights; 0 is the guild's skill as it is."""


@dataclass(frozen=True)
class Mix:
    """What a robot uses at home.

    Attributes:
        skill: The guild's manifest over mixed weights; the guild's skill itself at share 0.
        share: Of the tuned weights in it.
        scores: At home, by share; of all that were tried.
    """

    skill: Skill
    share: float
    scores: dict[float, float]


def best_mix(
    guild: Skill, tuned: Tensors, score: Callable[[Skill], float], shares: Sequence[float] = SHARES
) -> Mix:
    """The mix that scores best at home, and never one that scores worse there than the guild's skill.

    Of equal ones it takes the smallest share, so that the guild's wins every tie; a score that is no number
    wins nothing. That is so on the episodes that `score` runs: by how much it is better, others must say.

    Args:
        guild: The skill that is in use, or would be.
        tuned: The weights after tuning from it.
        score: Higher is better; the same episodes for every skill.
        shares: Those to try, within [0, 1]; 0 is tried in any case.

    Raises:
        ArtefactError: The tuned weights belong to another network, are not finite or out of bounds.
        ContractError: A share is outside of [0, 1].
    """
    tried = {share: mix(guild, tuned, share) for share in sorted({0.0, *shares})}
    scores = {share: score(skill) for share, skill in tried.items()}
    best = 0.0
    for share in tried:
        if scores[share] > scores[best]:
            best = share
    return Mix(tried[best], best, scores)


def mix(guild: Skill, tuned: Tensors, share: float) -> Skill:
    """Guild + share * (tuned - guild), in float64 and rounded once; at 0 and 1 exactly the one and the other.

    Raises:
        ArtefactError, ContractError: See `best_mix`.
    """
    if not 0.0 <= share <= 1.0:
        raise ContractError(f"{share} is no share.", where="shares", remedy="Choose from 0 to 1.")
    if share == 0.0:
        return guild
    if share == 1.0:
        return Skill(guild.manifest, tuned)
    learned = subtract(tuned, guild.tensors)
    return Skill(guild.manifest, apply(guild.tensors, {name: share * each for name, each in learned.items()}))
