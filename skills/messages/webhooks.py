"""What operators and the hub say about webhooks, and what the hub tells those who listen.

The event itself has the structured JSON form of CloudEvents 1.0; how it is signed and sent is `hub.webhooks`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from skills.messages.base import Message

__all__ = [
    "CloudEvent",
    "DeadLetter",
    "DeliveryReport",
    "NoticeKind",
    "RedeliverRequest",
    "Redelivered",
    "TrialView",
    "WebhookCreated",
    "WebhookRequest",
    "WebhookView",
]

NoticeKind = Literal[
    "version.published",
    "version.withdrawn",
    "round.rejected",
    "round.failed",
    "campaign.finished",
    "campaign.failed",
    "rollout.started",
    "rollout.widened",
    "rollout.waiting",
    "rollout.paused",
    "rollout.resumed",
    "rollout.done",
    "rollout.stopped",
    "rollout.aborted",
    "robot.lost",
    "robot.returned",
    "robot.withdrawn",
    "robot.worn",
    "robot.renewed",
    "task.listed",
    "task.refused",
]
"""What a webhook can be told of."""


class CloudEvent(BaseModel):
    """CloudEvents 1.0, structured mode. `id` is the number in the hub's event log.

    Attributes:
        source: The hub, as a URN made from its public key.
        type: `zunft.` and the kind of notice.
        subject: The version, round, campaign or robot that it is about.
    """

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]


class WebhookRequest(Message):
    """An operator asks to be told; without `kinds`, of everything."""

    url: str = Field(min_length=8, max_length=2000)
    kinds: tuple[NoticeKind, ...] = Field(default=(), max_length=32)


class WebhookView(Message):
    """A webhook as operators see it.

    Attributes:
        waiting: Events that are tried again later.
        dead: Events that were given up; see the list of dead letters.
        trouble: Why the last attempt failed; empty after one that did not.
        resting_until: After failures in a row nothing is tried before.
    """

    webhook_id: str
    url: str
    kinds: tuple[NoticeKind, ...]
    organisation: str
    created_at: datetime
    last_delivered_at: datetime | None = None
    waiting: int = 0
    dead: int = 0
    trouble: str = ""
    resting_until: datetime | None = None


class WebhookCreated(Message):
    """The secret that signs each message, shown once."""

    webhook: WebhookView
    secret: str


class DeliveryReport(Message):
    """What became of one attempt.

    Attributes:
        status: What the receiver answered; None where it did not.
    """

    delivered: bool
    status: int | None = None
    reason: str = ""
    seconds: float = Field(ge=0)


class TrialView(Message):
    """A message of the type `zunft.webhook.test`: never asked for, on its way, or sent.

    Attributes:
        report: What became of it; None until it was sent.
    """

    state: Literal["never", "queued", "done"]
    asked_at: datetime | None = None
    report: DeliveryReport | None = None


class DeadLetter(Message):
    """An event that the hub has given up to deliver."""

    event: int
    kind: str
    happened_at: datetime
    attempts: int
    last_attempt_at: datetime
    reason: str


class RedeliverRequest(Message):
    """Dead letters to try again, by event number; without any, all of them."""

    events: tuple[int, ...] = Field(default=(), max_length=1000)


class Redelivered(Message):
    """How many dead letters are on their way again."""

    queued: int
