"""The nouns of the command line: a name and a line each. What a noun can do is imported when it is asked for.

The commands themselves stand in `zunft/commands`, one module or package a noun, as its `app`.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import Any

from typer.core import TyperGroup
from typer.main import get_group

__all__ = ["NOUNS", "Noun", "commands_of"]

NOUNS = {
    "hub": "Run a hub, back it up, restore it. [bold]zunft hub[/] alone is [bold]zunft hub run[/].",
    "robot": "What a robot does: join a guild, work for it, use its skills.",
    "fleet": "How an operator's robots fare, and many simulated ones at once.",
    "skill": "Start, inspect, publish and pull skills.",
    "task": "Start, check, look at, trace, try, publish and score tasks.",
    "embodiment": "List robots, and bring your own as one MJCF file.",
    "campaign": "Give a standing order to improve a skill, and watch it.",
    "rollout": "Bring a version to robots ring by ring, and back where it fails them.",
    "merge": "Merge skill files, or merge a hub's round again: "
    "[bold]zunft merge A.skill B.skill -o C.skill[/].",
    "token": "One-time tokens with which robots enrol.",
    "keys": "The guild's root of trust: what robots believe, and how a stolen key loses its power.",
    "user": "People and their API tokens.",
    "organisation": "Organisations: members, robots, quotas, visibility, regions.",
    "event": "What happened at a hub: rounds, versions, robots.",
    "audit": "Who did what: the hub's audit log, read from its database.",
    "webhook": "Tell other systems what happens in the hub; docs/webhooks.md.",
}


class Noun(TyperGroup):
    """A noun as help and completion show it; its own module goes on where one of its commands is meant."""

    @cached_property
    def whole(self) -> TyperGroup:
        """The noun with its commands."""
        group = get_group(import_module(f"zunft.commands.{self.name}").app)
        group.name, group.help = self.name, self.help
        return group

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the words that follow the noun, as the noun's own module does."""
        return self.whole.make_context(*arguments, **options)


def commands_of(command: Any) -> dict[str, Any]:
    """The commands below this one by name, imported where they are not yet; none below one that acts."""
    return dict(getattr(command.whole if isinstance(command, Noun) else command, "commands", {}))
