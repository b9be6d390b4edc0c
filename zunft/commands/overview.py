"""`zunft fleet overview`: what goes on at a hub now, and what needs a person; the console's start page."""

from __future__ import annotations

from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.output import facts, table, tell

__all__ = ["overview"]


def overview(token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Show what goes on at the hub now, what needs a person, and what happened last."""
    found, robots = connect(hub, token).overview(), None
    if found.robots is not None:
        counts = found.robots
        robots = f"{counts.online} online, {counts.away} away, {counts.lost} lost"
    running = [f"{each.order.skill} (round {each.rounds_ended + 1})" for each in found.campaigns]
    rings = [f"{each.skill} v{each.new} ({each.state}, ring {each.ring})" for each in found.rollouts]
    said = {"campaigns": ", ".join(running) or "none is running"}
    said |= ({"roll-outs": ", ".join(rings)} if rings else {}) | ({"robots": robots} if robots else {})
    needs = [
        (f"{each.at:%m-%d %H:%M}" if each.at else "", each.in_words(), each.reason) for each in found.needs
    ]
    events = [(f"{each.at:%m-%d %H:%M}", each.kind, str(each.data.get("skill", ""))) for each in found.events]
    shown = [facts(said)]
    shown.append(
        table(("since", "needs a person", "why"), needs) if needs else facts({"needs a person": "nothing"})
    )
    shown += [table(("at", "event", "skill"), events)] if events else []
    tell(found, *shown, as_json=as_json)
