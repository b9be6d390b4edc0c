"""Leases as pure rules: who may work on a row now, for how long, and whose work still counts.

A lease has a number that grows each time somebody takes it. Times only decide when others may take over;
whether work is entered is decided by the number alone. So however clocks jump, of two
processes that both believe to hold a lease one commits, and the other's work is let go.

Rows and clocks are `hub.queue.leased_queue`'s. Source of the number ("fencing token"): Kleppmann, "How to do
distributed locking", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from skills.errors import ZunftError

__all__ = ["JobAbandonedError", "Lease", "LeaseLostError", "free", "held", "put_down", "renewed", "taken"]


class LeaseLostError(ZunftError):
    """Another process has taken the work over: what this one made is let go."""

    code = "lease_lost"
    status = 409


class JobAbandonedError(ZunftError):
    """Nobody waits for this job any longer: the hub is going down, or another process has taken it over."""

    code = "hub_stopping"
    status = 503


@dataclass(frozen=True)
class Lease:
    """Of one row.

    Attributes:
        holder: The process that works; empty where it was put down.
        number: How often it was taken.
        taken_at: When, the last time.
        expires_at: From then on others may take it.
        note: Why it was put down, where that was for a reason that goes away.
    """

    holder: str
    number: int
    taken_at: datetime
    expires_at: datetime
    note: str = ""


def free(lease: Lease, now: datetime, seconds: float) -> bool:
    """Whether it may be taken.

    One that ends later than any taken now would is from before the clock was set back.
    """
    return not now < lease.expires_at <= now + timedelta(seconds=seconds)


def taken(lease: Lease, holder: str, now: datetime, seconds: float) -> Lease | None:
    """The lease in a new holder's hands; None while somebody else has it."""
    if not free(lease, now, seconds):
        return None
    return Lease(holder, lease.number + 1, now, now + timedelta(seconds=seconds))


def held(lease: Lease, mine: Lease) -> bool:
    """Whether it was neither taken nor put down since: only then may work under it be committed."""
    return (lease.number, lease.holder) == (mine.number, mine.holder)


def renewed(lease: Lease, mine: Lease, now: datetime, seconds: float) -> Lease | None:
    """The same lease for longer, even if it had expired; None if it is not held any more."""
    return replace(lease, expires_at=now + timedelta(seconds=seconds)) if held(lease, mine) else None


def put_down(lease: Lease, now: datetime, *, pause: float = 0.0, note: str = "") -> Lease:
    """A held lease, free for others after `pause` seconds."""
    return replace(lease, holder="", expires_at=now + timedelta(seconds=pause), note=note)
