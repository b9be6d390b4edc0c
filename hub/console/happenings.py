"""What happened, as a sentence and an address where there is more of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skills.messages.events import Event

__all__ = ["address_of", "in_words"]

SENTENCES = {
    "campaign.started": "A campaign for {skill} began",
    "campaign.stopped": "The campaign for {skill} was stopped",
    "campaign.finished": "The campaign for {skill} ended",
    "campaign.failed": "The campaign for {skill} failed",
    "channel.moved": "v{version} of {skill} became {channel}",
    "delta.admitted": "A delta for {skill} arrived",
    "release.queued": "v{version} of {skill} waits to be measured for its release",
    "release.refused": "v{version} of {skill} was not released: {reason}",
    "robot.enrolled": "A robot joined ({embodiment})",
    "robot.lost": "A robot is missed ({embodiment})",
    "robot.returned": "A robot is back ({embodiment})",
    "robot.withdrawn": "A robot was forgotten",
    "robot.worn": "A robot says that it is worn ({figure} in {about})",
    "robot.renewed": "A robot was looked after, and is not worn any longer ({about})",
    "round.open": "Round {number} for {skill} opened",
    "round.merging": "Round {number} for {skill} is merged",
    "round.gating": "Round {number} for {skill} is measured",
    "round.published": "Round {number} for {skill} made a new stable version",
    "round.rejected": "The candidate of round {number} for {skill} was rejected: {reason}",
    "round.failed": "Round {number} for {skill} failed: {reason}",
    "task.listed": "The task {task} was checked and listed",
    "task.refused": "The task {task} did not pass its check",
    "version.added": "v{version} of {skill} was added",
    "version.published": "v{version} of {skill} was published",
    "version.refused": "A robot would not take v{version} of {about}: {reason}",
    "version.withdrawn": "v{version} of {skill} was withdrawn",
}
"""By kind; names in braces are the event's own data."""


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def in_words(event: Event) -> str:
    """One sentence; a kind that is new to the console is said by its name."""
    return SENTENCES.get(event.kind, event.kind).format_map(_Known(event.data)).removesuffix(": ")


def address_of(event: Event) -> str:
    """The page about it; empty where there is none."""
    data: Mapping[str, Any] = event.data
    noun = event.kind.split(".", maxsplit=1)[0]
    if noun in {"campaign", "round"} and "campaign_id" in data:
        return f"/campaigns/{data['campaign_id']}"
    if event.kind == "version.refused" or (noun == "robot" and event.kind != "robot.withdrawn"):
        return f"/robots/{data['robot_id']}" if "robot_id" in data else ""
    if "task" in data and noun == "task":
        return f"/tasks/{data['task']}"
    return f"/skills/{data['skill']}" if "skill" in data else ""
