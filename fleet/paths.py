"""Where things are at a hub: paths of its API, with names quoted."""

from __future__ import annotations

from urllib.parse import quote

from skills.messages.base import API

__all__ = [
    "attestations",
    "board",
    "campaign",
    "organisation",
    "rollout",
    "skill",
    "task",
    "tokens",
    "version",
    "webhook",
]


def attestations(name: str, number: int) -> str:
    """What vouches for a version of a skill."""
    return f"{version(name, str(number))}/attestations"


def campaign(campaign_id: str) -> str:
    """A campaign."""
    return f"{API}/campaigns/{quote(campaign_id, safe='')}"


def rollout(rollout_id: str) -> str:
    """A roll-out."""
    return f"{API}/rollouts/{quote(rollout_id, safe='')}"


def skill(name: str) -> str:
    """A skill."""
    return f"{API}/skills/{quote(name, safe='')}"


def board(name: str) -> str:
    """A task's leaderboard."""
    return f"{task(name)}/leaderboard"


def task(name: str) -> str:
    """A task."""
    return f"{API}/tasks/{quote(name, safe='')}"


def organisation(name: str) -> str:
    """An organisation."""
    return f"{API}/organisations/{quote(name, safe='')}"


def tokens(user: str) -> str:
    """A user's tokens."""
    return f"{API}/users/{quote(user, safe='')}/tokens"


def version(name: str, ref: str) -> str:
    """A version of a skill."""
    return f"{skill(name)}/versions/{quote(ref, safe='')}"


def webhook(webhook_id: str) -> str:
    """A webhook."""
    return f"{API}/webhooks/{quote(webhook_id, safe='')}"
