"""The personal layer: how much of what a robot tuned for its own home it lays over the guild's skill.

Tuning and trying a skill at home is the `Place`'s, when a robot does it `fleet.tuning`'s, keeping what comes
of it `fleet.robot_folder`'s. It is the robot's own: nothing of it goes to the hub, and rounds never see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet.place import Iteration, Place
from fleet.robot_folder import Personal
from skills.container import Tensors
from skills.delta import apply, subtract
from skills.errors import ContractError
from skills.parts import network_of
from skills.skill import Skill

__all__ = ["SHARES", "Mix", "Tuning", "best_mix", "mix", "personalise"]

SHARES = (0.0, 0.25, 0.5, 1.0)
"""Of the tuned weights; 0 is the guild's skill as it is."""
FRESH = 1  # the draw of episodes on which nothing was chosen


@dataclass(frozen=True)
class Tuning:
    """How a robot tunes at home.

    Attributes:
        iterations: Batches collected and learned from.
        rate: Adam's, constant: small, for the guild's skill is good already.
        episodes: In which each mix is tried; in as many fresh ones what was chosen is held to the guild's.
    """

    iterations: int = 8
    rate: float = 1e-4
    episodes: int = 128


def personalise(
    place: Place,
    guild: Skill,
    tuning: Tuning,
    on_iteration: Callable[[Iteration], None] = lambda _: None,
) -> tuple[Personal, Skill]:
    """Tune the guild's skill at home, and keep of it what does better there, or else the guild's skill.

    The best of several mixes was lucky on the episodes on which it was chosen. So it is tried once more,
    beside the guild's, on fresh ones, and kept only where it is strictly better there.

    On those episodes home is never worse than the guild's. In truth it may be: a mix that is worse by d
    passes on n fresh episodes with a probability of at most exp(-n d^2 / 2) (Hoeffding 1963). Where a share q
    of the episodes ends differently under the two, that costs at most about .17 sqrt(q / n) in expectation,
    whatever d is: .005 for q = .1 and n = 128. And the better a mix is, the likelier it passes: over many
    tunings, of which the average does no harm, home gains in expectation.

    Args:
        place: The robot's home.
        guild: The version in use.
        tuning: For how long, and on how many episodes it is decided.
        on_iteration: Told of each iteration's figures.

    Returns:
        What came of it, and the skill to use at home: at share 0 the guild's itself.

    Raises:
        ArtefactError: Training diverged, or beyond what weights may be.
        ContractError, RobotError, StoppedError: See `fleet.practice` and `fleet.place`.
    """
    tuned = place.tune(guild, tuning.iterations, tuning.rate, on_iteration)
    found = best_mix(_own(guild), tuned, lambda skill: place.rehearse(skill, episodes=tuning.episodes))
    guild_score = place.rehearse(guild, episodes=tuning.episodes, draw=FRESH)
    score = guild_score
    if found.share:
        score = place.rehearse(found.skill, episodes=tuning.episodes, draw=FRESH)
    better = score > guild_score
    skill = found.skill if better else guild
    record = Personal(
        guild=guild.digest,
        version=guild.manifest.version,
        digest=skill.digest,
        share=found.share if better else 0.0,
        score=score if better else guild_score,
        guild_score=guild_score,
        episodes=tuning.episodes,
    )
    return record, skill


def _own(guild: Skill) -> Skill:
    """The guild's network as this robot's own: without what it only carries for training together."""
    changes = {
        "parents": (guild.digest,),
        "origin": "upload",
        "round_id": None,
        "carries": (),
        "summary": "Tuned at home",
    }
    return Skill(guild.manifest.model_copy(update=changes), network_of(guild.tensors))


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
