"""Figures as people read them: percent, intervals, bytes, times, states. Pure; the clock is passed in."""

from __future__ import annotations

from datetime import UTC, datetime

from skills.messages.campaigns import CampaignView
from skills.messages.skills import ReleaseView, ScoreView
from skills.messages.tasks import FindingView

__all__ = [
    "NO_SCORE",
    "ago",
    "amount",
    "count",
    "finding_in_words",
    "interval",
    "percent",
    "plural",
    "points",
    "probability",
    "progress",
    "release_in_words",
    "score_in_words",
    "short_digest",
    "span",
    "state_in_words",
    "until",
]

STATES = {
    "open": "collecting",
    "closing": "closing",
    "merging": "merging",
    "gating": "at the gate",
    "published": "published",
    "rejected": "rejected",
    "failed": "failed",
    "running": "running",
    "finished": "finished",
    "stopped": "stopped",
    "checking": "being checked",
    "listed": "listed",
    "refused": "refused",
    "measuring": "being measured",
    "waiting": "waits for a word",
    "paused": "paused",
    "aborted": "rolled back",
    "new": "not heard of yet",
    "withdrawn": "forgotten",
    "requested": "asked for",
    "working": "under way",
    "worse": "worse in its own twin",
    "does_not_fit": "does not fit it",
    "rolled_back": "older than what it knows",
    "expired": "what vouches for it is too old",
    "not_what_was_signed": "not what was signed",
}
NO_SCORE = "not measured"


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage with one decimal: `92.3 %`."""
    return f"{share * 100:.1f} %"


def points(share: float) -> str:
    """A difference of shares in percentage points: `12.3 points`."""
    return f"{share * 100:.1f} points"


def probability(chance: float) -> str:
    """How likely something is, roughly: `2 %`, or `under 0.1 %`."""
    return "under 0.1 %" if chance < 0.001 else f"{chance * 100:.1f} %"


def interval(score: ScoreView) -> str:
    """The 95 % interval alone, in whole percent: `88-95 %`, with an en dash."""
    return f"{score.low * 100:.0f}\u2013{score.high * 100:.0f} %"


def score_in_words(score: ScoreView | None) -> str:
    """A whole sentence for a screen reader or a tooltip."""
    if score is None:
        return NO_SCORE
    return (
        f"{percent(score.score)} success, 95 % interval {interval(score)}, {count(score.episodes)} episodes"
    )


def count(number: int) -> str:
    """A whole number with thousands set apart by a narrow space."""
    return f"{number:,}".replace(",", "\u202f")


def plural(number: int, noun: str) -> str:
    """A count with its noun: `1 robot`, `4 robots`."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def amount(size: int) -> str:
    """Bytes in the decimal unit that keeps it short: `174 kB`."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 9.95 else f"{value:.0f} {unit}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit; what clocks that differ put into the future is just now."""
    seconds = (_aware(now) - _aware(moment)).total_seconds()
    return "just now" if seconds < 5 else f"{_duration(seconds)} ago"


def span(seconds: float) -> str:
    """How long something takes, in the largest whole unit: `2 h`."""
    return _duration(seconds)


def until(moment: datetime, now: datetime) -> str:
    """How long there is left until then; what is over is said as `ago` says it."""
    seconds = (_aware(moment) - _aware(now)).total_seconds()
    return f"in {_duration(seconds)}" if seconds >= 1 else ago(moment, now)


def short_digest(digest: str) -> str:
    """The first twelve hex digits: enough to recognise, never used to fetch."""
    return digest.removeprefix("sha256:")[:12]


def state_in_words(state: str) -> str:
    """What a round or campaign is doing."""
    return STATES.get(state, state)


def finding_in_words(finding: FindingView) -> str:
    """How a check ended; whoever passed with advice is not to overlook it."""
    passed = "passed, with advice" if finding.remedy else "passed"
    return passed if finding.passed else "failed"


def release_in_words(release: ReleaseView | None) -> str:
    """What became of the last release, where it did not come about at once; empty otherwise."""
    if release is None or release.state == "released":
        return ""
    if release.state == "refused":
        return f"v{release.version} did not become {release.channel}. {release.reason}"
    return f"v{release.version} is measured before it becomes {release.channel}."


def progress(campaign: CampaignView) -> tuple[int, int]:
    """Rounds that have ended, and rounds ordered."""
    total = campaign.order.rounds_in_all
    return min(campaign.rounds_ended, total), total


def _aware(moment: datetime) -> datetime:
    # SQLite forgets time zones; the hub writes UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
