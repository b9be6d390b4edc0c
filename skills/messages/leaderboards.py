"""What is said about leaderboards: the one plan by which all skills of a task are scored, and the scores.

The plan is fixed, so that scores compare; its seeds are numbers that anybody can draw again. Measuring is
`hub.workers.scoring`, who sees what of a board `hub.leaderboards`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import Field

from skills.manifest import Digest, Name
from skills.messages.base import Message
from skills.messages.skills import ScoreView

__all__ = [
    "BOARD",
    "REPLAY_LIMIT",
    "BoardEntry",
    "BoardPlan",
    "Confirmation",
    "ControllerKind",
    "ControllerScore",
    "Draw",
    "Leaderboard",
    "Unscored",
    "draws_of",
]

EPISODES_A_WORKSHOP = 32
REPLAY_LIMIT = 4 * 1024 * 1024
"""Bytes of a replay that is read."""
ControllerKind = Literal["fixed", "adaptive", "told"]
"""Acts on what it observes now; remembers; is told what no robot knows."""


class Draw(Message):
    """Episodes in one held-out workshop, the same for each embodiment.

    Attributes:
        workshop: Seed of the workshop, for `envs.workshop.fresh_workshop` with `held_out`.
        jobs: Seed of the jobs in it, for `envs.evaluate.evaluate`.
        episodes: So many jobs.
    """

    workshop: int
    jobs: int
    episodes: int = Field(ge=1)


def draws_of(seed: int, episodes: int) -> tuple[Draw, ...]:
    """Workshops of consecutive seeds, one for each 32 episodes or part of them, alike in size."""
    count = -(-episodes // EPISODES_A_WORKSHOP)
    jobs = np.random.SeedSequence(seed).generate_state(count).tolist()
    each = -(-episodes // count)
    return tuple(Draw(workshop=seed + i, jobs=own, episodes=each) for i, own in enumerate(jobs))


class BoardPlan(Message):
    """How every skill of a task is scored: on each embodiment that the task admits.

    Attributes:
        seed: Everything is drawn from it; apart from the seeds of gates, trials and demos.
        episodes: For each embodiment.
    """

    seed: int = Field(default=40_000, ge=0, le=2**63 - 1)
    episodes: int = Field(default=64, ge=1, le=10_000)

    def draws(self) -> tuple[Draw, ...]:
        """The list of seeds."""
        return draws_of(self.seed, self.episodes)


BOARD = BoardPlan()
"""The plan of all hubs with this version of Zunft."""


class Confirmation(Message):
    """What somebody else measured of a version, and signed.

    Attributes:
        organisation: Of the user who handed it in.
        agrees: Whether the success rates are the hub's as far as chance allows; with the same seeds, exactly.
        signer: The key that signed.
        attestation: Digest of the envelope.
    """

    organisation: str
    agrees: bool
    score: ScoreView
    signer: str
    attestation: Digest
    confirmed_at: datetime


class BoardEntry(Message):
    """One scored version.

    Attributes:
        organisation: Whose skill it is.
        score: Over all embodiments, every episode counting the same.
        replay_size: Bytes of its replay; 0 where the task has no scene to replay.
        made_with: Versions of what computed, and the kind of processor.
        command: Repeats the score and compares.
        confirmations: What others measured, the newest first.
    """

    skill: Name
    version: int
    organisation: str
    digest: Digest
    score: ScoreView
    by_embodiment: dict[str, ScoreView]
    scored_at: datetime
    seconds: float = Field(ge=0)
    replay_size: int = Field(default=0, ge=0)
    made_with: str = ""
    command: str
    confirmations: tuple[Confirmation, ...] = Field(default=(), exclude_if=lambda it: not it)

    def confirmed_in_words(self) -> str:
        """Who found the same, and who did not: `confirmed by North, South; West measured 0.512`."""
        same = dict.fromkeys(self._named(each) for each in self.confirmations if each.agrees)
        others = dict.fromkeys(
            f"{self._named(each)} measured {each.score.score:.3f}"
            for each in self.confirmations
            if not each.agrees
        )
        return "; ".join([*([f"confirmed by {', '.join(same)}"] if same else []), *others])

    def _named(self, each: Confirmation) -> str:
        own = " (its own)" * (each.organisation == self.organisation)
        return f"{each.organisation}{own}"


class ControllerScore(Message):
    """What somebody wrote by hand does on the same jobs: the yardstick beside what was learned.

    Attributes:
        name: In the task's bundle.
        score: Over all embodiments, every episode counting the same.
    """

    name: str
    kind: ControllerKind
    score: ScoreView
    by_embodiment: dict[str, ScoreView]


class Unscored(Message):
    """A stable version without a score; `reason` says why measuring failed."""

    skill: Name
    version: int
    organisation: str
    state: Literal["waiting", "failed"]
    reason: str = ""


class Leaderboard(Message):
    """Scores of a task's skills, best first: by success, then by mean sum of rewards.

    Attributes:
        task_digest: Of the bundle; None while this hub has none of that name.
        seeds: Of workshops and jobs, for each embodiment.
        entries: A page: of each skill that one sees the stable version, or else the newest with a score.
        unscored: Skills whose stable version has none, as many as a page has at most.
        controllers: The task's own, best first, those that are told last; empty until measured.
        next: Cursor of the entries behind these; None at the end.
    """

    task: Name
    task_digest: Digest | None
    plan: BoardPlan
    seeds: tuple[Draw, ...]
    entries: tuple[BoardEntry, ...]
    unscored: tuple[Unscored, ...] = ()
    controllers: tuple[ControllerScore, ...] = ()
    next: str | None = None
