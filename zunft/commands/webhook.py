"""`zunft webhook`: tell other systems what happens in the hub, and see how they take it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from fleet.lists import everything
from skills.errors import RequestError
from skills.lists import ListQuery
from skills.notices import RedeliverRequest, WebhookRequest
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.listing import All, Cursor, Limit, asked, behind, listed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Tell other systems what happens in the hub; docs/webhooks.md.")
out = Console()


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
    try:
        request = WebhookRequest.model_validate({"url": url, "kinds": kind or ()})
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{first['msg']}.", where=str(first["loc"][0]), remedy="See --help.") from error
    made = connect(hub, token).add_webhook(request)
    if as_json:
        out.print_json(made.model_dump_json())
        return
    out.print(f"{made.webhook.webhook_id}: {made.secret}", highlight=False, soft_wrap=True)
    out.print(f"Try it: zunft webhook test {made.webhook.webhook_id}", highlight=False)


@app.command("list", epilog="Example: [bold]zunft webhook list --json[/]")
def list_webhooks(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show all webhooks and how they fare."""
    query = asked(ListQuery, limit=limit, cursor=cursor)
    page = listed(connect(hub, token).webhooks, query, whole=whole)
    found = page.items
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("webhook", "address", "kinds", "last delivered", "waiting", "dead", "trouble")
    for each in found:
        last = f"{each.last_delivered_at:%Y-%m-%d %H:%M}" if each.last_delivered_at else "never"
        kinds = ", ".join(each.kinds)
        table.add_row(each.webhook_id, each.url, kinds, last, str(each.waiting), str(each.dead), each.trouble)
    out.print(table if found else "No webhooks yet: zunft webhook add URL.")
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


@app.command(epilog="Example: [bold]zunft webhook remove WEBHOOK[/]")
def remove(webhook_id: str, token: Token, hub: Hub = DEFAULT_HUB) -> None:
    """Tell it nothing more; what it has not taken is forgotten."""
    connect(hub, token).remove_webhook(webhook_id)
    out.print(f"{webhook_id} is removed.", highlight=False)


@app.command("test", epilog="Example: [bold]zunft webhook test WEBHOOK[/]")
def try_out(webhook_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Send one message now; exit status 1 where it was not taken."""
    report = connect(hub, token).test_webhook(webhook_id)
    if as_json:
        out.print_json(report.model_dump_json())
    elif report.delivered:
        out.print(f"[green]taken[/] with status {report.status} after {report.seconds:.2f} s")
    else:
        out.print(f"[red]not taken[/]: {report.reason}")
    if not report.delivered:
        raise typer.Exit(1)


@app.command(epilog="Example: [bold]zunft webhook dead WEBHOOK --json[/]")
def dead(webhook_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Show the events that were given up."""
    letters = list(everything(partial(connect(hub, token).dead_letters, webhook_id), ListQuery()))
    if as_json:
        out.print_json(data=[each.model_dump(mode="json") for each in letters])
        return
    table = Table("event", "kind", "happened", "attempts", "last attempt", "why it was not taken")
    for each in letters:
        times = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (each.happened_at, each.last_attempt_at)]
        table.add_row(str(each.event), each.kind, times[0], str(each.attempts), times[1], each.reason)
    out.print(table if letters else "No dead letters.")


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
) -> None:
    """Try dead letters again."""
    found = connect(hub, token).redeliver(webhook_id, RedeliverRequest(events=tuple(event or ())))
    out.print(f"{found.queued} dead letters are on their way again.", highlight=False)
