"""Figures as people read them: percent, intervals, bytes, times, states, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent

from hub.console.language import _, later, locale, several
from skills.messages.campaigns import CampaignView
from skills.messages.costs import Cost
from skills.messages.skills import ReleaseView, ScoreView
from skills.messages.tasks import FindingView

__all__ = [
    "ONE_DECIMAL",
    "ago",
    "amount",
    "count",
    "energy",
    "exactly",
    "figure",
    "finding_in_words",
    "interval",
    "no_score",
    "percent",
    "plural",
    "points",
    "probability",
    "progress",
    "release_in_words",
    "score_in_words",
    "short_digest",
    "signed",
    "span",
    "state_in_words",
    "until",
]

STATES = {
    "open": later("collecting"),
    "closing": later("closing"),
    "merging": later("merging"),
    "gating": later("at the gate"),
    "published": later("published"),
    "rejected": later("rejected"),
    "failed": later("failed"),
    "running": later("running"),
    "finished": later("finished"),
    "stopped": later("stopped"),
    "checking": later("being checked"),
    "listed": later("listed"),
    "refused": later("refused"),
    "measuring": later("being measured"),
    "waiting": later("waits for a word"),
    "paused": later("paused"),
    "aborted": later("rolled back"),
    "new": later("not heard of yet"),
    "online": later("online"),
    "away": later("away"),
    "lost": later("lost"),
    "withdrawn": later("forgotten"),
    "requested": later("asked for"),
    "working": later("under way"),
    "silent": later("not heard of lately"),
    "brought": later("has brought its delta"),
    "left_out": later("was not waited for"),
    "worse": later("worse in its own twin"),
    "does_not_fit": later("does not fit it"),
    "rolled_back": later("older than what it knows"),
    "expired": later("what vouches for it is too old"),
    "not_what_was_signed": later("not what was signed"),
    "stable": later("stable"),
    "candidate": later("candidate"),
    "passed": later("passed"),
    "guild": later("guild"),
    "organisation": later("organisation"),
    "private": later("private"),
    "researcher": later("researcher"),
    "operator": later("operator"),
    "admin": later("admin"),
}
Noun = Literal[
    "campaign",
    "delta",
    "episode",
    "incident",
    "iteration",
    "job",
    "robot",
    "round",
    "task",
    "thing",
    "version",
]
NOUNS: dict[Noun, Callable[[int], str]] = {
    "campaign": lambda n: several("{n} campaign", "{n} campaigns", n, n=count(n)),
    "delta": lambda n: several("{n} delta", "{n} deltas", n, n=count(n)),
    "episode": lambda n: several("{n} episode", "{n} episodes", n, n=count(n)),
    "incident": lambda n: several("{n} incident", "{n} incidents", n, n=count(n)),
    "iteration": lambda n: several("{n} iteration", "{n} iterations", n, n=count(n)),
    "job": lambda n: several("{n} job", "{n} jobs", n, n=count(n)),
    "robot": lambda n: several("{n} robot", "{n} robots", n, n=count(n)),
    "round": lambda n: several("{n} round", "{n} rounds", n, n=count(n)),
    "task": lambda n: several("{n} task", "{n} tasks", n, n=count(n)),
    "thing": lambda n: several("{n} thing", "{n} things", n, n=count(n)),
    "version": lambda n: several("{n} version", "{n} versions", n, n=count(n)),
}
"""What is counted here. Another noun is another line, so that every language has both of its forms."""
ONE_DECIMAL = "#,##0.0"
SHARE = "#,##0.0 %"
JUST_NOW = 5
"""Seconds."""


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage with one decimal: `92.3 %`."""
    return format_percent(share, SHARE, locale())


def points(share: float) -> str:
    """A difference of shares in percentage points: `12.3 points`."""
    return _("{number} points", number=figure(share * 100, ONE_DECIMAL))


def signed(share: float) -> str:
    """A change of a share, with its sign: `+12.3 %`."""
    return format_percent(share, f"+{SHARE};-{SHARE}", locale())


def probability(chance: float) -> str:
    """How likely something is, roughly: `2.0 %`, or `under 0.1 %`."""
    return _("under {share}", share=percent(0.001)) if chance < 0.001 else percent(chance)


def interval(score: ScoreView) -> str:
    """The 95 % interval alone, in whole percent: `88-95 %`, with an en dash."""
    return f"{score.low * 100:.0f}\u2013{score.high * 100:.0f} %"


def no_score() -> str:
    """What stands in the place of a score where there is none."""
    return _("not measured")


def score_in_words(score: ScoreView | None) -> str:
    """A whole sentence for a screen reader or a tooltip."""
    if score is None:
        return no_score()
    return _(
        "{share} success, 95 % interval {interval}, {count} episodes",
        share=percent(score.score),
        interval=interval(score),
        count=count(score.episodes),
    )


def count(number: int) -> str:
    """A whole number with its thousands set apart."""
    return format_decimal(number, locale=locale())


def figure(number: float, pattern: str = "#,##0.######") -> str:
    """A number with decimals, by a pattern of CLDR's."""
    return format_decimal(number, pattern, locale())


def plural(number: int, noun: Noun) -> str:
    """A count with its noun: `1 robot`, `4 robots`."""
    return NOUNS[noun](number)


def amount(size: int) -> str:
    """Bytes in the decimal unit that keeps it short: `174 kB`."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{figure(value, ONE_DECIMAL if unit != 'B' and value < 9.95 else '#,##0')} {unit}"


def energy(cost: Cost) -> str:
    """In the decimal unit that keeps it short, marked where any of it is an estimate: `≈ 1.2 Wh`."""
    value, unit = cost.kwh * 1000, _("Wh")
    for larger in ("kWh", "MWh"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    mark = "≈ " if cost.counted_joules < cost.joules else ""
    return f"{mark}{figure(value, '0.###' if value < 1 else ONE_DECIMAL)} {unit}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in the largest unit; what clocks that differ put into the future is just now."""
    passed = min(_aware(moment) - _aware(now), timedelta(0))
    if passed.total_seconds() > -JUST_NOW:
        return _("just now")
    return _directed(passed)


def until(moment: datetime, now: datetime) -> str:
    """How long there is left until then; what is over is said as `ago` says it."""
    left = _aware(moment) - _aware(now)
    return _directed(left) if left.total_seconds() >= 1 else ago(moment, now)


def span(seconds: float) -> str:
    """How long something takes, in the largest unit: `2 hr`."""
    return format_timedelta(timedelta(seconds=seconds), threshold=1, format="short", locale=locale())


def exactly(moment: datetime) -> str:
    """The moment itself, to the second, in UTC."""
    return format_datetime(_aware(moment), "long", locale=locale())


def _directed(passed: timedelta) -> str:
    return format_timedelta(passed, threshold=1, add_direction=True, format="short", locale=locale())


def short_digest(digest: str) -> str:
    """The first twelve hex digits: enough to recognise, never used to fetch."""
    return digest.removeprefix("sha256:")[:12]


def state_in_words(state: str) -> str:
    """What a round or campaign is doing, or another of the API's own words; an unknown one stays as it is."""
    return _(STATES.get(state, state))


def finding_in_words(finding: FindingView) -> str:
    """How a check ended; whoever passed with advice is not to overlook it."""
    passed = _("passed, with advice") if finding.remedy else _("passed")
    return passed if finding.passed else _("failed")


def release_in_words(release: ReleaseView | None) -> str:
    """What became of the last release, where it did not come about at once; empty otherwise."""
    if release is None or release.state == "released":
        return ""
    channel = state_in_words(release.channel)
    if release.state == "refused":
        became = _("v{version} did not become {channel}.", version=release.version, channel=channel)
        return f"{became} {release.reason}"
    if release.state == "unsigned":
        measured = _("v{version} is measured.", version=release.version)
        return f"{measured} {release.reason}"
    return _("v{version} is measured before it becomes {channel}.", version=release.version, channel=channel)


def progress(campaign: CampaignView) -> tuple[int, int]:
    """Rounds that have ended, and rounds ordered."""
    total = campaign.order.rounds_in_all
    return min(campaign.rounds_ended, total), total


def _aware(moment: datetime) -> datetime:
    # SQLite forgets time zones; the hub writes UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
