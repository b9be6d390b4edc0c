"""`zunft webhook`: tell other systems what happens in the hub, and see how they take it."""

from __future__ import annotations

from functools import partial
from time import sleep
from typing import Annotated

import typer
from rich.markup import escape

from skills.messages.lists import ListQuery
from skills.messages.webhooks import RedeliverRequest, WebhookRequest
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.output import err, table, tell

__all__ = ["app"]

LOOK_SECONDS = 0.5

app = typer.Typer(no_args_is_help=True)


@app.command(
    epilog="Examples: [bold]zunft webhook add https://mes.example.com/zunft[/]; only some kinds: "
    "[bold]zunft webhook add https://... --kind version.published --kind robot.lost[/]; all kinds are in "
    "docs/webhooks.md"
)
def add(
    url: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    kind: Annotated[
        list[str] | None, typer.Option(help="What to tell; may be repeated. Without it, everything.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell an address of what happens from now on. The secret that signs is shown once."""
    made = connect(hub, token).add_webhook(request(WebhookRequest, {"url": url, "kinds": kind or ()}))
    name = made.webhook.webhook_id
    tell(made, f"{name}: {made.secret}", f"Try it: zunft webhook test {name}", as_json=as_json)


@app.command("list", epilog="Example: [bold]zunft webhook list --all --json[/]")
def list_webhooks(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show webhooks and how they fare."""
    query = request(ListQuery, {"limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).webhooks, query, whole=whole)
    rows = [
        (
            each.webhook_id,
            each.url,
            ", ".join(each.kinds),
            f"{each.last_delivered_at:%Y-%m-%d %H:%M}" if each.last_delivered_at else "never",
            f"{each.waiting} / {each.dead}",
            each.trouble,
        )
        for each in page.items
    ]
    columns = ("webhook", "address", "kinds", "delivered", "waiting / dead", "trouble")
    shown = table(columns, rows) if rows else "No webhooks yet: zunft webhook add URL."
    tell_page(page, shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft webhook remove WEBHOOK[/]")
def remove(webhook_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Tell it nothing more; what it has not taken is forgotten."""
    connect(hub, token).remove_webhook(webhook_id)
    tell({"removed": webhook_id}, f"{webhook_id} is removed.", as_json=as_json)


@app.command("test", epilog="Example: [bold]zunft webhook test WEBHOOK[/]")
def try_out(webhook_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Have one message sent now; exit status 1 where it was not taken."""
    client = connect(hub, token)
    trial = client.test_webhook(webhook_id)
    with err.status("The hub sends a message ..."):
        while trial.report is None:
            sleep(LOOK_SECONDS)
            trial = client.trial(webhook_id)
    report = trial.report
    verdict = (
        f"[green]taken[/] with status {report.status} after {report.seconds:.2f} s"
        if report.delivered
        else f"[red]not taken[/]: {escape(report.reason)}"
    )
    tell(report, verdict, as_json=as_json)
    if not report.delivered:
        raise typer.Exit(1)


@app.command(epilog="Example: [bold]zunft webhook dead WEBHOOK --all --json[/]")
def dead(
    webhook_id: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show the events that were given up."""
    query = request(ListQuery, {"limit": limit, "cursor": cursor})
    page = listed(partial(connect(hub, token).dead_letters, webhook_id), query, whole=whole)
    rows = [
        (
            str(each.event),
            each.kind,
            f"{each.happened_at:%Y-%m-%d %H:%M:%S}",
            str(each.attempts),
            f"{each.last_attempt_at:%Y-%m-%d %H:%M:%S}",
            each.reason,
        )
        for each in page.items
    ]
    columns = ("event", "kind", "happened", "attempts", "last attempt", "why it was not taken")
    tell_page(page, table(columns, rows, keys=2) if rows else "No dead letters.", as_json=as_json)


@app.command(
    epilog="Examples: [bold]zunft webhook redeliver WEBHOOK[/]; "
    "[bold]zunft webhook redeliver WEBHOOK --event 311[/]"
)
def redeliver(
    webhook_id: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    event: Annotated[
        list[int] | None, typer.Option(help="An event's number; may be repeated. Without it, all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Try dead letters again."""
    found = connect(hub, token).redeliver(webhook_id, request(RedeliverRequest, {"events": event or ()}))
    tell(found, f"{found.queued} dead letters are on their way again.", as_json=as_json)
