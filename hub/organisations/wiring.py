"""How organisations and users are put together; the first of each is made when a hub starts."""

from __future__ import annotations

from dataclasses import dataclass

from hub.clock import Clock
from hub.organisations.accounts import Accounts
from hub.organisations.registry import Organisations
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from skills.messages.organisations import Quotas

__all__ = ["OrganisationsWing", "wire"]


@dataclass(frozen=True)
class OrganisationsWing:
    """Who belongs together, and the people."""

    registry: Organisations
    accounts: Accounts


def wire(settings: Settings, storage: StorageWing, clock: Clock) -> OrganisationsWing:
    """Make the guild and the first admin where there are none."""
    usual = Quotas(
        uploads_per_hour=settings.quota_uploads or None, storage_bytes=settings.quota_storage or None
    )
    registry = Organisations(storage.database, storage.stores, clock, storage.bell, usual)
    registry.ensure_guild()
    accounts = Accounts(storage.database, clock)
    accounts.ensure_admin(settings.admin_token.get_secret_value(), settings.data_dir)
    return OrganisationsWing(registry, accounts)
