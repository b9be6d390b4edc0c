"""`/audit`: who did what, newest first, with filters; and whether the log's chain holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.elements import Command, block, link, section, text
from hub.console.frame import frame, reading_of
from hub.console.grids import Column, Pager, Search, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.people import AuditPage, AuditReader
from hub.console.words import count
from hub.events.audit import ChainFinding
from skills.messages.events import AuditEntry

__all__ = ["page"]


def _details(entry: AuditEntry, _: datetime) -> str:
    return ", ".join(f"{name} {value}" for name, value in entry.details.items() if name != "digest")


ENTRIES: tuple[Column[AuditEntry], ...] = (
    Column(later("Number"), lambda each, _: str(each.number), look="number"),
    Column(later("Who"), lambda each, _: each.actor, look="name"),
    Column(later("What"), lambda each, _: each.action),
    Column(later("To what"), lambda each, _: each.subject, aside=_details),
    Column(later("When"), at=lambda each: each.at),
)
FIELDS = (
    Search(later("Who, such as user:maria"), "actor"),
    Search(later("What, such as channel.moved"), "action"),
    Search(later("To what"), "subject"),
)


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of the log."""
    asked = dict(request.query_params)
    return await live(request, AuditReader(reading_of(request), asked), partial(_build, asked))


def _build(asked: Asked, viewer: Viewer, _first: AuditPage) -> Callable[[AuditPage, datetime], None]:
    with frame(_("Audit"), viewer):
        text("h1", _("Audit"))
        text(
            "p", _("Each entry is chained to the one before: none can be changed or left out unseen."), "lead"
        )
        filters("/audit", asked, *FIELDS)
        with block("section", "card"):
            rows = grid(_("Entries, newest first"), ENTRIES, lambda each: each.number)
            pager = Pager("/audit", asked)
        with section(_("Does the chain hold?"), "section card"):
            holds = text("p")
            check = link(_("Follow it from its first entry"), "/audit?verify=yes", "secondary")
            Command("zunft audit verify")

    def show(found: AuditPage, now: datetime) -> None:
        rows.show(found.entries.items, now)
        pager.show(found.entries.next)
        check.set_visibility(found.chain is None)
        holds.text = _in_words(found.chain) if found.chain else _("Not looked at yet; it may take a while.")

    return show


def _in_words(chain: ChainFinding) -> str:
    if chain.broken_at is not None:
        return _("Broken at entry {entry}: {reason}.", entry=chain.broken_at, reason=chain.reason)
    return _("All {entries} entries hold, up to {head}.", entries=count(chain.entries), head=chain.head[:16])
