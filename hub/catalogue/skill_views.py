"""Skills and versions as people see them, many at a time: the number of statements does not grow with them.

Who may see which rows is decided by whoever reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, select
from sqlalchemy.orm import Session

from hub.access.principal import Viewer
from hub.access.visibility import seen
from hub.storage.paging import Line, Order, Statement
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from skills.manifest import Manifest
from skills.messages.lists import SkillQuery, VersionQuery
from skills.messages.skills import GateReport, ScoreView, SkillView, VersionView

__all__ = [
    "VERSION_ORDERS",
    "listed_skills",
    "listed_versions",
    "one_skill",
    "points_at",
    "skill_order",
    "skill_views",
    "version_view",
    "version_views",
]

VERSION_ORDERS = {
    "oldest": Order("versions.oldest", (VersionRow.number,)),
    "newest": Order("versions.newest", (VersionRow.number,), descending=True),
}
NEWEST = (
    select(func.max(VersionRow.number)).where(VersionRow.skill == SkillRow.name).correlate(SkillRow)
).scalar_subquery()


def listed_skills(viewer: Viewer, query: SkillQuery) -> Statement:
    """Skills that the viewer sees and asked for but for words, each with the number of its newest version."""
    found = select(SkillRow, NEWEST).where(seen(viewer))
    if query.task:
        found = found.where(SkillRow.task == query.task)
    if query.organisation:
        found = found.where(SkillRow.organisation == query.organisation)
    if query.channel:
        found = found.where(points_at(query.channel))
    if query.embodiment:
        measured = VersionRow.gate["by_embodiment", query.embodiment, "score"].as_float()
        found = found.where(points_at("stable", measured.is_not(None)))
    if query.lowest_score is not None:
        found = found.where(points_at("stable", VersionRow.score["score"].as_float() >= query.lowest_score))
    return found


def skill_order(sort: Literal["name", "updated", "score"], arm: str) -> Order:
    """How a list of skills is sorted; the score is that on this arm, or over all where none is said."""
    match sort:
        case "name":
            return Order("skills.name", (SkillRow.name,))
        case "updated":
            return Order("skills.updated", (SkillRow.updated_at, SkillRow.name), descending=True)
        case "score":  # unmeasured ones come last
            return Order(f"skills.score {arm}", (func.coalesce(-_lower_bound(arm), 1.0), SkillRow.name))


def _lower_bound(arm: str) -> ScalarSelect[float]:
    """Of the interval of the stable version's success."""
    low = VersionRow.gate["by_embodiment", arm, "low"] if arm else VersionRow.score["low"]
    its = and_(ChannelRow.skill == VersionRow.skill, ChannelRow.number == VersionRow.number)
    stable = select(low.as_float()).join(ChannelRow, its)
    found = stable.where(ChannelRow.skill == SkillRow.name, ChannelRow.name == "stable")
    return found.correlate(SkillRow).scalar_subquery()


def one_skill(name: str) -> Statement:
    """A row for `skill_views`, whoever looks."""
    return select(SkillRow, NEWEST).where(SkillRow.name == name)


def points_at(channel: str, condition: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
    """Whether a skill has this channel, and the version that it points at is like this."""
    its = and_(ChannelRow.skill == SkillRow.name, ChannelRow.name == channel)
    if condition is None:
        return exists().where(its)
    version = and_(VersionRow.skill == ChannelRow.skill, VersionRow.number == ChannelRow.number)
    return exists().where(its, version, condition)


def listed_versions(name: str, query: VersionQuery) -> Statement:
    """Versions of a skill that somebody asked for."""
    found = select(VersionRow).where(VersionRow.skill == name)
    if query.origin:
        found = found.where(VersionRow.manifest["origin"].as_string() == query.origin)
    if query.withdrawn is not None:
        is_withdrawn = VersionRow.withdrawn_at.is_not(None)
        found = found.where(is_withdrawn if query.withdrawn else ~is_withdrawn)
    return found


def skill_views(session: Session, rows: Sequence[Line]) -> list[SkillView]:
    """Skills from rows of `listed_skills`."""
    skills: list[SkillRow] = [row[0] for row in rows]
    pointed = (
        select(ChannelRow, VersionRow)
        .join(VersionRow, and_(VersionRow.skill == ChannelRow.skill, VersionRow.number == ChannelRow.number))
        .where(ChannelRow.skill.in_([skill.name for skill in skills]))
    )
    found: dict[tuple[str, int], tuple[VersionRow, list[ChannelRow]]] = {}
    for channel, version in session.execute(pointed):
        found.setdefault((version.skill, version.number), (version, []))[1].append(channel)
    views = {
        (version.skill, channel.name): _view(version, channels)
        for version, channels in found.values()
        for channel in channels
    }
    return [_skill_view(row[0], row[1] or 0, views) for row in rows]


def _skill_view(row: SkillRow, newest: int, channels: dict[tuple[str, str], VersionView]) -> SkillView:
    return SkillView(
        name=row.name,
        organisation=row.organisation,
        visibility=row.visibility,
        task=row.task,
        summary=row.summary,
        versions=newest,
        stable=channels.get((row.name, "stable")),
        candidate=channels.get((row.name, "candidate")),
        minimum=row.minimum,
        updated_at=row.updated_at,
    )


def version_view(session: Session, row: VersionRow) -> VersionView:
    """The version as everybody sees it."""
    return version_views(session, [row])[0]


def version_views(session: Session, rows: Iterable[VersionRow]) -> list[VersionView]:
    """Versions as everybody sees them."""
    rows = list(rows)
    pointed = select(ChannelRow).where(ChannelRow.skill.in_({row.skill for row in rows}))
    channels: dict[str, list[ChannelRow]] = {}
    for channel in session.scalars(pointed):
        channels.setdefault(channel.skill, []).append(channel)
    return [_view(row, channels.get(row.skill, ())) for row in rows]


def _view(row: VersionRow, channels: Iterable[ChannelRow]) -> VersionView:
    """`channels`: of the skill, wherever they point."""
    manifest = Manifest.model_validate(row.manifest)
    return VersionView(
        skill=row.skill,
        version=row.number,
        digest=row.digest,
        size=row.size,
        origin=manifest.origin,
        task=manifest.task,
        parents=manifest.parents,
        round_id=manifest.round_id,
        contributors=manifest.contributors,
        samples=manifest.samples,
        created_at=row.created_at,
        channels=tuple(sorted(each.name for each in channels if each.number == row.number)),
        kept_on=tuple(sorted(arm for each in channels for arm, it in each.kept.items() if it == row.number)),
        score=ScoreView.model_validate(row.score) if row.score else None,
        gate=GateReport.model_validate(row.gate) if row.gate else None,
        withdrawn=row.withdrawn_at is not None,
        signature=row.signature,
        manifest=manifest,
    )
