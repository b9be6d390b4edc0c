"""What happened, as a sentence and an address where there is more of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.console.language import _, later
from skills.messages.events import Event

__all__ = ["address_of", "in_words"]

SENTENCES = {
    "campaign.started": later("A campaign for {skill} began"),
    "campaign.stopped": later("The campaign for {skill} was stopped"),
    "campaign.finished": later("The campaign for {skill} ended"),
    "campaign.failed": later("The campaign for {skill} failed"),
    "channel.moved": later("v{version} of {skill} became {channel}"),
    "delta.admitted": later("A delta for {skill} arrived"),
    "release.queued": later("v{version} of {skill} waits to be measured for its release"),
    "release.unsigned": later("v{version} of {skill} waits for its organisation's key"),
    "release.refused": later("v{version} of {skill} was not released: {reason}"),
    "robot.enrolled": later("A robot joined ({embodiment})"),
    "robot.lost": later("A robot is missed ({embodiment})"),
    "robot.returned": later("A robot is back ({embodiment})"),
    "robot.withdrawn": later("A robot was forgotten"),
    "robot.worn": later("A robot says that it is worn ({figure} in {about})"),
    "robot.renewed": later("A robot was looked after, and is not worn any longer ({about})"),
    "rollout.started": later("v{new} of {skill} is on its way to robots"),
    "rollout.widened": later("v{new} of {skill} came to ring {ring}"),
    "rollout.waiting": later("v{new} of {skill} waits for a word before the next ring"),
    "rollout.paused": later("The roll-out of v{new} of {skill} was paused"),
    "rollout.resumed": later("The roll-out of v{new} of {skill} goes on"),
    "rollout.done": later("v{new} of {skill} reached all robots"),
    "rollout.stopped": later("v{new} of {skill} was taken back from robots: {reason}"),
    "rollout.aborted": later("v{new} of {skill} was rolled back: {reason}"),
    "round.open": later("Round {number} for {skill} opened"),
    "round.merging": later("Round {number} for {skill} is merged"),
    "round.gating": later("Round {number} for {skill} is measured"),
    "round.published": later("Round {number} for {skill} made a new stable version"),
    "round.rejected": later("The candidate of round {number} for {skill} was rejected: {reason}"),
    "round.failed": later("Round {number} for {skill} failed: {reason}"),
    "task.listed": later("The task {task} was checked and listed"),
    "task.refused": later("The task {task} did not pass its check"),
    "version.added": later("v{version} of {skill} was added"),
    "version.published": later("v{version} of {skill} was published"),
    "version.refused": later("A robot would not take v{version} of {about}: {reason}"),
    "version.withdrawn": later("v{version} of {skill} was withdrawn"),
}
"""By kind; names in braces are the event's own data."""


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def in_words(event: Event) -> str:
    """One sentence; a kind that is new to the console is said by its name."""
    return _(SENTENCES.get(event.kind, event.kind)).format_map(_Known(event.data)).removesuffix(": ")


def address_of(event: Event) -> str:
    """The page about it; empty where there is none."""
    data: Mapping[str, Any] = event.data
    noun = event.kind.split(".", maxsplit=1)[0]
    if noun in {"campaign", "round"} and "campaign_id" in data:
        return f"/campaigns/{data['campaign_id']}"
    if noun == "rollout" and "rollout_id" in data:
        return f"/rollouts/{data['rollout_id']}"
    if event.kind == "version.refused" or (noun == "robot" and event.kind != "robot.withdrawn"):
        return f"/robots/{data['robot_id']}" if "robot_id" in data else ""
    if "task" in data and noun == "task":
        return f"/tasks/{data['task']}"
    return f"/skills/{data['skill']}" if "skill" in data else ""
