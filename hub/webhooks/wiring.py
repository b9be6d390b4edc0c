"""How webhooks are put together."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.addresses import parse_networks
from hub.clock import Clock
from hub.metrics import Metrics
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.webhooks.dispatcher import Dispatcher
from hub.webhooks.envelope import hub_urn
from hub.webhooks.registry import Webhooks
from hub.webhooks.schedule import Schedule
from hub.webhooks.sending import Sender
from hub.webhooks.vault import Vault

__all__ = ["WebhooksWing", "wire"]


@dataclass(frozen=True)
class WebhooksWing:
    """Who wants to be told, and what tells them."""

    registry: Webhooks
    dispatcher: Dispatcher


def wire(
    settings: Settings, storage: StorageWing, access: AccessWing, clock: Clock, metrics: Metrics
) -> WebhooksWing:
    """Messages go out with the dispatcher's loop."""
    database, key = storage.database, access.key
    vault, source = Vault(key), hub_urn(key.public.text)
    sender = Sender(
        parse_networks(settings.webhook_networks), settings.webhook_plain_http, settings.webhook_seconds
    )
    chance = random.SystemRandom().random
    schedule = Schedule(settings.webhook_retry_seconds, settings.webhook_attempts, chance)
    seconds, stopping = settings.lease_seconds, storage.stopping
    return WebhooksWing(
        registry=Webhooks(database, vault, sender, clock),
        dispatcher=Dispatcher(database, vault, sender, schedule, source, clock, metrics, seconds, stopping),
    )
