"""Tables of the hub's database, one file a noun; times are UTC, documents are JSON.

The schema is made by the migrations; a test holds both to each other.
"""

from hub.storage.tables import (
    attestations,
    base,
    events,
    halls,
    health,
    people,
    robots,
    rollouts,
    rounds,
    scores,
    search,
    skills,
    tasks,
    uploads,
    webhooks,
    withdrawals,
)

__all__ = [
    "attestations",
    "base",
    "events",
    "halls",
    "health",
    "people",
    "robots",
    "rollouts",
    "rounds",
    "scores",
    "search",
    "skills",
    "tasks",
    "uploads",
    "webhooks",
    "withdrawals",
]
