"""`zunft organisation`: who belongs together, who sees their skills, what they may use, where it lies."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from skills.errors import RequestError
from skills.messages.lists import OrganisationQuery
from skills.messages.organisations import OrganisationRequest, OrganisationSettings, OrganisationView
from skills.messages.skills import Visibility
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Limit, Text, listed, tell_page
from zunft.commands.output import table, tell

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

NONE = "none"
UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)")

Region = Annotated[
    str | None, typer.Option(help="Where its blobs must lie: a name from ZUNFT_REGIONS, or none.")
]
SeenBy = Annotated[Visibility | None, typer.Option(help="Who sees a new skill when its publisher is silent.")]
Robots = Annotated[str | None, typer.Option(help="How many robots may be enrolled, or none for no limit.")]
Storage = Annotated[str | None, typer.Option(help="How much may be stored, such as 20GB, or none.")]
Uploads = Annotated[str | None, typer.Option(help="How many deltas and skills may come in an hour, or none.")]
DeltaSize = Annotated[str | None, typer.Option(help="How large a delta may be, such as 5MB, or none.")]
SkillSize = Annotated[str | None, typer.Option(help="How large a skill file may be, such as 50MB, or none.")]
Campaigns = Annotated[str | None, typer.Option(help="How many campaigns may run at a time, or none.")]


@app.command(
    epilog="Examples: [bold]zunft organisation create 'North Works' --robots 20 --storage 50GB[/]; "
    "[bold]zunft organisation create Uni --region eu --visibility private --json[/]"
)
def create(
    name: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    region: Region = None,
    visibility: SeenBy = None,
    robots: Robots = None,
    storage: Storage = None,
    uploads: Uploads = None,
    delta_size: DeltaSize = None,
    skill_size: SkillSize = None,
    campaigns: Campaigns = None,
    as_json: Json = False,
) -> None:
    """Make an organisation; its new skills are seen by itself alone unless you say otherwise."""
    limits = _limits(robots, storage, uploads, delta_size, skill_size, campaigns)
    settings = _changed(OrganisationSettings(), region, visibility, limits)
    made = connect(hub, token).create_organisation(
        request(OrganisationRequest, {"name": name, **settings.model_dump()})
    )
    _show(made, as_json=as_json)


@app.command("list", epilog="Example: [bold]zunft organisation list --text works --json[/]")
def list_organisations(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    text: Text = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show your organisation; all for admins."""
    query = request(OrganisationQuery, {"text": text, "limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).organisations, query, whole=whole)
    rows = [
        (
            each.name,
            each.region or NONE,
            each.visibility,
            str(each.users),
            str(each.use.robots),
            _amount(each.use.storage_bytes),
        )
        for each in page.items
    ]
    columns = ("organisation", "region", "new skills seen by", "users", "robots", "storage")
    tell_page(page, table(columns, rows), as_json=as_json)


@app.command(epilog="Example: [bold]zunft organisation show guild[/]")
def show(name: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Show what an organisation may use, and what it uses."""
    _show(connect(hub, token).organisation(name), as_json=as_json)


@app.command(
    "set",
    epilog="Examples: [bold]zunft organisation set 'North Works' --robots 40 --storage none[/]; "
    "[bold]zunft organisation set guild --uploads 5000[/]",
)
def change(
    name: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    region: Region = None,
    visibility: SeenBy = None,
    robots: Robots = None,
    storage: Storage = None,
    uploads: Uploads = None,
    delta_size: DeltaSize = None,
    skill_size: SkillSize = None,
    campaigns: Campaigns = None,
    as_json: Json = False,
) -> None:
    """Change what is named and leave the rest; a region can be changed while nothing is stored."""
    client = connect(hub, token)
    found = client.organisation(name)
    before = OrganisationSettings.model_validate(
        found.model_dump(include=set(OrganisationSettings.model_fields))
    )
    limits = _limits(robots, storage, uploads, delta_size, skill_size, campaigns)
    _show(client.change_organisation(name, _changed(before, region, visibility, limits)), as_json=as_json)


def _limits(
    robots: str | None,
    storage: str | None,
    uploads: str | None,
    delta_size: str | None,
    skill_size: str | None,
    campaigns: str | None,
) -> dict[str, int | None]:
    """Those that were named."""
    named = {
        "robots": robots,
        "storage_bytes": storage,
        "uploads_per_hour": uploads,
        "delta_bytes": delta_size,
        "skill_bytes": skill_size,
        "campaigns": campaigns,
    }
    return {quota: _number(text) for quota, text in named.items() if text is not None}


def _changed(
    settings: OrganisationSettings,
    region: str | None,
    visibility: Visibility | None,
    limits: dict[str, int | None],
) -> OrganisationSettings:
    wanted = settings.model_dump()
    if region is not None:
        wanted["region"] = "" if region == NONE else region
    if visibility is not None:
        wanted["visibility"] = visibility
    wanted["quotas"] |= limits
    return request(OrganisationSettings, wanted)


def _number(text: str) -> int | None:
    """A number, an amount with its unit, or None for no limit."""
    if text == NONE:
        return None
    found = AMOUNT.fullmatch(text)
    if found is None or found[2] not in UNITS:
        raise RequestError(f"{text!r} is no limit.", remedy=f"Write 20, 500MB, 2.5GB or {NONE}.")
    return int(float(found[1]) * UNITS[found[2]])


def _show(organisation: OrganisationView, *, as_json: bool) -> None:
    region = organisation.region or "no region"
    quotas, use = organisation.quotas, organisation.use
    rows = [
        ("users", str(organisation.users), NONE),
        ("robots", str(use.robots), _limit(quotas.robots)),
        ("campaigns that run", str(use.campaigns), _limit(quotas.campaigns)),
        ("uploads in the last hour", str(use.uploads_per_hour), _limit(quotas.uploads_per_hour)),
        ("storage", _amount(use.storage_bytes), _bytes(quotas.storage_bytes)),
        ("one delta", "", _bytes(quotas.delta_bytes)),
        ("one skill file", "", _bytes(quotas.skill_bytes)),
    ]
    title = f"{organisation.name}: {region}, new skills seen by {organisation.visibility}"
    tell(organisation, table(("", "used", "limit"), rows, title=title), as_json=as_json)


def _limit(limit: int | None) -> str:
    return NONE if limit is None else f"{limit:,}"


def _bytes(limit: int | None) -> str:
    return NONE if limit is None else _amount(limit)


def _amount(size: int) -> str:
    for unit in ("TB", "GB", "MB", "kB"):
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:.3g} {unit}"
    return f"{size} B"
