"""What goes on at a hub now, and what of it needs a person."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.messages.base import Message
from skills.messages.campaigns import CampaignView
from skills.messages.events import Event
from skills.messages.robots import RobotCounts
from skills.messages.rollouts import RolloutView

__all__ = ["Begun", "Need", "NeedKind", "Overview"]

NeedKind = Literal[
    "candidate_rejected", "release_refused", "campaign_failed", "task_refused", "robots_lost",
    "robots_refuse", "quota", "rollout_waits", "rollout_paused", "rollout_stopped",
]  # fmt: skip

SENTENCES: dict[NeedKind, str] = {
    "candidate_rejected": "The newest candidate of {about} was rejected.",
    "release_refused": "A version of {about} was not released.",
    "campaign_failed": "The campaign for {about} failed.",
    "task_refused": "The task {about} did not pass its check.",
    "robots_lost": "{number} of your robots are missed.",
    "robots_refuse": "{number} of your robots would not take a version.",
    "quota": "{about} has nearly used up what it may.",
    "rollout_waits": "The roll-out of {about} waits for a word before its next ring.",
    "rollout_paused": "The roll-out of {about} is paused.",
    "rollout_stopped": "A version of {about} failed on robots and was taken back.",
}


class Need(Message):
    """Something that goes on only when a person looks.

    Attributes:
        kind: What.
        about: The skill, task or organisation; empty for robots.
        number: How many robots.
        rollout: The id of the roll-out, where it is about one.
        reason: More of it.
        at: Since when; None: not known.
    """

    kind: NeedKind
    about: str = ""
    number: int = 1
    rollout: str = Field(default="", exclude_if=lambda it: not it)
    reason: str = ""
    at: datetime | None = None

    def in_words(self) -> str:
        """A sentence."""
        return SENTENCES[self.kind].format(about=self.about, number=self.number)


class Begun(Message):
    """What a hub has already of what it takes to learn."""

    skill: bool
    robots: bool
    campaign: bool


class Overview(Message):
    """What whoever looks sees of a hub, at one moment.

    Attributes:
        campaigns: That run, newest first.
        rollouts: That are under way, newest first.
        robots: None for who sees no robots.
        needs: What needs a person, the newest first; nothing for who could not act.
        events: What happened last, newest first.
        begun: What there is already.
    """

    campaigns: tuple[CampaignView, ...]
    rollouts: tuple[RolloutView, ...] = ()
    robots: RobotCounts | None
    needs: tuple[Need, ...]
    events: tuple[Event, ...]
    begun: Begun
