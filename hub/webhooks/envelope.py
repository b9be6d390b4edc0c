"""An event as the message that a receiver gets: CloudEvents 1.0 in JSON, signed as Standard Webhooks says.

Pure. Sources: CloudEvents 1.0.2, "JSON Event Format", structured content mode; Standard Webhooks 1.0.0,
"Signature scheme" (symmetric, `v1`). Sending is `hub.webhooks.sending`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from skills.messages.events import Event
from skills.messages.webhooks import CloudEvent

__all__ = ["cloud_event", "hub_urn", "new_secret", "signed_headers"]

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with, not one
SECRET_BYTES = 32
SUBJECTS = ("round_id", "campaign_id", "rollout_id", "robot_id")
"""Fields of an event that may name what it is about, the most exact one first."""


def new_secret() -> str:
    """A secret with 256 bits of entropy, in the form in which receivers' libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def hub_urn(public_key: str) -> str:
    """What a hub is called in its messages: the same for all its processes, and for ever."""
    return "urn:zunft:hub:" + hashlib.sha256(public_key.encode()).hexdigest()[:32]


def cloud_event(event: Event, source: str) -> bytes:
    """The body of a message."""
    message = CloudEvent(
        id=str(event.id),
        source=source,
        type=f"zunft.{event.kind}",
        subject=_subject(event),
        time=event.at,
        data=event.data,
    )
    return message.model_dump_json().encode()


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """HMAC-SHA256 over id, time and body. The id stays the same when a message is sent again.

    Args:
        secret: As `new_secret` made it.
        message_id: Has no full stop, which separates the parts.
        timestamp: Unix seconds of this attempt.
        body: Exactly what is sent.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def _subject(event: Event) -> str:
    for kind in ("skill", "task"):
        if kind in event.data and "version" in event.data:
            return f"{event.data[kind]}/{event.data['version']}"
    return next((str(event.data[name]) for name in SUBJECTS if name in event.data), event.kind)
